//! Publishing log records from inside a worker process, without ever making it wait.
//!
//! ```no_run
//! use logbus_publisher::{Config, Publisher, stamped};
//! use std::time::Duration;
//!
//! let publisher = Publisher::new(Config::default())?;
//! let mut record = stamped("myapp.db", 20, "pool is ready");
//! record.set("pool", "replica-2");
//! publisher.publish(&record);
//! let report = publisher.shutdown(Duration::from_secs(1));
//! assert_eq!(report.left, 0);
//! # Ok::<(), logbus_publisher::Error>(())
//! ```
//!
//! A record's way through this crate, one file a step: [`Publisher::publish`] encodes it and puts
//! it into a bounded queue (`queue.rs`); one thread (`sender.rs`) waits for a subscriber, takes
//! what is there, numbers it and sends it. What cannot be sent is counted by reason, and every
//! subscriber is told. With [`Delivery::Durable`] the same thread sends (`durable/mod.rs`) to a broker
//! that acknowledges what it has on disk. After a `fork` the child begins anew by itself (`logbus-process`).
#![forbid(unsafe_code)]

pub mod config;
mod publisher;
mod queue;
mod chunk;
mod sender;
mod subscriptions;
mod durable;
mod spool;
mod stats;
mod stamp;
#[cfg(any(feature = "log", feature = "tracing"))]
mod fields;
#[cfg(feature = "log")]
pub mod log;
#[cfg(feature = "tracing")]
pub mod tracing;
pub mod panic;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use config::{Config, Overflow};
pub use durable::{DEFAULT_DURABLE_ENDPOINT, Delivery, Drained, DurableConfig, Fsync, Tell, drain};
pub use logbus_transport::{Endpoint, Error};
pub use publisher::Publisher;
pub use stamp::stamped;
pub use stats::{Adopted, Reason, Report, Stats};
