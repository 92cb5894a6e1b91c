//! Publishing panics: the last words of a thread, with its backtrace.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use logbus_schemas::Record;

use crate::publisher::Publisher;
use crate::stamp::stamped;

/// How long a panicking thread waits for its last words to go out.
const FLUSH: Duration = Duration::from_secs(1);

/// From now on publishes every panic as a CRITICAL record named `panic`, with the backtrace as
/// `exc_text`, and then does what was done before.
pub fn publish_panics(publisher: Arc<Publisher>) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        publisher.publish(&record_of(info));
        publisher.flush(FLUSH);
        before(info);
    }));
}

fn record_of(info: &PanicHookInfo<'_>) -> Record {
    let message = info
        .payload_as_str()
        .unwrap_or("panic with a payload that is no text");
    let mut record = stamped("panic", 50, message);
    let mut place = String::from("an unknown place");
    if let Some(location) = info.location() {
        record.set("pathname", location.file());
        record.set("lineno", location.line());
        place = location.to_string();
    }
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed").to_owned();
    let backtrace = Backtrace::force_capture();
    record.set(
        "exc_text",
        format!("thread '{thread}' panicked at {place}:\n{message}\nstack backtrace:\n{backtrace}"),
    );
    record
}
