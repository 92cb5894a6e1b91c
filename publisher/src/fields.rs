//! What the `log` and `tracing` integrations share: how a call's place and fields become a
//! record's attributes and extras.

use std::error::Error;

use logbus_schemas::record::ATTRIBUTES;
use logbus_schemas::{Record, Value};

use crate::sender;
use crate::stamp::stamped_as;

/// Where in the source a call stands.
pub(crate) struct Place<'a> {
    pub(crate) target: &'a str,
    pub(crate) module: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
    pub(crate) line: Option<u32>,
}

/// A record of a call: `a::b` is the logger `a.b`, as Python writes names.
pub(crate) fn record(place: &Place<'_>, (level, level_name): (i64, &str), message: &str) -> Record {
    let mut record = stamped_as(&dotted(place.target), level, level_name, message);
    if let Some(file) = place.file {
        record.set("pathname", file);
        record.set("filename", file.rsplit(['/', '\\']).next().unwrap_or(file));
    }
    if let Some(line) = place.line {
        record.set("lineno", line);
    }
    if let Some(module) = place.module {
        record.set("module", module.rsplit("::").next().unwrap_or(module));
    }
    record
}

/// Sets an extra. What Python itself sets is not a caller's to change, so such a key gets an
/// underscore behind it.
pub(crate) fn set_extra(record: &mut Record, key: &str, value: impl Into<Value>) {
    if ATTRIBUTES.contains(&key) {
        record.set(format!("{key}_"), value);
    } else {
        record.set(key, value);
    }
}

/// Sets an error: its text as an extra, and itself with what caused it as `exc_text`.
pub(crate) fn set_error(record: &mut Record, key: &str, error: &(dyn Error + 'static)) {
    set_extra(record, key, error.to_string());
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\ncaused by: {error}"));
        cause = error.source();
    }
    record.set("exc_text", text);
}

/// Whether this is the sender's own thread. What is logged there must not be published: it would
/// feed itself.
pub(crate) fn is_senders_own() -> bool {
    std::thread::current().name() == Some(sender::THREAD_NAME)
}

fn dotted(target: &str) -> String {
    target.replace("::", ".")
}
