//! Templates of Python, and what they are filled in with.

use crate::python::{brace, dollar, percent};
use crate::{Record, Value, codec};

/// A rendered message has at most this many bytes for each that came in, and [`ROOM`] besides.
const GROWTH: usize = 64;
const ROOM: usize = 1 << 20;

/// Bytes as a template and, behind its first line, the arguments in JSON. The template is refused
/// with a place in it, or is filled in; and what comes out is bounded.
pub fn templates(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (template, args) = bytes.split_at(end.unwrap_or(bytes.len()));
    let Ok(text) = std::str::from_utf8(template) else {
        return;
    };
    let places = [
        percent::Template::parse(text).err(),
        dollar::Template::parse(text).err(),
    ];
    for error in places.into_iter().flatten() {
        assert!(error.at <= text.len() && !error.problem.is_empty());
    }
    let args = codec::JSON.decode(args).unwrap_or_default().into_fields();
    check_brace(text, &Value::Map(args.clone()));
    check_message(text, Value::Map(args.clone()), bytes.len());
    let values = args.into_iter().map(|(_, value)| value).collect::<Vec<_>>();
    check_message(text, Value::List(values), bytes.len());
}

fn check_brace(text: &str, values: &Value) {
    let parts = match brace::Template::parse(text) {
        Ok(template) => template.parts,
        Err(error) => return assert!(error.at <= text.len() && !error.problem.is_empty()),
    };
    for part in parts {
        if let brace::Part::Field(field) = part
            && let Some(value) = field.find(values)
        {
            let mut out = String::new();
            if field.render(&value, &|_| Some(7), &mut out).is_err() {
                assert!(out.is_empty(), "refused, and yet {out:?}");
            }
        }
    }
}

fn check_message(template: &str, args: Value, given: usize) {
    let mut record = Record::new("a", 20, template);
    record.set("args", args);
    let message = record.get_message();
    assert!(
        message.len() <= GROWTH * given + ROOM,
        "{given} bytes became {}",
        message.len()
    );
}
