//! Publishing what the `log` macros say.
//!
//! ```no_run
//! use logbus_publisher::{Config, Publisher, log::Logger};
//! use std::sync::Arc;
//!
//! let publisher = Arc::new(Publisher::new(Config::default())?);
//! Logger::new(publisher).install(log::LevelFilter::Info)?;
//! log::info!(user = "fred"; "logged in");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The target is the record's name (`a::b` is `a.b`), the message its `msg`, and file, line and
//! module have Python's names. Key-values are extras; an error is `exc_text` as well.

use std::sync::Arc;
use std::time::Duration;

use log::kv::{Error, Key, Value as LogValue, VisitSource, VisitValue};
use log::{Level, LevelFilter, Log, Metadata, SetLoggerError};
use logbus_schemas::{Map, Value};

use crate::fields::{Call, is_senders_own, set_error, set_extra};
use crate::publisher::Publisher;

/// How long `log::logger().flush()` waits.
const FLUSH: Duration = Duration::from_secs(1);

/// A logger for the `log` crate.
pub struct Logger {
    publisher: Arc<Publisher>,
}

impl Logger {
    /// A logger that publishes with this publisher.
    pub fn new(publisher: Arc<Publisher>) -> Self {
        Self { publisher }
    }

    /// Makes this the program's logger, from this level on.
    pub fn install(self, level: LevelFilter) -> Result<(), SetLoggerError> {
        log::set_boxed_logger(Box::new(self))?;
        log::set_max_level(level);
        Ok(())
    }
}

impl Log for Logger {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        !is_senders_own()
    }

    fn log(&self, call: &log::Record<'_>) {
        if !is_senders_own() {
            call_of(call).publish(&self.publisher);
        }
    }

    fn flush(&self) {
        self.publisher.flush(FLUSH);
    }
}

fn call_of<'a>(call: &log::Record<'a>) -> Call<'a> {
    let mut extras = Map::default();
    // A source that fails in the middle has given what it could.
    drop(call.key_values().visit(&mut Extras(&mut extras)));
    Call {
        target: call.target(),
        level: match call.level() {
            Level::Error => (40, "ERROR"),
            Level::Warn => (30, "WARNING"),
            Level::Info => (20, "INFO"),
            Level::Debug => (10, "DEBUG"),
            Level::Trace => (5, "TRACE"),
        },
        module: call.module_path(),
        file: call.file(),
        line: call.line(),
        message: *call.args(),
        extras,
    }
}

/// Puts key-values among the extras.
struct Extras<'a>(&'a mut Map);

impl<'kvs> VisitSource<'kvs> for Extras<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: LogValue<'kvs>) -> Result<(), Error> {
        if let Some(error) = value.to_borrowed_error() {
            set_error(self.0, key.as_str(), error);
            return Ok(());
        }
        value.visit(Extra {
            key: key.as_str(),
            extras: self.0,
        })
    }
}

struct Extra<'a> {
    key: &'a str,
    extras: &'a mut Map,
}

impl Extra<'_> {
    fn set(&mut self, value: impl Into<Value>) -> Result<(), Error> {
        set_extra(self.extras, self.key, value);
        Ok(())
    }
}

impl<'v> VisitValue<'v> for Extra<'_> {
    fn visit_any(&mut self, value: LogValue<'_>) -> Result<(), Error> {
        self.set(value.to_string())
    }

    fn visit_null(&mut self) -> Result<(), Error> {
        self.set(Value::Null)
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), Error> {
        self.set(value)
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), Error> {
        self.set(value)
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), Error> {
        self.set(value)
    }

    fn visit_i128(&mut self, value: i128) -> Result<(), Error> {
        self.set(value)
    }

    fn visit_u128(&mut self, value: u128) -> Result<(), Error> {
        self.set(value)
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), Error> {
        self.set(value)
    }

    fn visit_str(&mut self, value: &str) -> Result<(), Error> {
        self.set(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::record_of;

    #[test]
    fn a_call_becomes_a_record_with_pythons_names() {
        let pairs = [
            ("user", LogValue::from("fred")),
            ("name", LogValue::from(7)),
        ];
        let call = log::Record::builder()
            .target("app::db")
            .module_path(Some("app::db::pool"))
            .file(Some("src/db/pool.rs"))
            .line(Some(12))
            .level(Level::Warn)
            .key_values(&pairs)
            .args(format_args!("pool is full"))
            .build();
        let record = record_of(&call_of(&call));
        assert_eq!(record.name(), Some("app.db"));
        assert_eq!(record.get_message(), "pool is full");
        assert_eq!(record.level_name().as_deref(), Some("WARNING"));
        assert_eq!(record.text("filename"), Some("pool.rs"));
        assert_eq!(record.get("lineno"), Some(&Value::from(12)));
        assert_eq!(record.text("user"), Some("fred"));
        assert_eq!(record.get("name_"), Some(&Value::from(7)));
    }

    #[test]
    fn an_error_is_shown_with_what_caused_it() {
        let cause = std::io::Error::other("no space");
        let error = std::io::Error::other(cause);
        let error: &(dyn std::error::Error + 'static) = &error;
        let pairs = [("error", LogValue::from_dyn_error(error))];
        let call = log::Record::builder()
            .key_values(&pairs)
            .args(format_args!("x"))
            .build();
        let record = record_of(&call_of(&call));
        assert!(
            record
                .text("exc_text")
                .is_some_and(|text| text.starts_with("no space"))
        );
    }
}
