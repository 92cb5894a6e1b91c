//! Handlers: where records end.
//!
//! A handler is one file beside this one and one row in [`HANDLERS`]. Each has a thread of its own
//! that calls it in this order: `emit` and `flush` as the stream comes, `flush` also when it
//! pauses and at least once a second, `reopen` when asked to, and `close` once, at the end. After
//! [`Fault::Ended`] only `close` is called. Rendering is `format/`'s part. What every handler
//! promises is tested row by row in `conformance.rs`.

use std::fmt;
use std::io;

use crate::config::Config;
use crate::format::visible;
use crate::item::{Item, Notice};

pub mod console;
pub mod file;

/// A place where records end.
pub trait Handler: Send {
    /// What it is called in messages and statistics.
    fn name(&self) -> &str;
    /// Takes items in, in order. An error concerns this batch; the next one is given anyway.
    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault>;
    /// Writes out what was taken in.
    fn flush(&mut self) -> Result<(), Fault>;
    /// Opens its file anew, if it has one.
    fn reopen(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    /// Writes out what is left; nothing is emitted afterwards.
    fn close(&mut self) -> Result<(), Fault>;
    /// Records that were taken in and could never be written.
    fn dropped(&self) -> u64 {
        0
    }
}

/// What can go wrong.
#[derive(Debug)]
pub enum Fault {
    /// Nobody reads any more: a pipe was closed. A clean end.
    Ended,
    /// Something else, told to the operator.
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Fault::Ended
        } else {
            Fault::Io(error)
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Ended => f.write_str("nobody reads any more"),
            Fault::Io(error) => error.fmt(f),
        }
    }
}

/// A kind of handler.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// Makes one, if the configuration asks for it.
    pub build: fn(&Config) -> anyhow::Result<Option<Box<dyn Handler>>>,
}

/// Every kind of handler.
pub const HANDLERS: &[Row] = &[console::ROW, file::ROW];

/// Every handler that the configuration asks for.
pub fn build_all(config: &Config) -> anyhow::Result<Vec<Box<dyn Handler>>> {
    let mut handlers = Vec::new();
    for row in HANDLERS {
        handlers.extend((row.build)(config)?);
    }
    Ok(handlers)
}

/// Whether a notice stands between the records, or only where joins and ends are asked for.
fn is_shown(notice: &Notice, verbose: bool) -> bool {
    verbose || !notice.is_routine()
}

/// A notice as it stands between records: one line, although it quotes what senders say of
/// themselves.
fn notice_text(notice: &Notice) -> String {
    let mut text = String::new();
    visible::on_one_line(&format!("-- {notice} --"), &mut text);
    text
}

#[cfg(test)]
mod conformance;
