//! Dialogs: DEALER and ROUTER sockets of ZeroMQ, where both sides talk.
//!
//! A [`Caller`] is one side of one dialog and connects; a [`Switchboard`] has the other side of many,
//! and knows each caller as a [`Peer`] for as long as its connection stands. Neither ever waits, and
//! neither drops anything: what has no room is given back.
//!
//! A ROUTER knows its peers by an identity that a peer may choose, so that one could wait for another's
//! to be free and hear what was meant for that one. A secured switchboard therefore knows a peer by its
//! connection as well, and sends nothing to one whose connection is known to be lost.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::zmq::{POLLIN, POLLOUT, Socket, SocketType};

use crate::curve::{Gate, Security};
use crate::endpoint::Endpoint;
use crate::message::{Frame, Message};
use crate::notices::Notices;
use crate::redial::Redial;
use crate::socket::{Attachment, Error, Flushed, Options, PeerEvent, Sent};
use crate::wait::PollSet;
use crate::zap::User;
use crate::zmq::{Opened, Standing, Went, broken, monitor, peer_events, send};

/// The kind of the notices that are told from here.
const CUT: &str = "callers cut";

/// A caller, as its switchboard knows it. One that connects again is another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    identity: Box<[u8]>,
    /// Where the switchboard is secured.
    connection: Option<Connection>,
}

/// A connection of a secured socket, and the descriptor that it has, or had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Connection {
    user: User,
    descriptor: RawFd,
}

/// By which connection a message came in to a switchboard that is not secured, which does not know its
/// peers by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    descriptor: RawFd,
    /// Of the connection at the door.
    number: u64,
}

impl Peer {
    /// Who it is, at a secured switchboard.
    pub fn user(&self) -> Option<User> {
        self.connection.map(|connection| connection.user)
    }
}

/// What became of a message to a peer.
#[derive(Debug)]
#[must_use]
#[allow(
    clippy::large_enum_variant,
    reason = "a refused message is given back as it was, unboxed"
)]
pub enum Told {
    /// The socket has it.
    Taken,
    /// The peer takes what it was sent more slowly than it comes: try again later.
    Busy(Message),
    /// The peer is gone.
    Gone,
}

/// The side that connects. It goes on dialling when the connection breaks.
pub struct Caller {
    /// Where the socket is not secured; else the connection is watched by its own.
    monitor: Option<Socket>,
    opened: Opened,
    standing: Standing,
}

impl Caller {
    /// A caller that dials there.
    pub fn open(endpoint: &Endpoint, options: &Options) -> Result<Self, Error> {
        let mut opened = Opened::new(SocketType::DEALER, false, options)?;
        let monitor = match opened.redial {
            Some(_) => None,
            None => Some(monitor(&opened)?),
        };
        opened.attach(&[Attachment::Connect(endpoint.clone())])?;
        Ok(Self {
            monitor,
            opened,
            standing: Standing::default(),
        })
    }

    /// Sends, or gives the message back. While there is no connection, what has room is held; what
    /// was sent when a connection breaks may be lost.
    pub fn send(&mut self, message: Message) -> Result<Sent, Error> {
        Ok(match send(&mut self.opened.socket, message)? {
            Went::Taken => Sent::Taken,
            Went::Busy(message) | Went::NoSuchPeer(message) => Sent::Busy(message),
        })
    }

    /// The next message, or `None` when there is none just now.
    pub fn receive(&mut self) -> Result<Option<Message>, Error> {
        self.opened.receive()
    }

    /// What the connection did since the last call, oldest first.
    pub fn peer_events(&mut self) -> Vec<PeerEvent> {
        match (&self.monitor, &mut self.opened.redial) {
            (Some(monitor), _) => peer_events(monitor, &mut self.standing),
            (None, Some(redial)) => redial.take_events(),
            (None, None) => Vec::new(),
        }
    }

    /// Adds what [`crate::wait()`] must watch to see a message or the connection come and, where
    /// that is awaited, room for sending.
    pub fn poll<'a>(&'a self, set: &mut PollSet<'a>, is_room_awaited: bool) {
        let awaited = match is_room_awaited {
            true => POLLIN | POLLOUT,
            false => POLLIN,
        };
        set.add_zmq(&self.opened.socket, awaited);
        self.opened.poll_door(set);
        if self.opened.redial.as_ref().is_some_and(Redial::has_events) {
            // Receiving has heard of them, and nothing else will come that tells so.
            set.wake_by(Instant::now());
        }
        if let Some(monitor) = &self.monitor {
            set.add_zmq(monitor, POLLIN);
        }
    }

    /// Sends what was taken and closes, within `linger`.
    pub fn close(self, linger: Duration) -> Flushed {
        drop(self.monitor);
        self.opened.close(linger)
    }
}

