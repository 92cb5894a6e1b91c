//! Durable delivery: a record is sent again until a broker has it on disk.
//!
//! It takes the place of the PUB sockets: the sender's thread (`sender.rs`) takes from the same
//! queue, numbers and joins records in the same way, and hands the messages to a courier
//! (`courier/mod.rs`). That has them written to the spool where there is one (`publisher/src/spool/`),
//! keeps what was sent in a window (`window.rs`) until it is acknowledged, and speaks with the broker
//! over a link (`link.rs`). When window or spool are full it takes nothing more, so that the queue's
//! own policy decides. [`drain()`] is a courier without a publisher: it sends what dead ones left.

mod config;
mod window;
mod link;
mod courier;
mod drain;
mod sender;

pub use config::{DEFAULT_DURABLE_ENDPOINT, Delivery, DurableConfig, Fsync, Tell};
pub use drain::{Drained, drain};

pub(crate) use sender::spawn;
