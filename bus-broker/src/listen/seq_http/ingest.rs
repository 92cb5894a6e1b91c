//! What the body of a request to Seq holds: events, and then messages for the hub.
//!
//! CLEF has an event a line, the classic form all of them in one object. The first event that is
//! none refuses the whole body and is named, by line or by number, because a client that is told
//! so can send the others. A message is a topic and a record as msgpack, in the dialect "topic and
//! dict". Nothing here knows of HTTP but the status that a refusal gets.

use hyper::StatusCode;
use logbus_schemas::codec::{JSON, MSGPACK};
use logbus_schemas::dialect::seq::{self, EventError};
use logbus_schemas::{Map, Record, Topic, Value};
use logbus_transport::{Frame, Message};

use super::Refusal;

/// Bytes of the largest body: Seq's own default.
pub(super) const MAX_BODY: usize = 10 << 20;
/// Bytes of the largest event: Seq's own default.
const MAX_EVENT: usize = 256 << 10;
/// Bytes of the records of one body. They are longer than their events, by their messages.
const MAX_RECORDS: usize = 4 * MAX_BODY;

/// How the events stand in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A line an event.
    Clef,
    /// `{"Events": [...]}`.
    Classic,
}

/// The messages of one body.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<Message>,
    pub(super) bytes: usize,
}

/// Reads a body. An empty one has no events, and clients send it to ask for the level.
pub(super) fn read(body: &[u8], form: Form) -> Result<Batch, Refusal> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Ok(Batch::default());
    }
    match form {
        Form::Clef => read_clef(body),
        Form::Classic => read_classic(body),
    }
}

fn read_clef(body: &[u8]) -> Result<Batch, Refusal> {
    let mut batch = Batch::default();
    for (at, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if !line.is_empty() {
            let place = || format!("line {}", at + 1);
            check_size(line.len(), place)?;
            let event = parse(line, place)?;
            batch.add(seq::clef(event), place)?;
        }
    }
    Ok(batch)
}

fn read_classic(body: &[u8]) -> Result<Batch, Refusal> {
    let mut batch = Batch::default();
    let whole = parse(body, || "the body".to_owned())?;
    let events = whole
        .into_iter()
        .find(|(key, _)| matches!(key.as_str(), "Events" | "events"));
    let Some((_, Value::List(events))) = events else {
        return Err(bad(
            "the body has no list of Events; CLEF needs the path /ingest/clef, ?clef, or the \
             content type application/vnd.serilog.clef",
        ));
    };
    for (at, event) in events.into_iter().enumerate() {
        let place = || format!("event {}", at + 1);
        let Value::Map(event) = event else {
            return Err(bad(format!("{} is no object", place())));
        };
        if body.len() > MAX_EVENT {
            check_size(written_size(&event), place)?;
        }
        batch.add(seq::classic(event), place)?;
    }
    Ok(batch)
}

impl Batch {
    fn add(
        &mut self,
        record: Result<Record, EventError>,
        place: impl Fn() -> String,
    ) -> Result<(), Refusal> {
        let record = record.map_err(|error| bad(format!("{}: {error}", place())))?;
        let topic = Topic::for_name(record.name().unwrap_or(seq::DEFAULT_NAME));
        let mut dict = Vec::new();
        MSGPACK.encode(&record, &mut dict);
        self.bytes += topic.as_str().len() + dict.len();
        if self.bytes > MAX_RECORDS {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the messages up to {} are too large together", place()),
            ));
        }
        let frames = [Frame::from(topic.as_str().as_bytes()), Frame::from(dict)];
        self.messages.push(frames.into_iter().collect());
        Ok(())
    }
}

fn parse(json: &[u8], place: impl Fn() -> String) -> Result<Map, Refusal> {
    let parsed = JSON.decode(json).map(Record::into_fields);
    parsed.map_err(|error| bad(format!("{}: JSON parsing failure: {error}", place())))
}

fn check_size(size: usize, place: impl Fn() -> String) -> Result<(), Refusal> {
    if size <= MAX_EVENT {
        return Ok(());
    }
    let place = place();
    Err(bad(format!(
        "{place}: an event of more than {MAX_EVENT} bytes"
    )))
}

/// About how long an event was that stood among others.
fn written_size(event: &Map) -> usize {
    let mut written = Vec::new();
    JSON.encode(&Record::from(event.clone()), &mut written);
    written.len()
}

fn bad(error: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-20T20:44:18Z";

    #[track_caller]
    fn count(body: impl AsRef<[u8]>, form: Form) -> usize {
        read(body.as_ref(), form).unwrap().messages.len()
    }

    #[track_caller]
    fn refusal(body: impl AsRef<[u8]>, form: Form) -> (u16, String) {
        let refusal = read(body.as_ref(), form).unwrap_err();
        (refusal.status.as_u16(), refusal.error)
    }

    #[test]
    fn clef_is_an_event_a_line() {
        let event = format!("{{\"@t\":\"{TIME}\"}}");
        assert_eq!(count("", Form::Clef), 0);
        assert_eq!(count(&event, Form::Clef), 1);
        assert_eq!(
            count(format!("\u{feff}{event}\r\n\r\n{event}\n"), Form::Clef),
            2
        );
        let (status, error) = refusal(format!("{event}\n{event}\n{{}}\n"), Form::Clef);
        assert_eq!(
            (status, error.as_str()),
            (400, "line 3: missing `@t` timestamp")
        );
        assert!(
            refusal(b"{hello!}", Form::Clef)
                .1
                .starts_with("line 1: JSON parsing failure")
        );
    }

    #[test]
    fn the_classic_form_is_one_object() {
        let event = format!("{{\"Timestamp\":\"{TIME}\"}}");
        assert_eq!(count(" \r\n", Form::Classic), 0);
        assert_eq!(
            count(format!("{{\"Events\":[{event},{event}]}}"), Form::Classic),
            2
        );
        assert_eq!(count("{\"events\":[]}", Form::Classic), 0);
        assert_eq!(
            refusal(format!("{{\"Events\":[{event},{{}}]}}"), Form::Classic).1,
            "event 2: missing `Timestamp` timestamp"
        );
        assert_eq!(
            refusal("{\"Events\":[5]}", Form::Classic).1,
            "event 1 is no object"
        );
        assert!(refusal(&event, Form::Classic).1.contains("/ingest/clef"));
    }

    #[test]
    fn an_event_has_a_largest_size() {
        let event = |length| format!("{{\"@t\":\"{TIME}\",\"X\":\"{}\"}}", "X".repeat(length));
        assert_eq!(count(event(MAX_EVENT - 1_000), Form::Clef), 1);
        assert_eq!(refusal(event(MAX_EVENT), Form::Clef).0, 400);
        let classic = |length| {
            format!(
                "{{\"Events\":[{{\"Timestamp\":\"{TIME}\",\"Exception\":\"{}\"}}]}}",
                "X".repeat(length)
            )
        };
        assert_eq!(count(classic(MAX_EVENT - 1_000), Form::Classic), 1);
        assert_eq!(refusal(classic(MAX_EVENT), Form::Classic).0, 400);
    }

    #[test]
    fn short_events_cannot_grow_without_bounds() {
        let long = "x".repeat(1_000);
        let line = format!(
            "{{\"@t\":\"{TIME}\",\"@mt\":\"{}\",\"a\":\"{long}\"}}\n",
            "{a}".repeat(1_000)
        );
        let body = line.repeat(1_000);
        assert!(body.len() < MAX_BODY);
        assert_eq!(refusal(body, Form::Clef).0, 413);
    }
}