/// The side that listens.
pub struct Switchboard {
    opened: Opened,
    /// Who may come in, where it is secured.
    gate: Option<Arc<dyn Gate>>,
    notices: Notices,
    /// The connection that was heard last by each descriptor, where it is secured.
    heard: HashMap<RawFd, User>,
}

impl Switchboard {
    /// A switchboard that listens there.
    pub fn open(endpoints: &[Endpoint], options: &Options) -> Result<Self, Error> {
        let mut opened = Opened::new(SocketType::ROUTER, true, options)?;
        // Without it what is sent to nobody is silently dropped.
        opened.socket.set_router_mandatory(true).map_err(broken)?;
        let endpoints = endpoints.iter().cloned();
        let attachments: Vec<Attachment> = endpoints.map(Attachment::Bind).collect();
        opened.attach(&attachments)?;
        let gate = match &options.security {
            Some(Security::Server { gate, .. }) => Some(gate.clone()),
            _ => None,
        };
        Ok(Self {
            opened,
            gate,
            notices: options.notices.clone(),
            heard: HashMap::new(),
        })
    }

    /// The next message and who sent it, or `None` when there is none just now.
    pub fn receive(&mut self) -> Result<Option<(Peer, Message)>, Error> {
        while let Some(message) = self.opened.receive()? {
            let mut frames = message.into_frames();
            // A ROUTER puts the peer's identity before each message (zmq_socket(3)).
            let Some(identity) = frames.next().map(|frame| Box::from(&*frame)) else {
                continue;
            };
            let mut message: Message = frames.collect();
            let connection = match &self.gate {
                None => None,
                Some(gate) => match connection(&mut message) {
                    Some(known) if gate.admit(&known.user.key).is_ok() => Some(known),
                    // What came in before its key was taken away.
                    Some(known) => {
                        self.cut(known, "it may not come in any more");
                        continue;
                    }
                    None => continue,
                },
            };
            if let Some(Connection { user, descriptor }) = connection {
                let last = self.heard.entry(descriptor).or_insert(user);
                // What a connection said last may be read when another one has its descriptor.
                if last.connection < user.connection {
                    *last = user;
                }
            }
            let peer = Peer {
                identity,
                connection,
            };
            return Ok(Some((peer, message)));
        }
        Ok(None)
    }

    /// Sends to one peer, or gives the message back. That a busy peer is gone shows once everything
    /// that it said was received.
    pub fn send(&mut self, peer: &Peer, message: Message) -> Result<Told, Error> {
        if self.is_lost(peer) {
            return Ok(Told::Gone);
        }
        let identity = std::iter::once(Frame::from(&*peer.identity));
        let message = identity.chain(message.into_frames()).collect();
        Ok(match send(&mut self.opened.socket, message)? {
            Went::Taken => Told::Taken,
            Went::NoSuchPeer(_) => Told::Gone,
            Went::Busy(message) => Told::Busy(message.into_frames().skip(1).collect()),
        })
    }

    /// Whether the connection of a peer is known to have ended. libzmq tells of that before it begins
    /// to free the identity, for which its threads must speak with one another twice; another peer that
    /// waits for the identity does not get what is sent right after this said no.
    fn is_lost(&mut self, peer: &Peer) -> bool {
        let (Some(connection), Some(door)) = (peer.connection, &mut self.opened.door) else {
            return false;
        };
        door.has_lost(connection.user.connection, connection.descriptor)
    }

    /// By which connection a message came in, so that its sender can be put out; `None` where that is
    /// gone, and at a secured switchboard, which knows without.
    pub fn way(&mut self, message: &mut Message) -> Option<Way> {
        let door = self.opened.door.as_mut().filter(|_| self.gate.is_none())?;
        let descriptor = message.first_mut()?.descriptor()?;
        let number = door.number_now(descriptor)?;
        Some(Way { descriptor, number })
    }

    /// Ends the connection of a peer, which came in this way; it may come again.
    pub fn put_out(&mut self, peer: &Peer, way: Option<Way>, why: &str) {
        if let Some(connection) = peer.connection {
            self.cut(connection, why);
        } else if let (Some(Way { descriptor, number }), Some(door)) = (way, &mut self.opened.door)
            && door.number_now(descriptor) == Some(number)
        {
            door.put_out(descriptor);
        }
    }

    /// The gate may decide otherwise now: whoever may not come in any more is put out.
    pub fn reconsider(&mut self) {
        let Some(gate) = self.gate.clone() else {
            return;
        };
        let is_out = |user: &User| gate.admit(&user.key).is_err();
        let out: Vec<Connection> = self
            .heard
            .iter()
            .filter(|(_, user)| is_out(user))
            .map(|(&descriptor, &user)| Connection { user, descriptor })
            .collect();
        for connection in out {
            self.cut(connection, "it may not come in any more");
        }
    }

