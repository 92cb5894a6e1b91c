//! Two frames: a topic and a record dict, JSON or msgpack.

use super::bare_dict::{codec_of, read_dict};
use super::{Dialect, Malformed, MalformedKind, Reading};
use crate::codec::Codec;
use crate::record::Record;
use crate::topic::Topic;

pub(super) const DIALECT: Dialect = Dialect {
    name: "topic and dict",
    summary: "a topic frame and a record dict: hand-made PUB handlers",
    prefixes: &[],
    recognise: |frames| matches!(frames, [_, body] if codec_of(body).is_some()),
    read,
};

fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    let [topic, body] = *frames else {
        return Err(Malformed::new(
            MalformedKind::Unrecognised,
            "not two frames",
        ));
    };
    let text = std::str::from_utf8(topic)
        .map_err(|_| Malformed::new(MalformedKind::NoRecord, "a topic that is not UTF-8"))?;
    let (record, dict) = read_under(text, body)?;
    Ok(Reading::Foreign {
        topic: Topic::for_name(text),
        record,
        dict,
    })
}

/// Reads a record dict that may leave its name to the topic; and where nothing had to be added,
/// the dict's bytes say the same.
pub(super) fn read_under<'a>(
    topic: &str,
    body: &'a [u8],
) -> Result<(Record, Option<(Codec, &'a [u8])>), Malformed> {
    let (codec, mut record) = read_dict(body)?;
    if record.name().is_some() {
        return Ok((record, Some((codec, body))));
    }
    record.set("name", topic);
    Ok((record, None))
}
