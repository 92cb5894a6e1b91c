//! Python's pickles, protocols 0 to 5, read as data.
//!
//! Nothing in a pickle is ever run or looked up: an instruction that would import or call becomes
//! a description of what it names. An object of a class is therefore the text
//! `<decimal.Decimal object>`, but for the few classes of Python's library whose value is plain
//! to see (`pickle/known.rs`). Any bytes give a value or an error, in time and memory bounded by
//! their length: what a pickle says once and refers to often is written out each time, and a
//! pickle that does so beyond [`MAX_REPEATED`] is refused.
//!
//! Three steps, a file each: `op.rs` splits the bytes into instructions (with `scalar.rs`),
//! `machine.rs` executes them on a stack of its own, and `build.rs` makes values of the outcome.
//! `write.rs` goes the other way, for plain data.

use super::{CodecError, CodecErrorKind};
use crate::record::Record;
use crate::value::Value;

mod build;
mod known;
mod machine;
mod op;
mod scalar;
mod write;

pub use write::encode;

/// How many values and bytes of text a pickle may make beyond its own length by referring again
/// and again to what it said once.
pub const MAX_REPEATED: usize = 1 << 20;

/// Reads bytes that are one pickle and nothing else.
pub fn decode(bytes: &[u8]) -> Result<Value, CodecError> {
    let end = machine::run(bytes)?;
    build::value(&end.nodes, end.top, bytes.len())
}

/// Reads a pickled dict, or a pickled object as the dict of its attributes: a `LogRecord` itself.
pub fn decode_record(bytes: &[u8]) -> Result<Record, CodecError> {
    let end = machine::run(bytes)?;
    let top = end.attributes_of(end.top).unwrap_or(end.top);
    match build::value(&end.nodes, top, bytes.len())? {
        Value::Map(fields) => Ok(Record::from(fields)),
        _ => Err(CodecError {
            kind: CodecErrorKind::NotADict,
            at: 0,
        }),
    }
}

#[cfg(test)]
mod tests;
