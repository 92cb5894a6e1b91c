//! The broker: many publishers to many subscribers, over ZeroMQ and NNG at once.
//!
//! ```no_run
//! use logbus_broker::{Broker, Config};
//! use std::time::Duration;
//!
//! let broker = Broker::start(Config::default())?;
//! for endpoint in broker.subscribers() {
//!     println!("subscribers connect to {endpoint}");
//! }
//! let summary = broker.close(Duration::from_secs(1));
//! println!("{summary}");
//! # Ok::<(), logbus_transport::Error>(())
//! ```
//!
//! A message's way through this crate, one file a step: `hub.rs` receives it, `translate.rs` makes
//! a foreign one native, `fanout.rs` sends it to whoever wants it; `demand.rs` carries what
//! subscribers want back to the publishers. One thread does all of that and never waits for
//! anybody: what a subscriber does not take in time, that subscriber loses, and sees that it did.
#![forbid(unsafe_code)]

mod config;
mod entrance;
mod journal;
mod durable;
mod rights;
mod exposure;
mod listen;
mod broker;
mod hub;
mod translate;
mod fanout;
mod pyzmq;
mod tap;
mod demand;
mod reject;
mod stats;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use broker::Broker;
pub use config::{
    Config, DEFAULT_NNG_PUBLISHERS, DEFAULT_NNG_SUBSCRIBERS, DEFAULT_PUBLISHERS,
    DEFAULT_SUBSCRIBERS, Secured,
};
pub use durable::{DEFAULT_DURABLE, DurableConfig, ask_consumers};
pub use entrance::Entrance;
pub use exposure::{Exposed, exposed};
pub use journal::{
    BadLimit, ConsumerInfo, Damage, Fsync, JournalConfig, JournalCounts, JournalError, Keep,
    Limits, Offline, TopicInfo, Verified, parse_age, parse_size,
};
pub use listen::{ApiKey, EmptyKey, LISTENERS, ListenConfig, Listener, Trouble};
pub use reject::RejectFile;
pub use rights::{ClientsError, Rights, Side, SideGate};
pub use stats::Summary;
pub use tap::{Inbound, Taker, Tap, tap};
