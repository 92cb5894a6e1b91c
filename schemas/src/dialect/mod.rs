//! Dialects: the ways in which senders put records on the wire.
//!
//! A dialect is one file beside this one and one row in [`DIALECTS`]. The rows stand in order of
//! precedence: the first that recognises a message reads it. A dialect whose messages say nothing
//! about themselves recognises none, and is named where they come in. Any bytes at all give a
//! [`Reading`] or a [`Malformed`] that says what is wrong; nothing is guessed and nothing panics.

use std::fmt;

use crate::codec::Codec;
use crate::record::Record;
use crate::topic::Topic;
use crate::wire::{Header, WireError};

mod native;
mod logbook;
mod bare_dict;
pub mod pyzmq;
mod topic_dict;
mod text;
mod rsyslog;
mod pickle;
pub mod seq;

mod syslog;
mod timestamp;

/// A way to put records on the wire.
pub struct Dialect {
    /// Its name in messages and statistics.
    pub name: &'static str,
    /// Who speaks it.
    pub summary: &'static str,
    /// What a message can begin with that does not begin with its topic. A subscriber subscribes
    /// to these as well as to its topics, and then filters by the topic that is inside.
    pub prefixes: &'static [&'static [u8]],
    recognise: fn(&[&[u8]]) -> bool,
    read: for<'a> fn(&[&'a [u8]]) -> Result<Reading<'a>, Malformed>,
}

/// Every dialect, in order of precedence.
pub const DIALECTS: &[Dialect] = &[
    native::DIALECT,
    logbook::DIALECT,
    bare_dict::DIALECT,
    pyzmq::DIALECT,
    topic_dict::DIALECT,
    text::DIALECT,
    rsyslog::DIALECT,
    pickle::DIALECT,
    seq::DIALECT,
];

/// What a message says.
#[derive(Debug)]
pub enum Reading<'a> {
    /// Native: the account of losses comes before its records, so they are still undecoded.
    Native {
        /// What it was published under.
        topic: Topic,
        /// Its header.
        header: Header,
        /// Its records, or the dict that names the sender.
        payload: &'a [u8],
    },
    /// One record of a sender that counts nothing.
    Foreign {
        /// What it was published under, or its logger's name.
        topic: Topic,
        /// The record.
        record: Record,
        /// Where the message holds the record as a dict: the codec and the dict's bytes.
        dict: Option<(Codec, &'a [u8])>,
    },
}

/// A message that no dialect can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong, for counting.
    pub kind: MalformedKind,
    /// What is wrong, for people.
    pub detail: String,
}

/// What can be wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MalformedKind {
    /// No dialect claims it.
    Unrecognised,
    /// It claims to be native and its topic or header is not.
    NativeHeader,
    /// It is native and its records cannot be read.
    NativePayload,
    /// It should be a dict and is none.
    Dict,
    /// It is a dict that is no record: no name or no message.
    NoRecord,
    /// It is larger than is taken in.
    Oversized,
}

impl fmt::Display for MalformedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            MalformedKind::Unrecognised => "unrecognised",
            MalformedKind::NativeHeader => "bad native header",
            MalformedKind::NativePayload => "bad native payload",
            MalformedKind::Dict => "bad dict",
            MalformedKind::NoRecord => "no record",
            MalformedKind::Oversized => "oversized",
        })
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

impl std::error::Error for Malformed {}

impl Malformed {
    pub(crate) fn new(kind: MalformedKind, detail: impl fmt::Display) -> Self {
        Self {
            kind,
            detail: detail.to_string(),
        }
    }
}

impl From<WireError> for Malformed {
    fn from(error: WireError) -> Self {
        let kind = match error {
            WireError::Payload(_) | WireError::Count { .. } => MalformedKind::NativePayload,
            _ => MalformedKind::NativeHeader,
        };
        Self::new(kind, error)
    }
}

/// A dialect is its row.
impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dialect {}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialect({})", self.name)
    }
}

/// The dialect of this name.
pub fn named(name: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().find(|dialect| dialect.name == name)
}

/// Reads a message in the first dialect that recognises it.
pub fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    match DIALECTS.iter().find(|dialect| (dialect.recognise)(frames)) {
        Some(dialect) => (dialect.read)(frames),
        None => Err(Malformed::new(
            MalformedKind::Unrecognised,
            format_args!(
                "{} frame(s) that are no native message, no dict, and no topic with a dict or a level; \
                 where lines of text come in, listen with text+ before the endpoint",
                frames.len()
            ),
        )),
    }
}

/// Reads a message that came where everything is in one dialect, or (`None`) any message.
pub fn read_in<'a>(
    dialect: Option<&Dialect>,
    frames: &[&'a [u8]],
) -> Result<Reading<'a>, Malformed> {
    match dialect {
        Some(dialect) => (dialect.read)(frames),
        None => read(frames),
    }
}

/// What messages can begin with that do not begin with their topic, over all dialects.
pub fn topicless_prefixes() -> impl Iterator<Item = &'static [u8]> {
    DIALECTS
        .iter()
        .flat_map(|dialect| dialect.prefixes.iter().copied())
}

/// The first bytes of a message as hexadecimal digits, for a notice.
pub fn preview(frames: &[&[u8]]) -> String {
    const SHOWN: usize = 24;
    let mut text = String::new();
    for (at, frame) in frames.iter().take(4).enumerate() {
        text.push_str(if at == 0 { "" } else { " | " });
        for byte in frame.iter().take(SHOWN) {
            text.push_str(&format!("{byte:02x}"));
        }
        if frame.len() > SHOWN {
            text.push_str(&format!("… ({} bytes)", frame.len()));
        }
    }
    text
}

#[cfg(test)]
mod tests;
