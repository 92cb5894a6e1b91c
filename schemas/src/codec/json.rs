//! The JSON codec: one object a record, with what Python's `json` module says beyond the standard.
//!
//! Any record survives, but for bytes and msgpack extensions, which JSON has not: they are written
//! as text. Bare `NaN`, `Infinity` and `-Infinity`, integers of any size and the order of keys are
//! read and written as Python does; of a key that comes twice, the last value stands in the first
//! place. A lone surrogate, which Python can escape (`\ud800`) and UTF-8 cannot hold, becomes the
//! six characters `\ud800` in the text, as Python's `backslashreplace` writes it. Raw control
//! characters within text are taken as they are, where Python's strict mode would refuse the whole
//! record. This is not a general JSON library: it knows records and their values only.

use super::sink::{Sink, put_map};
use super::{CodecError, CodecErrorKind};
use crate::record::Record;
use crate::value::{Map, Value};

mod read;
mod run;
mod skim;
mod write;

pub use write::Writer;

pub(super) use read::integer;
pub(super) use skim::{skim_record, value};
pub(super) use write::key_text;

/// Appends a record as one line: an object without white space, and a line feed.
pub fn encode_record(record: &Record, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    put_map(record.fields(), 1, &mut writer);
    writer.end_record();
}

/// Reads a record's dict and the white space around it. Says how many bytes that took.
pub fn decode_dict(bytes: &[u8]) -> Result<(Map, usize), CodecError> {
    let mut reader = read::Reader::new(bytes);
    reader.skip_space();
    let start = reader.position();
    if !reader.stands_at_object() {
        reader.value(&mut Value::Null)?;
        return Err(CodecError {
            kind: CodecErrorKind::NotADict,
            at: start,
        });
    }
    // A record has about one key for 24 bytes; room for more is made when there are more.
    let fields = reader.object((bytes.len() / 24).clamp(1, 24))?;
    reader.skip_space();
    Ok((fields, reader.position()))
}

#[cfg(test)]
mod tests;
