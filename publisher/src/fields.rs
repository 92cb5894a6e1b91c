//! What the `log` and `tracing` integrations share: how a call's place and fields become the bytes
//! of a record.
//!
//! A call is written straight into the codec's writer: building a [`logbus_schemas::Record`] first
//! would cost the caller more than all the rest. What a thread needs for that it keeps for its next
//! call ([`Desk`]).

use std::cell::Cell;
use std::error::Error;
use std::fmt::{self, Write};

use logbus_schemas::codec::sink::{self, Sink};
use logbus_schemas::codec::{self, json, msgpack};
use logbus_schemas::record::ATTRIBUTES;
use logbus_schemas::{Map, Value};

use crate::publisher::Publisher;
use crate::sender;
use crate::stamp::Stamp;

/// A call of a logging macro.
pub(crate) struct Call<'a> {
    pub(crate) target: &'a str,
    pub(crate) level: (i64, &'static str),
    pub(crate) module: Option<&'a str>,
    pub(crate) file: Option<&'a str>,
    pub(crate) line: Option<u32>,
    pub(crate) message: fmt::Arguments<'a>,
    /// What was said besides. Its keys are no attributes, but for `exc_text`.
    pub(crate) extras: Map,
}

impl Call<'_> {
    /// Publishes it under its target: `a::b` is the logger `a.b`, as Python writes names.
    pub(crate) fn publish(&self, publisher: &Publisher) {
        let mut desk = Desk::take();
        desk.note(self);
        publisher.publish_written(&desk.name, |codec, bytes| {
            if codec == codec::JSON {
                self.put(&desk, &mut json::Writer::new(bytes));
            } else {
                self.put(&desk, &mut msgpack::Writer::new(bytes));
            }
        });
        desk.keep();
    }

    fn put(&self, desk: &Desk, sink: &mut impl Sink) {
        let stamp = Stamp::now();
        let thread = desk.thread.as_deref();
        let optional = usize::from(thread.is_some())
            + 2 * usize::from(self.file.is_some())
            + usize::from(self.line.is_some())
            + usize::from(self.module.is_some());
        sink.begin_map(7 + optional + self.extras.len());
        let (number, name) = self.level;
        put_text(sink, "name", &desk.name);
        put_text(sink, "msg", self.message.as_str().unwrap_or(&desk.message));
        put_text(sink, "levelname", name);
        put_int(sink, "levelno", number);
        put_float(sink, "created", stamp.created);
        put_float(sink, "msecs", stamp.msecs);
        put_int(sink, "process", stamp.process.into());
        if let Some(thread) = thread {
            put_text(sink, "threadName", thread);
        }
        if let Some(file) = self.file {
            put_text(sink, "pathname", file);
            put_text(
                sink,
                "filename",
                last_part(file, |c| c == b'/' || c == b'\\'),
            );
        }
        if let Some(line) = self.line {
            put_int(sink, "lineno", line.into());
        }
        if let Some(module) = self.module {
            put_text(sink, "module", last_part(module, |c| c == b':'));
        }
        for (key, value) in self.extras.iter() {
            sink.key(key);
            sink::put(value, 1, sink);
        }
        sink.end_map();
        sink.end_record();
    }
}

fn put_text(sink: &mut impl Sink, key: &'static str, value: &str) {
    sink.key(key);
    sink.text(value);
}

fn put_int(sink: &mut impl Sink, key: &'static str, value: i64) {
    sink.key(key);
    sink.int(value);
}

fn put_float(sink: &mut impl Sink, key: &'static str, value: f64) {
    sink.key(key);
    sink.float(value);
}

/// What stands behind the last separator, which is an ASCII character.
fn last_part(text: &str, is_separator: impl Fn(u8) -> bool) -> &str {
    let before = text.bytes().rposition(is_separator);
    before.map_or(text, |at| &text[at + 1..])
}

/// Texts of a thread's latest call, whose memory serves for the next, and the thread's name: asking
/// the standard library touches a counter that threads share.
#[derive(Default)]
struct Desk {
    target: String,
    /// The logger that the target is.
    name: String,
    message: String,
    thread: Option<Box<str>>,
}

thread_local! {
    static DESK: Cell<Option<Box<Desk>>> = const { Cell::new(None) };
}

/// The longest message whose memory a thread keeps.
const KEPT_MESSAGE: usize = 64 << 10;

impl Desk {
    /// The thread's own; another one where there is none yet, where writing a message logs in its
    /// turn, and in a thread that is ending.
    fn take() -> Box<Self> {
        let own = DESK.try_with(Cell::take).unwrap_or_default();
        own.unwrap_or_else(|| {
            let thread = std::thread::current().name().map(Into::into);
            Box::new(Self {
                thread,
                ..Self::default()
            })
        })
    }

    fn note(&mut self, call: &Call<'_>) {
        if self.target != call.target {
            call.target.clone_into(&mut self.target);
            self.name = call.target.replace("::", ".");
        }
        if call.message.as_str().is_none() {
            self.message.clear();
            // A value that fails to show itself has shown what it could.
            self.message.write_fmt(call.message).ok();
        }
    }

    fn keep(self: Box<Self>) {
        if self.message.capacity() <= KEPT_MESSAGE {
            DESK.try_with(|kept| kept.set(Some(self))).ok();
        }
    }
}

/// Sets an extra. What Python itself sets is not a caller's to change, so such a key gets an
/// underscore behind it.
pub(crate) fn set_extra(extras: &mut Map, key: &str, value: impl Into<Value>) {
    if ATTRIBUTES.contains(&key) {
        extras.set(format!("{key}_"), value);
    } else {
        extras.set(key, value);
    }
}

/// Sets an error: its text as an extra, and itself with what caused it as `exc_text`.
pub(crate) fn set_error(extras: &mut Map, key: &str, error: &(dyn Error + 'static)) {
    set_extra(extras, key, error.to_string());
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\ncaused by: {error}"));
        cause = error.source();
    }
    extras.set("exc_text", text);
}

/// Whether this is the sender's own thread. What is logged there must not be published: it would
/// feed itself.
pub(crate) fn is_senders_own() -> bool {
    sender::IS_OWN.get()
}

/// A record as a publisher's subscribers read it.
#[cfg(test)]
pub(crate) fn record_of(call: &Call<'_>) -> logbus_schemas::Record {
    let (mut desk, mut bytes) = (Desk::take(), Vec::new());
    desk.note(call);
    call.put(&desk, &mut msgpack::Writer::new(&mut bytes));
    codec::MSGPACK.decode(&bytes).unwrap()
}
