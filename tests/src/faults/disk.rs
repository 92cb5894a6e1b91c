//! Disks that are full, may only be read, or keep other bits than they were given.
//!
//! The disk is a small tmpfs, which only root can mount; without it the two first are left out.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bus::{Bus, kill};
use super::reckoning::{Row, all_there_once, rows};
use super::{Chance, Plan};
use crate::Program;

const LEFT_OUT: &str = "left out: a tmpfs cannot be mounted here";
const FLIPS: u64 = 12;
/// Records that a message of a publisher has at most, at these sizes.
const MESSAGE: u64 = 1_000;

/// A tmpfs, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(path: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let option = format!("size={size}");
        let args = ["-t", "tmpfs", "-o", &option, "faults"];
        is_done(Command::new("mount").args(args).arg(path)).then(|| Self(path.to_owned()))
    }

    fn remount(&self, option: &str) {
        let option = format!("remount,{option}");
        let done = is_done(Command::new("mount").args(["-o", &option]).arg(&self.0));
        assert!(done, "remounting with {option}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a program of a run that failed may still be there.
        is_done(Command::new("umount").arg("-l").arg(&self.0));
    }
}

fn is_done(command: &mut Command) -> bool {
    let status = command.stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Durable publishers wait while the journal's disk is full, and all is there when it has room again.
pub(super) fn full(plan: Plan) -> String {
    let mut bus = Bus::new();
    let Some(disk) = Disk::mount(&bus.journal, "3m") else {
        return LEFT_OUT.to_owned();
    };
    let broker = bus.broker(&[]);
    let issuers = vec![bus.issuer(0, plan.rate, true)];
    let begin = Instant::now();
    let is_told = |broker: &Program| broker.lines().len() > 1;
    while !is_told(&broker) && begin.elapsed() < Duration::from_secs(30) {
        bus.pause(Duration::from_millis(50));
    }
    let full_after = begin.elapsed();
    bus.pause(Duration::from_secs(plan.seconds.into()));
    let then = bus.acknowledged();
    disk.remount("size=2g");
    bus.end_all(issuers);
    let journal = bus.account(&bus.journal_lines());
    let lines = broker.stop();
    let said = lines[1..].join("\n    ");
    let told = format!(
        "full after {full_after:.1?}, {then} acknowledged while it was\n  journal: {journal}\n  \
         the broker said:\n    {said}"
    );
    assert!(lines.len() > 1, "nobody said that it is full: {told}");
    all_there_once(&journal, &told);
    told
}

/// A broker does not begin with a journal that it cannot write, and says so; what is in it stays.
pub(super) fn read_only(plan: Plan) -> String {
    let mut bus = Bus::new();
    let Some(disk) = Disk::mount(&bus.journal, "2g") else {
        return LEFT_OUT.to_owned();
    };
    let broker = bus.broker(&[]);
    let first = vec![bus.issuer(0, plan.rate, true)];
    bus.pause(Duration::from_secs(1));
    bus.end_all(first);
    kill(broker);
    disk.remount("ro");
    let second = vec![bus.issuer(0, plan.rate, true)];
    let args = bus.broker_args(&[]);
    let refused = bus.start("bus-broker", &args);
    refused.expect_end();
    let (status, lines) = refused.wait();
    assert_eq!(status.code(), Some(1), "{lines:?}");
    let is_named = lines[0].contains(bus.journal.to_str().unwrap());
    assert!(is_named, "no word of the folder: {lines:?}");
    bus.pause(Duration::from_secs(plan.seconds.into()));
    disk.remount("rw");
    let broker = bus.broker(&[]);
    bus.end_all(second);
    let journal = bus.account(&bus.journal_lines());
    broker.stop();
    let told = format!(
        "the broker said: {}\n  journal: {journal}",
        lines.join(" / ")
    );
    all_there_once(&journal, &told);
    told
}

/// Each flipped bit costs the message it is in at most; the broker begins, and what is gone is told.
pub(super) fn bit_flips(plan: Plan) -> String {
    let mut bus = Bus::new();
    let mut chance = Chance::new(plan.seed);
    let broker = bus.broker(&[]);
    let issuers = bus.issuers(3, plan.rate, true);
    bus.pause(Duration::from_secs(plan.seconds.into()));
    bus.end_all(issuers);
    kill(broker);
    let mut files = Vec::new();
    collect(&bus.journal, &mut files);
    let mut places = Vec::new();
    // A place among all bytes, so that large files are hit more often; what is zero is mostly room
    // that was not used yet.
    while places.len() < FLIPS as usize {
        let all = files.iter().map(|(_, length)| length).sum();
        let mut at = chance.below(all);
        for (path, length) in &files {
            if at < *length {
                if flip(path, at, chance.below(8)) {
                    let name = path.strip_prefix(&bus.journal).unwrap();
                    places.push(format!("{}:{at}", name.display()));
                }
                break;
            }
            at -= length;
        }
    }
    let broker = bus.broker(&[]);
    let journal = bus.account(&bus.journal_lines());
    let said = broker.lines()[1..].join("\n    ");
    let summary = bus.journal_summary();
    broker.stop();
    let Row {
        received,
        lost,
        earlier,
        ..
    } = Row::sum(rows(&summary).values());
    let told = format!(
        "flipped {}\n  journal: {journal}\n  the broker said:\n    {said}\n  a reader said:\n    {}",
        places.join(" "),
        summary.join("\n    ")
    );
    assert_eq!(journal.corrupt, Vec::<String>::new(), "{told}");
    assert_eq!(journal.again, 0, "{told}");
    assert!(journal.missing <= FLIPS * MESSAGE, "{told}");
    assert_eq!(journal.delivered, received, "{told}");
    assert_eq!(
        journal.missing,
        lost + earlier,
        "what is gone is counted: {told}"
    );
    told
}

/// The files below a folder that hold something, and their lengths, in the order of their names.
pub(super) fn collect(folder: &Path, files: &mut Vec<(PathBuf, u64)>) {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let length = path.metadata().unwrap().len();
        if path.is_dir() {
            collect(&path, files);
        } else if length > 0 {
            files.push((path, length));
        }
    }
}

/// Flips a bit of a byte that is not zero; whether it was such a one.
pub(super) fn flip(path: &Path, at: u64, bit: u64) -> bool {
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    if byte[0] == 0 {
        return false;
    }
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, at).unwrap();
    true
}
