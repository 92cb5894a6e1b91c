//! The subscriber's side: from the socket to the reader.
//!
//! A message's way through this crate, one file a step: `receive.rs` takes it off the socket
//! (`attach.rs` has found the bus, or is it), `decode.rs` makes records and notices of it,
//! `dispatch.rs` finds the handlers that should have them, `lane.rs` is a handler's own queue with
//! its level and filters, `format/` renders them and `handler/` writes them. Between the steps are
//! bounded queues, so that a slow handler never holds up the receiver; what does not fit is
//! counted and told.
#![forbid(unsafe_code)]

pub mod cli;
pub mod manual;
pub mod config;
pub mod keys;
pub mod attach;
pub mod receive;
pub mod item;
pub mod glob;
pub mod levels;
pub mod decode;
pub mod dispatch;
pub mod lane;
pub mod query;
pub mod filter;
pub mod format;
pub mod handler;
pub mod view;
pub mod stats;
pub mod history;
pub mod install;
pub mod pipeline;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
