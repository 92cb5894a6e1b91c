//! One frame that is a record dict, JSON or msgpack, with no topic.
//!
//! This is what the handlers of Python's Logging Cookbook send, for ZeroMQ ("Subclassing
//! QueueHandler - a ZeroMQ example") and for NNG ("Subclass QueueHandler - a pynng example"). The
//! topic is the record's name.

use super::{Dialect, Malformed, MalformedKind, Reading};
use crate::codec::{self, Codec};
use crate::record::Record;
use crate::topic::Topic;

pub(super) const DIALECT: Dialect = Dialect {
    name: "bare dict",
    summary: "a record dict alone: the Logging Cookbook's handlers for ZeroMQ and NNG",
    prefixes: &[
        b"{", b"\x80", b"\x81", b"\x82", b"\x83", b"\x84", b"\x85", b"\x86", b"\x87", b"\x88",
        b"\x89", b"\x8a", b"\x8b", b"\x8c", b"\x8d", b"\x8e", b"\x8f", b"\xde", b"\xdf",
    ],
    recognise: |frames| matches!(frames, [body] if codec_of(body).is_some()),
    read,
};

fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    let body = frames.first().copied().unwrap_or_default();
    let (codec, record) = read_dict(body)?;
    named(codec, body, record)
}

/// A dict that was read, published under its name.
pub(super) fn named(codec: Codec, body: &[u8], record: Record) -> Result<Reading<'_>, Malformed> {
    let Some(name) = record.name() else {
        return Err(Malformed::new(
            MalformedKind::NoRecord,
            "a dict without a topic that has no name either",
        ));
    };
    Ok(Reading::Foreign {
        topic: Topic::for_name(name),
        record,
        dict: Some((codec, body)),
    })
}

/// How bytes are written that can be a dict: by their first one.
pub(super) fn codec_of(body: &[u8]) -> Option<Codec> {
    match body.first()? {
        b'{' => Some(codec::JSON),
        0x80..=0x8F | 0xDE | 0xDF => Some(codec::MSGPACK),
        _ => None,
    }
}

/// Reads bytes that should be a record's dict, whatever its name.
pub(super) fn read_dict(body: &[u8]) -> Result<(Codec, Record), Malformed> {
    let Some(codec) = codec_of(body) else {
        return Err(Malformed::new(
            MalformedKind::Dict,
            "neither a JSON object nor a msgpack map",
        ));
    };
    let record = codec.decode(body).map_err(|error| {
        Malformed::new(MalformedKind::Dict, format_args!("{}: {error}", codec.name))
    })?;
    if !record.has("message") && !record.has("msg") {
        return Err(Malformed::new(
            MalformedKind::NoRecord,
            "a dict that has neither message nor msg",
        ));
    }
    Ok((codec, record))
}
