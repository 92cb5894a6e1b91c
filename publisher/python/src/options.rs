//! What a Python program says about a publisher, as the publisher's own settings.
//!
//! Every problem is a `ValueError` that names the option, what was given and what could be.

use std::path::PathBuf;
use std::time::Duration;

use logbus_publisher::{Config, Delivery, DurableConfig, Endpoint, Fsync, Overflow, Tell};
use logbus_schemas::Topic;
use logbus_schemas::codec::{CODECS, Codec};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The arguments of `Core.open`, by name.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    endpoints: Vec<String>,
    codec: String,
    topic_prefix: Option<String>,
    queue_records: usize,
    queue_bytes: usize,
    overflow: String,
    block: f64,
    hold: f64,
    linger: f64,
    program: String,
    delivery: String,
    durable_endpoint: Option<String>,
    spool: Option<PathBuf>,
    spool_bytes: u64,
    window_messages: usize,
    window_bytes: usize,
    fsync: String,
    report: bool,
    key_file: Option<String>,
    server_key_file: Option<String>,
}

impl Options {
    pub(crate) fn resolve(&self) -> PyResult<Config> {
        let defaults = Config::default();
        Ok(Config {
            connect: self
                .endpoints
                .iter()
                .map(|text| text.parse::<Endpoint>())
                .collect::<Result<_, _>>()
                .map_err(|error| refused("endpoint", error))?,
            codec: self.codec()?,
            topic_prefix: self.topic_prefix()?,
            queue_records: at_least_one("queue_records", self.queue_records)?,
            queue_bytes: at_least_one("queue_bytes", self.queue_bytes)?,
            overflow: self.overflow()?,
            hold: seconds("hold", self.hold)?,
            linger: seconds("linger", self.linger)?,
            program: self.program.clone(),
            delivery: self.delivery()?,
            key_file: self.key_file.as_ref().map(PathBuf::from),
            server_key_file: self.server_key_file.as_ref().map(PathBuf::from),
            ..defaults
        })
    }

    fn delivery(&self) -> PyResult<Delivery> {
        match self.delivery.as_str() {
            "best-effort" if self.spool.is_some() => Err(refused(
                "spool",
                "a spool is for delivery=\"durable\" and means nothing without it",
            )),
            "best-effort" => Ok(Delivery::BestEffort),
            "durable" => self.durable().map(Delivery::Durable),
            other => Err(refused(
                "delivery",
                format!("{other:?} is none of best-effort, durable"),
            )),
        }
    }

    fn durable(&self) -> PyResult<DurableConfig> {
        let endpoint = self.durable_endpoint.as_deref().map(str::parse::<Endpoint>);
        Ok(DurableConfig {
            endpoint: endpoint
                .transpose()
                .map_err(|error| refused("durable_endpoint", error))?,
            window_messages: at_least_one("window_messages", self.window_messages)?,
            window_bytes: at_least_one("window_bytes", self.window_bytes)?,
            spool: self.spool.clone(),
            spool_bytes: at_least_one("spool_bytes", self.spool_bytes)?,
            fsync: self.fsync()?,
            tell: match self.report {
                true => Tell::stderr(),
                false => Tell::nobody(),
            },
        })
    }

    fn fsync(&self) -> PyResult<Fsync> {
        match self.fsync.as_str() {
            "always" => Ok(Fsync::Always),
            "interval" => Ok(Fsync::Interval),
            "never" => Ok(Fsync::Never),
            other => Err(refused(
                "fsync",
                format!("{other:?} is none of always, interval, never"),
            )),
        }
    }

    fn codec(&self) -> PyResult<Codec> {
        Codec::by_name(&self.codec).ok_or_else(|| {
            let known: Vec<&str> = CODECS.iter().map(|codec| codec.name).collect();
            refused(
                "codec",
                format!("{:?} is none of {}", self.codec, known.join(", ")),
            )
        })
    }

    fn topic_prefix(&self) -> PyResult<Option<Topic>> {
        let prefix = self.topic_prefix.as_deref().filter(|text| !text.is_empty());
        prefix
            .map(|text| Topic::new(text).map_err(|error| refused("topic_prefix", error)))
            .transpose()
    }

    fn overflow(&self) -> PyResult<Overflow> {
        match self.overflow.as_str() {
            "discard-newest" => Ok(Overflow::DiscardNewest),
            "discard-oldest" => Ok(Overflow::DiscardOldest),
            "block" => Ok(Overflow::Block(seconds("block", self.block)?)),
            other => Err(refused(
                "overflow",
                format!("{other:?} is none of discard-newest, discard-oldest, block"),
            )),
        }
    }
}

/// A time that Python gave in seconds.
pub(crate) fn seconds(option: &str, value: f64) -> PyResult<Duration> {
    // A year is for ever here, and infinity is welcome.
    const LONGEST: f64 = 366.0 * 24.0 * 60.0 * 60.0;
    if value.is_nan() || value < 0.0 {
        return Err(refused(
            option,
            format!("{value} is no time; give seconds, 0 or more"),
        ));
    }
    Ok(Duration::from_secs_f64(value.min(LONGEST)))
}

fn at_least_one<T: Default + PartialEq>(option: &str, value: T) -> PyResult<T> {
    if value == T::default() {
        return Err(refused(option, "0 is no bound; give 1 or more"));
    }
    Ok(value)
}

pub(crate) fn refused(option: &str, problem: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(format!("{option}: {problem}"))
}
