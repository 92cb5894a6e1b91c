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
mod seq;
mod scripts;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::ensure;

use crate::contest::{Contest, Quantity};
use crate::program::Program;

/// Every contest, in the order of the table.
pub(crate) const CONTESTS: &[Contest] = &[
    cookbook_file::CONTEST,
    native_file::CONTEST,
    broker::CONTEST,
    batches::CONTEST,
    topics::CONTEST,
    seq::CONTEST,
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
/// A file that has not grown for so long is complete.
const QUIET: Duration = Duration::from_millis(500);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until a file has its last line; the time at which it was written, in ns since 1970. The
/// kernel notes that in steps of a few ms.
fn last_line(path: &Path) -> anyhow::Result<u64> {
    loop {
        rest();
        let Ok(metadata) = path.metadata() else {
            continue;
        };
        let modified = metadata.modified()?;
        let is_quiet = SystemTime::now()
            .duration_since(modified)
            .is_ok_and(|past| past >= QUIET);
        if is_quiet && metadata.len() > 0 {
            return Ok(modified.duration_since(UNIX_EPOCH)?.as_nanos() as u64);
        }
    }
}

/// Waits for a moment before something is looked at again.
#[expect(
    clippy::disallowed_methods,
    reason = "neither a file nor a foreign program's port has an event to wait for"
)]
fn rest() {
    std::thread::sleep(LOOK_EVERY);
}

/// Lines of a file.
fn lines(path: &Path) -> anyhow::Result<u64> {
    let bytes = std::fs::read(path)?;
    Ok(bytes.iter().filter(|byte| **byte == b'\n').count() as u64)
}

/// Rate and CPU time of a program that writes what a sender sends into a file, which must be all.
fn into_file(
    sender: &Program,
    receiver: &Program,
    file: &Path,
    count: u64,
) -> anyhow::Result<Vec<f64>> {
    let begin: u64 = sender.wait_for_number("begin")?;
    let before = receiver.cpu()?;
    sender.wait_for("sent")?;
    let end = last_line(file)?;
    let cpu = receiver.cpu()? - before;
    let written = lines(file)?;
    ensure!(written == count, "{written} lines of {count} records");
    Ok(figures(count, begin, end, cpu))
}

/// A rate and the CPU time of one.
fn figures(count: u64, begin: u64, end: u64, cpu: f64) -> Vec<f64> {
    let seconds = end.saturating_sub(begin) as f64 / 1e9;
    vec![count as f64 / seconds, cpu * 1e6 / count as f64]
}
