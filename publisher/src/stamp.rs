//! When and where a record was made: time, process and thread, as Python's `LogRecord` has them.
//!
//! `created`, `msecs`, `process` and `threadName` get their values here.
//! What nobody knows (`relativeCreated`, a Python traceback) is left out.

use logbus_process as process;
use logbus_schemas::Record;

/// A record of this moment, process and thread. `name` is the logger's.
pub fn stamped(name: &str, level: i64, message: &str) -> Record {
    let mut record = Record::new(name, level, message);
    let stamp = Stamp::now();
    record.set("created", stamp.created);
    record.set("msecs", stamp.msecs);
    record.set("process", stamp.process);
    if let Some(name) = std::thread::current().name() {
        record.set("threadName", name);
    }
    record
}

/// A moment in a process.
pub(crate) struct Stamp {
    pub(crate) created: f64,
    pub(crate) msecs: f64,
    pub(crate) process: u32,
}

impl Stamp {
    pub(crate) fn now() -> Self {
        let nanos = process::now();
        Self {
            created: nanos as f64 / 1e9,
            msecs: (nanos / 1_000_000 % 1000) as f64,
            process: process::id(),
        }
    }
}
