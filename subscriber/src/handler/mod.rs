//! Handlers: where records end.
//!
//! A handler is one file beside this one and one row in [`HANDLERS`]. Each has a thread of its own
//! that calls it in this order: `emit` and `flush` as the stream comes, `flush` also when it
//! pauses and at least once a second, `reopen` when asked to, and `close` once, at the end. After
//! [`Fault::Ended`] only `close` is called. Rendering is `format/`'s part. What every handler
//! promises is tested row by row in `conformance.rs`.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::config::options::Form;
use crate::format::Formatter;
use crate::item::{Item, Notice};
use crate::lane::Outlet;

pub mod console;
pub mod file;
pub mod memory;
pub mod seq;
mod outbox;
pub mod socket;
pub mod syslog;
pub mod smtp;
pub mod exec;
pub mod bus;
mod null;

/// A place where records end.
pub trait Handler: Send {
    /// What it is called in messages and statistics.
    fn name(&self) -> &str;
    /// Takes items in, in order. An error concerns this batch; the next one is given anyway.
    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault>;
    /// Writes out what was taken in.
    fn flush(&mut self) -> Result<(), Fault>;
    /// When `flush` is to be called at the latest, where that is sooner than in a second.
    fn due(&self) -> Option<Instant> {
        None
    }
    /// Makes sure, after a flush, that everything that was taken in survives the end of this
    /// program, and says whether it does. Asked of durable subscriptions.
    fn secure(&mut self) -> Result<bool, Fault> {
        Ok(true)
    }
    /// Whether it had enough before the last of what was emitted, which so is for another run.
    fn has_left_some(&self) -> bool {
        false
    }
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
    /// Records that were taken in and kept back on purpose.
    fn held_back(&self) -> u64 {
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
    /// The same, but the batch was taken in; what of it was not, [`Handler::dropped`] counts.
    Partly(io::Error),
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
            Fault::Io(error) | Fault::Partly(error) => error.fmt(f),
        }
    }
}

/// Says what an operator should know.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// What every handler is given beside its own options.
pub struct Setting {
    /// What it is called.
    pub name: String,
    /// The formatter that the configuration gives it.
    pub formatter: Option<Box<dyn Formatter>>,
    /// Whether joins and ends of senders are wanted, too.
    pub verbose: bool,
    /// For what it has to say while it runs.
    pub say: Say,
    /// Where the way to the handler is found that it hands records on to, once both are open.
    pub target: Arc<OnceLock<Outlet>>,
}

/// Makes a handler whose options have been read: opens its file, makes its connections. An error
/// says in one line what cannot be had and what to do.
pub type Opener = Box<dyn FnOnce(Setting) -> anyhow::Result<Box<dyn Handler>> + Send>;

/// A kind of handler.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// How configurations name it, and its options. Reading them opens nothing.
    pub forms: &'static [Form<Opener>],
}

/// Every kind of handler.
pub const HANDLERS: &[Row] = &[
    console::ROW,
    file::ROW,
    seq::ROW,
    memory::ROW,
    socket::ROW,
    syslog::ROW,
    smtp::ROW,
    exec::ROW,
    bus::ROW,
    null::ROW,
];

/// Whether a notice stands between the records, or only where joins and ends are asked for.
fn is_shown(notice: &Notice, verbose: bool) -> bool {
    verbose || !notice.is_routine()
}

/// Adds what `formatter` makes of an item; `false` for a notice that is not shown here.
fn render(formatter: &mut dyn Formatter, item: &Item, verbose: bool, out: &mut String) -> bool {
    match item {
        Item::Record(delivered) => formatter.format(&delivered.record, out),
        Item::Notice(notice) if is_shown(notice, verbose) => formatter.notice(notice, out),
        Item::Notice(_) => return false,
    }
    true
}

#[cfg(test)]
mod conformance;
