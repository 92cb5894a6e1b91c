//! Subscriptions at a secured publishing socket, each granted by hand.
//!
//! A subscription message at an XPUB carries the user id of its connection, and with
//! `ZMQ_XPUB_MANUAL` it does nothing before the owner says what it shall do: subscribe the pipe of the
//! message that was read last. So each subscriber gets what the gate grants of what it asked for.
//!
//! libzmq 4.3.4 has two faults there (src/xpub.cpp), and both are kept away from here:
//! - A pipe that has ended can be subscribed, and is used after it was freed (fixed by its pull request
//!   4137). A connection that is lost is told of by the monitor before its pipe can end, so the door
//!   is asked before each grant.
//! - A message that is no subscription moves the pairing of messages and pipes by one, so that a grant
//!   would go to another's pipe. No subscriber has reason to send one. Whoever does is put out; what
//!   comes behind it gets nothing until the queue was seen empty, which mends the pairing, and is put
//!   out as well, so that it comes again and asks again.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::Arc;

use ::zmq::Socket;

use crate::curve::{Gate, PublicKey};
use crate::door::Door;
use crate::message::Message;
use crate::notices::Notices;
use crate::socket::{Error, SubscriptionEvent};
use crate::zap::User;
use crate::zmq::broken;

/// The kinds of notices that are told from here.
const CUT: &str = "subscribers cut";

pub(crate) struct Grants {
    gate: Arc<dyn Gate>,
    notices: Notices,
    max_subscriptions: usize,
    /// The connection that has, or had last, this descriptor.
    connections: HashMap<RawFd, Connection>,
    /// Whether messages and pipes are out of step.
    is_shifted: bool,
}

