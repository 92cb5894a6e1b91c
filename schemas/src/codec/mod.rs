//! Codecs: how a record becomes bytes and bytes a record.
//!
//! A codec is one file beside this one and one row in [`CODECS`]; its number stands in the header
//! of a native message. Any bytes at all decode to a record or to an error, in time and memory
//! bounded by their length. Nothing here knows of topics or senders.

use std::fmt;

use crate::outline::{Outline, Places, Skimmed};
use crate::record::Record;
use crate::value::{Map, ValueRef};

pub mod json;
pub mod msgpack;
pub mod pickle;

pub mod sink;

/// How deep lists and dicts may be nested in one another, in both codecs.
pub const MAX_DEPTH: usize = 128;

/// A way to write records as bytes.
#[derive(Clone, Copy)]
pub struct Codec {
    /// Its number in the header of a native message.
    pub id: u8,
    /// Its name in options and messages.
    pub name: &'static str,
    encode: fn(&Record, &mut Vec<u8>),
    pub(crate) reading: &'static Reading,
}

/// How a codec's bytes are read.
pub(crate) struct Reading {
    /// Reads the record at the start of the bytes, and says how many of them it took.
    pub(crate) decode: fn(&[u8]) -> Result<(Map, usize), CodecError>,
    /// Reads it through and notes where its attributes stand; `None` where `decode` has something to
    /// say against it.
    pub(crate) skim: for<'a> fn(&'a [u8], &mut Places) -> Option<Skimmed<'a>>,
    /// What the bytes of one value are.
    pub(crate) value: fn(&[u8]) -> ValueRef<'_>,
}

/// UTF-8 JSON, an object a line, with the bare `NaN`, `Infinity` and `-Infinity` of Python's
/// `json` module.
pub const JSON: Codec = Codec {
    id: 0,
    name: "json",
    encode: json::encode_record,
    reading: &Reading {
        decode: json::decode_dict,
        skim: json::skim_record,
        value: json::value,
    },
};

/// Msgpack, a map a record.
pub const MSGPACK: Codec = Codec {
    id: 1,
    name: "msgpack",
    encode: msgpack::encode_record,
    reading: &Reading {
        decode: msgpack::decode_dict,
        skim: msgpack::skim_record,
        value: msgpack::value,
    },
};

/// Every codec.
pub const CODECS: &[Codec] = &[JSON, MSGPACK];

impl Codec {
    /// The codec of this number.
    pub fn by_id(id: u8) -> Option<Codec> {
        CODECS.iter().copied().find(|codec| codec.id == id)
    }

    /// The codec of this name.
    pub fn by_name(name: &str) -> Option<Codec> {
        CODECS.iter().copied().find(|codec| codec.name == name)
    }

    /// Appends one record as it stands in a payload: a JSON object with a line feed after it, or
    /// a msgpack map.
    pub fn encode(&self, record: &Record, out: &mut Vec<u8>) {
        (self.encode)(record, out);
    }

    /// Reads bytes that are one record and nothing else (JSON: but for white space around it).
    pub fn decode(&self, bytes: &[u8]) -> Result<Record, CodecError> {
        let (record, used) = self.read(bytes)?;
        if used < bytes.len() {
            return Err(CodecError {
                kind: CodecErrorKind::Trailing,
                at: used,
            });
        }
        Ok(record)
    }

    /// Reads the records of a payload, one after the other. After an error there are no more:
    /// where the next record begins is not known then.
    pub fn decode_all<'a>(
        &self,
        payload: &'a [u8],
    ) -> impl Iterator<Item = Result<Record, CodecError>> + use<'a> {
        let codec = *self;
        let mut at = 0;
        std::iter::from_fn(move || {
            if at >= payload.len() {
                return None;
            }
            match codec.read(&payload[at..]) {
                Ok((record, used)) => {
                    at += used;
                    Some(Ok(record))
                }
                Err(error) => {
                    let error = CodecError {
                        at: at + error.at,
                        ..error
                    };
                    at = payload.len();
                    Some(Err(error))
                }
            }
        })
    }
}

impl Codec {
    /// Reads the record at the start of the bytes, and says how many of them it took.
    fn read(&self, bytes: &[u8]) -> Result<(Record, usize), CodecError> {
        if let Some((outline, used)) = Outline::read(self.reading, bytes) {
            return Ok((Record::from(outline), used));
        }
        let (fields, used) = (self.reading.decode)(bytes)?;
        Ok((Record::from(fields), used))
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Codec {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// Why bytes are not a record, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecError {
    /// What is wrong.
    pub kind: CodecErrorKind,
    /// At which byte, counted from 0.
    pub at: usize,
}

/// What can be wrong with bytes that should be a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecErrorKind {
    /// They end too early.
    Truncated,
    /// They are not the codec's syntax.
    Syntax,
    /// A text is not UTF-8.
    NotUtf8,
    /// Lists and dicts are nested more than [`MAX_DEPTH`] deep.
    TooDeep,
    /// They are a value, but no dict.
    NotADict,
    /// Something stands behind the record.
    Trailing,
    /// What was said once is referred to too often.
    Repetitive,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            CodecErrorKind::Truncated => "ends too early",
            CodecErrorKind::Syntax => "bad syntax",
            CodecErrorKind::NotUtf8 => "text that is not UTF-8",
            CodecErrorKind::TooDeep => "nested more than 128 deep",
            CodecErrorKind::NotADict => "not a dict",
            CodecErrorKind::Trailing => "something behind the record",
            CodecErrorKind::Repetitive => "refers too often to what it said once",
        };
        write!(f, "{what} at byte {}", self.at)
    }
}

impl std::error::Error for CodecError {}
