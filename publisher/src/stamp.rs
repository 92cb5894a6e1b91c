//! A record as this process makes it: with time, process and thread, as Python's `LogRecord` has
//! them.
//!
//! `created`, `msecs`, `process`, `processName`, `thread`, `threadName` get their values here.
//! What nobody knows (`relativeCreated`, a Python traceback) is left out.

use logbus_process as process;
use logbus_schemas::{Level, Record};

/// A record of this moment, process and thread. `name` is the logger's.
pub fn stamped(name: &str, level: i64, message: &str) -> Record {
    stamped_as(name, level, &Level(level).name(), message)
}

/// The same, where the level has a name of its own.
pub(crate) fn stamped_as(name: &str, level: i64, level_name: &str, message: &str) -> Record {
    let mut record = Record::new(name, level, message);
    record.set("levelname", level_name);
    let nanos = process::now();
    record.set("created", nanos as f64 / 1e9);
    record.set("msecs", (nanos / 1_000_000 % 1000) as f64);
    record.set("process", std::process::id());
    let thread = std::thread::current();
    if let Some(name) = thread.name() {
        record.set("threadName", name);
    }
    record
}
