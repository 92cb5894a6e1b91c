//! A steady rate for a long time: memory, threads and open files of each program stay as they are,
//! while publishers besides the measured ones come and go.
//!
//! The first third of the time is for warming up; the second and the last are held against each other.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::Plan;
use super::bus::{Bus, text_of};

const SAMPLES: u32 = 60;
/// Memory may grow so many KiB from the second third to the last: the journal's tables fill, and are
/// written when they are full.
const MORE_KIB: u64 = 4 << 10;
/// Those who come and go say this part of what the others do.
const PASSING: u32 = 20;

/// What a process has.
#[derive(Clone, Copy)]
struct Sample {
    kib: u64,
    threads: u64,
    files: u64,
}

impl Sample {
    fn of(process: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
        Self {
            kib: field("VmRSS:"),
            threads: field("Threads:"),
            files: files.count() as u64,
        }
    }
}

/// A short form, which leaves memory out: that takes longer to settle.
pub(super) fn steady(plan: Plan) -> String {
    run(
        Duration::from_secs(plan.seconds.into()),
        plan.rate,
        u64::MAX,
    )
}

/// Runs a bus with everything on it, and returns a table of what the programs had.
pub fn soak(time: Duration, rate: u32) -> String {
    run(time, rate, MORE_KIB)
}

fn run(time: Duration, rate: u32, more_kib: u64) -> String {
    let mut bus = Bus::new();
    let broker = bus.broker(&["--journal-max-bytes", "64MiB"]);
    let readers = [bus.durable_reader("kept"), bus.counting_reader("counted")];
    let issuers =
        [true, false].map(|is_durable| bus.issuer(usize::from(is_durable), rate / 2, is_durable));
    let processes = [
        ("broker", broker.id()),
        ("durable reader", readers[0].id()),
        ("PUB/SUB reader", readers[1].id()),
        ("durable publisher", issuers[0].id()),
        ("PUB/SUB publisher", issuers[1].id()),
    ];
    // Steady is what begins when all of them have said and heard something.
    bus.wait_for_notice("counted", &issuers[1].name, "");
    bus.until(|| !text_of(&bus.path("kept")).is_empty());
    let begin = Instant::now();
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); processes.len()];
    for turn in 1..=SAMPLES {
        let due = begin + time * turn / SAMPLES;
        let passing = [true, false]
            .map(|is_durable| bus.issuer(usize::from(is_durable) + 2, rate / PASSING, is_durable));
        bus.pause(due.saturating_duration_since(Instant::now()));
        bus.end_all(passing.into());
        for (rows, (_, process)) in samples.iter_mut().zip(processes) {
            rows.push(Sample::of(process));
        }
    }
    bus.end_all(issuers.into());
    let kept = bus.wait_for_all("kept");
    for program in readers {
        program.stop();
    }
    broker.stop();
    let mut told = format!("{time:.0?} at {rate} records a second; durable: {kept}\n");
    let mut problems = Vec::new();
    for ((name, _), rows) in processes.iter().zip(samples) {
        let third = rows.len() / 3;
        let (middle, last) = (&rows[third..2 * third], &rows[2 * third..]);
        let [before, after] = [middle, last].map(|rows| median(rows, |row| row.kib));
        let threads = [middle, last].map(|rows| median(rows, |row| row.threads));
        let files = [middle, last].map(|rows| median(rows, |row| row.files));
        writeln!(
            told,
            "  {name:18} memory {:6.1} -> {:6.1} MiB, threads {} -> {}, files {} -> {}",
            before as f64 / 1024.0,
            after as f64 / 1024.0,
            threads[0],
            threads[1],
            files[0],
            files[1]
        )
        .unwrap();
        let is_flat = after <= before.saturating_add(more_kib);
        // A journal's files come and go.
        if !is_flat || threads[1] > threads[0] || files[1] > files[0] + 4 {
            problems.push(*name);
        }
    }
    assert_eq!(problems, Vec::<&str>::new(), "these grow\n{told}");
    told
}

fn median(rows: &[Sample], of: impl Fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<u64> = rows.iter().map(of).collect();
    values.sort_unstable();
    values[values.len() / 2]
}
