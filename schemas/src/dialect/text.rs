//! Lines of text: one record a message, for whatever prints over ZeroMQ or NNG.
//!
//! One frame is the text, two frames are a topic and the text. Nothing in a text tells that it is
//! one, so messages are read in this dialect only where they come in at a place that is for it.
//! The text is not looked into: no level, time or name is taken out of it.

use super::{Dialect, Malformed, MalformedKind, Reading};
use crate::level::Level;
use crate::record::Record;
use crate::topic::Topic;

/// The name of a record whose message has no topic.
const NAME: &str = "text";

pub(super) const DIALECT: Dialect = Dialect {
    name: "text",
    summary: "a line of text, or a topic and a line of text",
    prefixes: &[],
    recognise: |_| false,
    read,
};

fn read<'a>(frames: &[&'a [u8]]) -> Result<Reading<'a>, Malformed> {
    let (topic, body) = topic_and_body(frames)?;
    Ok(line(topic.as_deref().unwrap_or(NAME), body))
}

/// A line of text under a name.
pub(super) fn line(name: &str, body: &[u8]) -> Reading<'static> {
    Reading::Foreign {
        topic: Topic::for_name(name),
        record: Record::new(name, Level::INFO.0, &text_of(without_line_end(body))),
        dict: None,
    }
}

/// The topic, where there is one and it is not empty, and the body of a message.
pub(super) fn topic_and_body<'a>(
    frames: &[&'a [u8]],
) -> Result<(Option<String>, &'a [u8]), Malformed> {
    match *frames {
        [body] => Ok((None, body)),
        [b"", body] => Ok((None, body)),
        [topic, body] => Ok((Some(text_of(topic)), body)),
        _ => Err(Malformed::new(
            MalformedKind::Unrecognised,
            format_args!(
                "{} frames where a text, or a topic and a text, should be",
                frames.len()
            ),
        )),
    }
}

/// Bytes as text. What is not UTF-8 stands as `\xNN`, as Python's `backslashreplace` writes it.
pub(super) fn text_of(bytes: &[u8]) -> String {
    escaped(bytes, "\\x")
}

/// Bytes as text that may be JSON, in whose strings a backslash is written twice.
pub(super) fn json_text_of(bytes: &[u8]) -> String {
    escaped(bytes, "\\\\x")
}

fn escaped(bytes: &[u8], before: &str) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("{before}{byte:02x}"));
        }
    }
    text
}

/// A body without the end of its line.
pub(super) fn without_line_end(body: &[u8]) -> &[u8] {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    body.strip_suffix(b"\r").unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(frames: &[&[u8]], name: &str, message: &str) {
        let Ok(Reading::Foreign { topic, record, .. }) = read(frames) else {
            panic!("not read: {frames:?}")
        };
        assert_eq!(record, Record::new(name, 20, message));
        assert_eq!(topic.as_str(), name);
    }

    #[test]
    fn a_message_is_a_line() {
        check(&[b"disk full"], "text", "disk full");
        check(&[b"web.1", b"two\nlines\r\n"], "web.1", "two\nlines");
        check(
            &[b"", b"100% of {\"a\":1}\n\n"],
            "text",
            "100% of {\"a\":1}\n",
        );
        check(&[b""], "text", "");
    }

    #[test]
    fn what_is_no_utf_8_is_shown_and_kept() {
        check(&[b"caf\xE9 \xF0\x9F\x90\xA2"], "text", "caf\\xe9 🐢");
    }

    #[test]
    fn more_frames_are_no_line() {
        assert!(read(&[]).is_err());
        let malformed = read(&[b"a", b"b", b"c"]).unwrap_err();
        assert!(malformed.detail.starts_with("3 frames"), "{malformed}");
    }
}