struct Connection {
    serial: u64,
    key: PublicKey,
    /// What it asked for, and what it got of that.
    asked: HashMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl Grants {
    pub(crate) fn new(gate: Arc<dyn Gate>, notices: Notices, max_subscriptions: usize) -> Self {
        Self {
            gate,
            notices,
            max_subscriptions,
            connections: HashMap::new(),
            is_shifted: false,
        }
    }

    /// Nothing was left to read.
    pub(crate) fn empty(&mut self) {
        self.is_shifted = false;
    }

    /// Takes in a message that was just read from `socket`.
    pub(crate) fn hear(
        &mut self,
        mut message: Message,
        socket: &Socket,
        door: &mut Door,
    ) -> Result<Vec<SubscriptionEvent>, Error> {
        let user = message.user();
        let first = message.first_mut();
        let descriptor = first.and_then(|frame| frame.descriptor());
        let frames = message.slices();
        let asked = match &*frames {
            [first] => first.split_first(),
            _ => None,
        };
        let (Some(user), Some(descriptor)) = (user, descriptor) else {
            // The end of a pipe has neither: its subscriptions end, one message each.
            return Ok(match asked {
                Some((0, prefix)) => vec![SubscriptionEvent::Removed(prefix.to_vec())],
                _ => Vec::new(),
            });
        };
        match asked {
            Some((1, prefix)) => self.ask(user, descriptor, prefix, socket, door),
            Some((0, prefix)) => self.take_back(user, descriptor, prefix, socket, door),
            _ => {
                self.is_shifted = true;
                self.cut(descriptor, door, &user, "it sends what is no subscription");
                Ok(self.hidden(user, descriptor, &frames))
            }
        }
    }

    /// Puts out whoever has subscriptions that the gate would decide otherwise now.
    pub(crate) fn reconsider(&mut self, door: &mut Door) -> Result<(), Error> {
        let mut changed = Vec::new();
        for (descriptor, connection) in &self.connections {
            let is_out = self.gate.admit(&connection.key).is_err();
            let mut asked = connection.asked.iter();
            if is_out || asked.any(|(prefix, got)| self.gate.grant(&connection.key, prefix) != *got)
            {
                changed.push(*descriptor);
            }
        }
        for descriptor in changed {
            let Some(connection) = self.connections.remove(&descriptor) else {
                continue;
            };
            let user = User {
                connection: connection.serial,
                key: connection.key,
            };
            if !door.is_lost(connection.serial, descriptor)? {
                self.cut(descriptor, door, &user, "its rights have changed");
            }
        }
        Ok(())
    }

    fn ask(
        &mut self,
        user: User,
        descriptor: RawFd,
        prefix: &[u8],
        socket: &Socket,
        door: &mut Door,
    ) -> Result<Vec<SubscriptionEvent>, Error> {
        let is_lost = door.is_lost(user.connection, descriptor)?;
        let (is_shifted, max) = (self.is_shifted, self.max_subscriptions);
        let gate = self.gate.clone();
        let Some(connection) = self.connection(user, descriptor) else {
            return Ok(vec![SubscriptionEvent::Added(prefix.to_vec())]);
        };
        if connection.asked.contains_key(prefix) {
            return Ok(Vec::new());
        }
        let is_full = connection.asked.len() >= max;
        let mut got = Vec::new();
        if !is_lost && !is_shifted && !is_full {
            got = gate.grant(&user.key, prefix);
            for granted in &got {
                socket.set_subscribe(granted).map_err(broken)?;
            }
        }
        connection.asked.insert(prefix.to_vec(), got);
        if is_full {
            self.cut(descriptor, door, &user, "it has too many subscriptions");
        } else if is_shifted && !is_lost {
            self.cut(
                descriptor,
                door,
                &user,
                "another client broke the order; it may come again",
            );
        }
        Ok(vec![SubscriptionEvent::Added(prefix.to_vec())])
    }

    fn take_back(
        &mut self,
        user: User,
        descriptor: RawFd,
        prefix: &[u8],
        socket: &Socket,
        door: &mut Door,
    ) -> Result<Vec<SubscriptionEvent>, Error> {
        let is_lost = door.is_lost(user.connection, descriptor)?;
        let is_shifted = self.is_shifted;
        let Some(connection) = self.connection(user, descriptor) else {
            return Ok(Vec::new());
        };
        let Some(got) = connection.asked.remove(prefix) else {
            return Ok(Vec::new());
        };
        if is_shifted && !is_lost {
            self.cut(
                descriptor,
                door,
                &user,
                "another client broke the order; it may come again",
            );
        } else if !is_lost {
            // Two wishes may have been granted the same part.
            for part in &got {
                let mut kept = connection.asked.values().flatten();
                if !kept.any(|kept| kept == part) {
                    socket.set_unsubscribe(part).map_err(broken)?;
                }
            }
        }
        Ok(vec![SubscriptionEvent::Removed(prefix.to_vec())])
    }

    /// Subscriptions behind the first frame of a message that begins with none: libzmq has entered
    /// them and will report their end.
    fn hidden(
        &mut self,
        user: User,
        descriptor: RawFd,
        frames: &[&[u8]],
    ) -> Vec<SubscriptionEvent> {
        let Some(connection) = self.connection(user, descriptor) else {
            return Vec::new();
        };
        let mut events = Vec::new();
        for frame in frames.iter().skip(1) {
            match frame.split_first() {
                Some((1, prefix))
                    if connection
                        .asked
                        .insert(prefix.to_vec(), Vec::new())
                        .is_none() =>
                {
                    events.push(SubscriptionEvent::Added(prefix.to_vec()));
                }
                Some((0, prefix)) if connection.asked.remove(prefix).is_some() => {
                    events.push(SubscriptionEvent::Removed(prefix.to_vec()));
                }
                _ => {}
            }
        }
        events
    }

    /// The connection; `None` when a later one has its descriptor.
    fn connection(&mut self, user: User, descriptor: RawFd) -> Option<&mut Connection> {
        let fresh = || Connection {
            serial: user.connection,
            key: user.key,
            asked: HashMap::new(),
        };
        let connection = self.connections.entry(descriptor).or_insert_with(fresh);
        if connection.serial < user.connection {
            *connection = fresh();
        }
        (connection.serial == user.connection).then_some(connection)
    }

    fn cut(&self, descriptor: RawFd, door: &Door, user: &User, why: &str) {
        door.put_out(descriptor);
        self.notices.tell(CUT, || {
            format!("subscriber with the key {} cut: {why}", user.key)
        });
    }
}
