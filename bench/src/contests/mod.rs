//! Every contest: a file and a row each.
//!
//! What several of them do is here: sending to a receiver that connects, and waiting for the last line
//! of a file.

mod cookbook_file;
mod native_file;
mod bus;
mod broker;
mod batches;
mod topics;
mod scale;
mod scale_topics;
mod seq;
mod rust_call;
mod latency;
mod start;
mod idle;
mod scripts;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::ensure;

use crate::contest::{Contest, Quantity};
use crate::peers::window::Progress;
use crate::program::Program;

/// Every contest, in the order of the table.
pub(crate) const CONTESTS: &[Contest] = &[
    cookbook_file::CONTEST,
    native_file::CONTEST,
    broker::CONTEST,
    batches::CONTEST,
    topics::CONTEST,
    scale::CONTEST,
    scale_topics::CONTEST,
    seq::CONTEST,
    rust_call::CONTEST,
    latency::CONTEST,
    start::CONTEST,
    idle::CONTEST,
    scripts::PYTHON_CALLS,
    scripts::HANDLERS,
    scripts::TERMINAL,
];

/// Records, or messages, in a second.
const RATE: Quantity = Quantity {
    name: "rate",
    unit: "records/s",
};
/// What the receiver's threads take together for one.
const CPU: Quantity = Quantity {
    name: "CPU",
    unit: "µs/record",
};
/// A file that has not grown for so long will not grow any more.
const QUIET: Duration = Duration::from_secs(30);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until a file has so many lines, which are all of one length; the time at which the last one was
/// written, in ns since 1970. The kernel notes that in steps of a few ms. Meanwhile `progress` is told how
/// many there are.
fn last_line(path: &Path, count: u64, mut progress: Option<Progress>) -> anyhow::Result<u64> {
    let mut length = None;
    loop {
        rest();
        let Ok(metadata) = path.metadata() else {
            continue;
        };
        if length.is_none() {
            length = first_line(path)?;
        }
        let lines = length.map_or(0, |length| metadata.len() / length);
        if let Some(progress) = &mut progress {
            progress.reach(lines)?;
        }
        let modified = metadata.modified()?;
        if lines >= count {
            return Ok(modified.duration_since(UNIX_EPOCH)?.as_nanos() as u64);
        }
        let past = SystemTime::now().duration_since(modified);
        ensure!(
            past.is_ok_and(|past| past < QUIET),
            "{lines} lines of {count} records, and no more come"
        );
    }
}

/// The bytes of a file's first line, when it has one.
fn first_line(path: &Path) -> anyhow::Result<Option<u64>> {
    let mut line = String::new();
    BufReader::new(File::open(path)?).read_line(&mut line)?;
    Ok(line.ends_with('\n').then_some(line.len() as u64))
}

/// Waits for a moment before something is looked at again.
#[expect(
    clippy::disallowed_methods,
    reason = "neither a file nor a foreign program's port has an event to wait for"
)]
fn rest() {
    std::thread::sleep(LOOK_EVERY);
}

/// The end of a window at which its sender is told how many lines a file has.
fn progress(acks: &str) -> anyhow::Result<Option<Progress>> {
    Progress::open(&zmq::Context::new(), acks).map(Some)
}

/// Rate and CPU time of a program that writes what a sender sends into a file, which must be all.
fn into_file(
    sender: &Program,
    receiver: &Program,
    file: &Path,
    count: u64,
    progress: Option<Progress>,
) -> anyhow::Result<Vec<f64>> {
    let begin: u64 = sender.wait_for_number("begin")?;
    let before = receiver.cpu()?;
    let end = last_line(file, count, progress)?;
    Ok(figures(count, begin, end, receiver.cpu()? - before))
}

/// A rate and the CPU time of one.
fn figures(count: u64, begin: u64, end: u64, cpu: f64) -> Vec<f64> {
    let seconds = end.saturating_sub(begin) as f64 / 1e9;
    vec![count as f64 / seconds, cpu * 1e6 / count as f64]
}