    fn cut(&mut self, connection: Connection, why: &str) {
        let Connection { user, descriptor } = connection;
        if self.heard.get(&descriptor) == Some(&user) {
            self.heard.remove(&descriptor);
        }
        if let Some(door) = &mut self.opened.door
            && !door.has_lost(user.connection, descriptor)
        {
            door.put_out(descriptor);
            self.notices.tell(CUT, || {
                format!("client with the key {} cut: {why}", user.key)
            });
        }
    }

    /// Where the socket listens, with the real port where 0 was asked for.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.opened.endpoints
    }

    /// Adds what [`crate::wait()`] must watch to see a message come. That a busy peer has room again
    /// is not announced.
    pub fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        set.add_zmq(&self.opened.socket, POLLIN);
        self.opened.poll_door(set);
    }

    /// Sends what was taken and closes, within `linger`.
    pub fn close(self, linger: Duration) -> Flushed {
        self.opened.close(linger)
    }
}

/// By which connection a message came in.
fn connection(message: &mut Message) -> Option<Connection> {
    let user = message.user()?;
    let descriptor = message.first_mut()?.descriptor()?;
    Some(Connection { user, descriptor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::wait;

    fn pair(options: &Options) -> (Switchboard, Caller) {
        let any = "tcp://127.0.0.1:0".parse().unwrap();
        let board = Switchboard::open(&[any], options).unwrap();
        let caller = Caller::open(&board.endpoints()[0], options).unwrap();
        (board, caller)
    }

    fn message(text: &str) -> Message {
        text.split('|')
            .map(|frame| Frame::from(frame.as_bytes()))
            .collect()
    }

    fn shown(message: &Message) -> String {
        let frames = message
            .frames()
            .iter()
            .map(|frame| String::from_utf8_lossy(frame).into_owned());
        frames.collect::<Vec<_>>().join("|")
    }

    fn until<T>(mut ask: impl FnMut() -> Option<T>, board: &dyn Fn()) -> T {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(Instant::now() < deadline, "nothing came");
            board();
        }
    }

    fn pause() {
        drop(wait(&mut PollSet::new(), Some(Duration::from_millis(2))));
    }

    #[test]
    fn both_sides_talk_in_whole_messages() {
        let (mut board, mut caller) = pair(&Options::default());
        assert!(matches!(caller.send(message("a|b|")).unwrap(), Sent::Taken));
        let (peer, heard) = until(|| board.receive().unwrap(), &pause);
        assert_eq!(shown(&heard), "a|b|");
        assert!(matches!(
            board.send(&peer, message("c|d")).unwrap(),
            Told::Taken
        ));
        let answer = until(|| caller.receive().unwrap(), &pause);
        assert_eq!(shown(&answer), "c|d");
        assert_eq!(caller.peer_events(), [PeerEvent::Connected]);
    }

    #[test]
    fn a_peer_that_is_gone_and_one_that_is_slow_are_told_apart() {
        let options = Options {
            send_queue: 2,
            receive_queue: 2,
            ..Options::default()
        };
        let (mut board, mut caller) = pair(&options);
        assert!(matches!(
            caller.send(message("hello")).unwrap(),
            Sent::Taken
        ));
        let (peer, _) = until(|| board.receive().unwrap(), &pause);
        let large = "x".repeat(1 << 20);
        let refused = until(
            || match board.send(&peer, message(&format!("y|{large}"))).unwrap() {
                Told::Busy(message) => Some(message),
                Told::Taken | Told::Gone => None,
            },
            &|| {},
        );
        assert_eq!(refused.frames().len(), 2, "it is given back as it was");
        let _flushed = caller.close(Duration::ZERO);
        until(
            || {
                // What has no room stays so until the end of what the peer said was read.
                assert!(board.receive().unwrap().is_none());
                matches!(board.send(&peer, message("z")).unwrap(), Told::Gone).then_some(())
            },
            &pause,
        );
    }

    #[test]
    fn a_caller_dials_again_and_is_another_peer_then() {
        let (board, mut caller) = pair(&Options::default());
        until(|| caller.peer_events().pop(), &pause);
        let endpoint = board.endpoints()[0].clone();
        let _flushed = board.close(Duration::ZERO);
        until(
            || {
                caller
                    .peer_events()
                    .contains(&PeerEvent::Disconnected)
                    .then_some(())
            },
            &pause,
        );
        let mut board = Switchboard::open(&[endpoint], &Options::default()).unwrap();
        until(
            || {
                caller
                    .peer_events()
                    .contains(&PeerEvent::Connected)
                    .then_some(())
            },
            &pause,
        );
        assert!(matches!(
            caller.send(message("again")).unwrap(),
            Sent::Taken
        ));
        let (_, heard) = until(|| board.receive().unwrap(), &pause);
        assert_eq!(shown(&heard), "again");
    }
}
