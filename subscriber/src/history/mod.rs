//! History: what a bus's journal has, read from its durable endpoint.
//!
//! `wanted.rs` resolves the flags, `connect.rs` greets, `client.rs` talks to the endpoint on a thread of its own,
//! `reading.rs` is what it knows of the read, without socket or clock, `intake.rs` is where the
//! decoding stage takes entries and live messages from one hand, with the seam between them, and
//! `progress.rs` is how handlers say what they have written safely. Credit is the only brake: entries
//! that nobody has done with are bounded in number and bytes, and a handler that is slow makes the
//! journal wait, never a publisher.

pub mod when;
pub mod wanted;
pub mod progress;
mod reading;
mod connect;
mod client;
pub mod intake;

pub use client::Running;
pub use connect::History;

#[cfg(test)]
pub(crate) mod tests;
