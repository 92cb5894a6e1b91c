//! Senders at a listening ZeroMQ socket that send more than their rate: cut, and what came beyond it
//! dropped.
//!
//! What a connection had sent before it was cut still lies in the socket, and its descriptor may be
//! another's by then. So a connection is known by its number at the door, the owner of a key by the
//! key, and nobody is put out whose connection is not the one that sent.

use std::os::fd::RawFd;

use crate::curve::PublicKey;
use crate::door::Door;
use crate::message::Message;
use crate::rates::Rates;
use crate::socket::{Error, Options};
use crate::zap::User;
use crate::zmq::Opened;

/// What is known of who sent something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sender {
    Key(PublicKey),
    /// The number of the connection at the door; 0 where it has gone already.
    Connection(RawFd, u64),
}

pub(crate) struct Floods {
    rates: Rates<Sender>,
}

impl Floods {
    /// `None` where senders have no rate, or nobody listens.
    pub(crate) fn new(opened: &Opened, options: &Options) -> Option<Self> {
        opened.door.as_ref()?;
        let places: Vec<String> = opened.endpoints.iter().map(ToString::to_string).collect();
        let rates = Rates::new(options.max_rate, &options.notices, places.join(","))?;
        Some(Self { rates })
    }

    /// Whether a message that was just received is within its sender's rate. If not, its sender is
    /// put out.
    pub(crate) fn lets_pass(
        &mut self,
        message: &mut Message,
        door: &mut Door,
    ) -> Result<bool, Error> {
        let bytes = message.len_bytes();
        // Without keys a peer can say of itself that it is anybody.
        let user = door.has_zap().then(|| message.user()).flatten();
        let Some(descriptor) = message.first_mut().and_then(|frame| frame.descriptor()) else {
            return Ok(true);
        };
        let number = door.number(descriptor);
        let sender = match user {
            Some(user) => Sender::Key(user.key),
            None => Sender::Connection(descriptor, number.unwrap_or(0)),
        };
        if self.rates.admits(sender, || name(user), bytes) {
            return Ok(true);
        }
        let is_there = match user {
            Some(user) => !door.is_lost(user.connection, descriptor)?,
            None => number.is_some(),
        };
        if is_there {
            door.put_out(descriptor);
        }
        Ok(false)
    }
}

fn name(user: Option<User>) -> String {
    match user {
        Some(user) => format!("client with the key {}", user.key),
        None => "client".to_owned(),
    }
}
