//! What flows from decoding to the handlers: records and notices, in one stream.

use std::fmt;
use std::sync::Arc;

use logbus_schemas::dialect::MalformedKind;
use logbus_schemas::wire::{SenderId, ledger};
use logbus_schemas::{Level, Record, Topic, Value};

/// One thing in the stream.
#[derive(Debug, Clone)]
pub enum Item {
    /// A record.
    Record(Arc<Delivered>),
    /// Something a reader should know besides.
    Notice(Notice),
}

/// Some items, shared by every handler's queue.
pub type Batch = Arc<[Item]>;

/// A record with what is known of its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// The record.
    pub record: Record,
    /// What it was published under.
    pub topic: Topic,
    /// Who numbered it, and how; nobody where it came straight from a foreign sender.
    pub origin: Option<(SenderId, u64)>,
    /// Who that is, as far as it was known when the record came.
    pub sender: Option<Arc<ledger::Sender>>,
    /// By how many ns the clock of whoever numbered it is behind ours, as far as that was known
    /// when the record came; below 0 when it is ahead.
    pub offset: Option<i64>,
    /// When it came, in ns since 1970-01-01 00:00 UTC.
    pub received: u64,
}

impl Delivered {
    /// The host that the sender runs on, where it has said so.
    pub fn host(&self) -> Option<&str> {
        let identity = self.sender.as_ref()?.identity.as_ref()?;
        Some(identity.host.as_str()).filter(|host| !host.is_empty())
    }
}

/// A notice, from the account of losses or from this program.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// What the account of losses says.
    Ledger(ledger::Notice),
    /// A message that could not be read.
    Malformed {
        /// What kind of fault.
        kind: MalformedKind,
        /// How many since the last such notice, this one included.
        count: u64,
        /// The fault, the endpoint and the first bytes of one of them.
        detail: String,
    },
    /// Messages that came faster than they could be decoded.
    ReceiverFull {
        /// How many were dropped.
        messages: u64,
    },
    /// Records that this handler had no room for.
    Behind {
        /// How many were skipped.
        records: u64,
    },
    /// Records that this handler could not write and had to drop.
    Unwritten {
        /// How many were dropped.
        records: u64,
    },
    /// Records that a filter held back to spare the reader.
    HeldBack {
        /// How many.
        records: u64,
        /// Why, as a reader should see it: `more than 100 a second of myapp.db`.
        why: String,
    },
}

impl Notice {
    /// Whether this is part of an orderly day.
    pub fn is_routine(&self) -> bool {
        matches!(self, Notice::Ledger(notice) if notice.is_routine())
    }

    /// The notice as a record of the logger `logbus`, for handlers that have nothing but records.
    /// `now` is in ns since 1970-01-01 00:00 UTC.
    pub fn to_record(&self, now: u64) -> Record {
        let level = if self.is_routine() {
            Level::INFO
        } else {
            Level::WARNING
        };
        let mut record = Record::new("logbus", level.0, &self.to_string());
        record.set("created", now as f64 / 1e9);
        record.set("args", Value::Null);
        record
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Ledger(notice) => notice.fmt(f),
            Notice::Malformed {
                kind,
                count: 1,
                detail,
            } => write!(f, "message discarded: {kind}: {detail}"),
            Notice::Malformed {
                kind,
                count,
                detail,
            } => write!(f, "{count} messages discarded: {kind}, for one: {detail}"),
            Notice::ReceiverFull { messages } => write!(
                f,
                "this subscriber was too slow: {} dropped",
                plural(*messages, "message")
            ),
            Notice::Behind { records } => write!(
                f,
                "this handler was too slow: {} skipped",
                plural(*records, "record")
            ),
            Notice::Unwritten { records } => write!(
                f,
                "this file could not be written: {} dropped",
                plural(*records, "record")
            ),
            Notice::HeldBack { records, why } => {
                write!(f, "{} held back: {why}", plural(*records, "record"))
            }
        }
    }
}

fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
