//! Moving frames: one small interface over ZeroMQ and NNG sockets.
//!
//! This is the only crate that says `zmq` or `nng`. It knows endpoints, frames in and out, peers
//! that come and go, and subscriptions as bytes; it knows nothing of records or of what a frame
//! means. A socket is one of two things: an [`Inlet`], from which messages are received, or an
//! [`Outlet`], to which they are sent. Both never wait. A thread that owns sockets waits in one
//! place, [`wait()`], on all of them and on a [`Waker`] by which other threads can call it.
//!
//! A ZeroMQ socket that is secured ([`Security`]) lets in whom its [`Gate`] admits, gives each
//! subscriber what the gate grants, and says of each message who sent it ([`Message::user`]).
//!
//! Where both sides talk, a [`Caller`] (DEALER) connects to a [`Switchboard`] (ROUTER).
//!
//! A ZeroMQ message is some frames, an NNG message one: [`Outlet::multipart`] says which, and
//! whoever knows what the frames mean joins them.

mod endpoint;
mod message;
mod notices;
mod socket;
mod wait;
mod curve;
mod keyfile;
mod tls;
mod zmq;
mod unix;
mod door;
mod silence;
mod rates;
mod floods;
mod redial;
mod zap;
mod grants;
mod dialog;
mod nng;
mod nng_closing;
mod nng_tls;
mod sp;
#[cfg(any(test, feature = "memory"))]
pub mod memory;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod secured;
#[cfg(test)]
mod raw_peers;

pub use curve::{Gate, KEY_TEXT, KeyError, KeyPair, PublicKey, Security};
pub use dialog::{Caller, Peer, Switchboard, Told, Way};
pub use endpoint::{Endpoint, EndpointError};
pub use keyfile::KeyFileError;
pub use message::{Frame, Message};
pub use notices::Notices;
pub use rates::{Meter, Rate};
pub use socket::{
    Attachment, Error, ErrorKind, Flushed, Inlet, InletKind, Options, Outlet, OutletKind,
    PeerEvent, Sent, SubscriptionEvent, WhenFull, has_encryption, open_inlet, open_outlet,
};
pub use tls::Tls;
pub use wait::{PollSet, Waker, wait};
pub use zap::User;
