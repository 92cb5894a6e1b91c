//! Spools that were damaged while no process had them: flipped bits, ends that were cut off.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use super::bus::Bus;
use super::disk::{collect, flip};
use super::reckoning::{Row, rows};
use super::{Chance, Plan};

const PUBLISHERS: usize = 3;
const FLIPS: usize = 10;
/// Records that a message of a publisher has at most, at these sizes.
const MESSAGE: u64 = 1_000;

/// Publishers spool while no broker is there, and are killed; a part of their spools is damaged. What
/// is left arrives once and as it was; what is not is counted and told.
pub(super) fn damage(plan: Plan) -> String {
    let mut bus = Bus::new();
    let mut chance = Chance::new(plan.seed);
    let issuers = bus.issuers(PUBLISHERS, plan.rate, true);
    bus.pause(Duration::from_secs(plan.seconds.into()));
    for issuer in issuers {
        issuer.kill();
    }
    let mut files = Vec::new();
    collect(&bus.path("spool"), &mut files);
    let mut touched = BTreeSet::new();
    let mut flips = 0;
    while flips < FLIPS {
        let (path, length) = &files[chance.below(files.len() as u64) as usize];
        if flip(path, chance.below(*length), chance.below(8)) {
            flips += 1;
            touched.insert(path.parent().unwrap().to_owned());
        }
    }
    // Of one spool the last segment is cut anywhere in its last tenth.
    let ends: Vec<&(PathBuf, u64)> = last_segments(&files);
    let (cut, length) = ends[chance.below(ends.len() as u64) as usize];
    let left = length - 1 - chance.below(length / 10);
    let file = File::options().write(true).open(cut).unwrap();
    file.set_len(left).unwrap();
    touched.insert(cut.parent().unwrap().to_owned());

    let broker = bus.broker(&[]);
    // One of them is taken over by the next publisher of its program, the others are drained.
    let heir = bus.issuer(0, plan.rate / 10, true);
    bus.pause(Duration::from_millis(500));
    let mut said = bus.succeed(heir.program);
    let drain = bus.start_drain();
    bus.until(|| drain.is_over());
    let (status, lines) = drain.wait();
    said.extend(lines);
    let journal = bus.account(&bus.journal_lines());
    let summary = bus.journal_summary();
    broker.stop();
    let all = rows(&summary);
    let Row {
        received,
        lost,
        earlier,
        ..
    } = Row::sum(all.values());
    let said: Vec<String> = said
        .into_iter()
        .filter(|line| line.contains("log"))
        .collect();
    let told = format!(
        "{FLIPS} bits of {} spools flipped, one cut from {length} to {left} bytes\n  journal: {journal}\n  \
         a reader: {received} received, {lost} lost, {earlier} earlier\n  they said:\n    {}",
        touched.len(),
        said.join("\n    ")
    );
    assert_eq!(journal.corrupt, Vec::<String>::new(), "{told}");
    assert_eq!(journal.again, 0, "{told}");
    assert!(journal.missing > 0, "nothing was damaged: {told}");
    assert!(journal.missing <= (FLIPS as u64 + 1) * MESSAGE, "{told}");
    assert_eq!(journal.delivered, received, "{told}");
    // Behind the last record that is whole nobody knows how many there were: a killed publisher says no
    // goodbye.
    let known = journal.missing_inside;
    assert_eq!(known, lost + earlier, "what is gone is counted: {told}");
    let damaged = said.iter().filter(|line| line.contains("damaged")).count();
    assert!(
        damaged >= touched.len(),
        "each damaged spool is told: {told}"
    );
    assert!(!status.success() || touched.len() == 1, "{told}");
    told
}

/// The last segment of each spool.
fn last_segments(files: &[(PathBuf, u64)]) -> Vec<&(PathBuf, u64)> {
    let is_last = |at: usize| {
        let next = files.get(at + 1).map(|(path, _)| path.parent());
        next != Some(files[at].0.parent())
    };
    (0..files.len())
        .filter(|at| is_last(*at))
        .map(|at| &files[at])
        .collect()
}
