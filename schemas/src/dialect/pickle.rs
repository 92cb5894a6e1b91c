//! One frame that is a pickled record dict, or a JSON one in its place.
//!
//! This is what `logging.handlers.SocketHandler` of Python's library sends behind each length, and
//! what it sends when its `makePickle` is overridden to write JSON, as many projects do. Nothing
//! tells a pickle from other bytes for certain, so messages are read in this dialect only where
//! they come in at a place that is for it. The topic is the record's name.

use super::bare_dict::read_dict;
use super::{Dialect, Malformed, MalformedKind, Reading};
use crate::codec::pickle;
use crate::record::Record;
use crate::topic::Topic;

pub(super) const DIALECT: Dialect = Dialect {
    name: "pickle",
    summary: "a pickled record dict, or a JSON one: Python's SocketHandler",
    prefixes: &[],
    recognise: |_| false,
    read,
};

fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    let [body] = *frames else {
        return Err(Malformed::new(
            MalformedKind::Unrecognised,
            format_args!("{} frames instead of one", frames.len()),
        ));
    };
    // No pickle begins with a brace: it is no instruction.
    let (record, dict) = if body.trim_ascii_start().starts_with(b"{") {
        let body = body.trim_ascii();
        let (codec, record) = read_dict(body)?;
        (record, Some((codec, body)))
    } else {
        (read_pickle(body)?, None)
    };
    let Some(name) = record.name() else {
        return Err(Malformed::new(
            MalformedKind::NoRecord,
            "a dict that has no name",
        ));
    };
    Ok(Reading::Foreign {
        topic: Topic::for_name(name),
        record,
        dict,
    })
}

fn read_pickle(body: &[u8]) -> Result<Record, Malformed> {
    let record = pickle::decode_record(body)
        .map_err(|error| Malformed::new(MalformedKind::Dict, format_args!("pickle: {error}")))?;
    if !record.has("message") && !record.has("msg") {
        return Err(Malformed::new(
            MalformedKind::NoRecord,
            "a dict that has neither message nor msg",
        ));
    }
    Ok(record)
}
