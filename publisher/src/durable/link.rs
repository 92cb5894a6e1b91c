//! One connection to a broker's durable endpoint at a time: dialling, hello, welcome, and again.
//!
//! Each connection has a socket of its own that is never used for another one. A ZeroMQ socket would
//! connect again by itself and send what it still held before anybody could say hello, out of its
//! order; so nothing is given to a socket before its connection stands, and when that breaks, the
//! socket goes with all that it holds. Whoever has the link sends that again.

use std::time::{Duration, Instant};

use logbus_schemas::wire::durable::{Ack, Command, Hello, Refused, Welcome};
use logbus_transport::{
    Caller, Endpoint, Error, Frame, Message, Options, PeerEvent, PollSet, Security, Sent,
};

use super::window::Item;

/// How long a dial may take before another one is tried: soon at first, and now and then long
/// enough for a slow network.
const DIALS: [Duration; 8] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_secs(1),
    Duration::from_secs(1),
    Duration::from_secs(1),
    Duration::from_secs(4),
];
/// How long to wait after a broker has turned the connection down.
const HELD_OFF: Duration = Duration::from_secs(2);
/// How long a broker may take to say welcome.
const WELCOME: Duration = Duration::from_secs(5);
/// How long a broker may say nothing while answers are due.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a connection is tried (ZMTP's ping), so that one to nobody breaks.
const PING: Duration = Duration::from_secs(5);
/// A socket does not dial again by itself.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// What came over the link.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// The connection stands and the broker knows who calls: what has no answer is to be sent.
    Welcome,
    Ack(Ack),
    Refused(Refused),
    /// Nobody was let in: the keys do not fit, or one side has none. It is tried again.
    NotLetIn,
}

/// The link; see the head of this file.
pub(crate) struct Link {
    endpoint: Endpoint,
    security: Option<Security>,
    hello: Hello,
    caller: Caller,
    state: State,
    dials: usize,
    last_heard: Instant,
    is_crowded: bool,
}

enum State {
    Dialling {
        until: Instant,
    },
    Greeting {
        until: Instant,
    },
    /// The broker turned the last connection down.
    HeldOff {
        until: Instant,
    },
    Welcomed(Welcome),
}

impl Link {
    pub(crate) fn open(
        endpoint: Endpoint,
        security: Option<Security>,
        hello: Hello,
    ) -> Result<Self, Error> {
        let caller = dial(&endpoint, security.as_ref())?;
        let now = Instant::now();
        Ok(Self {
            endpoint,
            security,
            hello,
            caller,
            state: State::Dialling {
                until: now + DIALS[0],
            },
            dials: 0,
            last_heard: now,
            is_crowded: false,
        })
    }

    /// What the broker grants, while there is one.
    pub(crate) fn welcome(&self) -> Option<&Welcome> {
        match &self.state {
            State::Welcomed(welcome) => Some(welcome),
            State::Dialling { .. } | State::Greeting { .. } | State::HeldOff { .. } => None,
        }
    }

    /// Takes in what came. `awaits` says whether answers are due.
    pub(crate) fn hear(&mut self, awaits: bool) -> Vec<Heard> {
        let mut heard = Vec::new();
        // What came before a connection broke counts.
        self.receive(&mut heard);
        for event in self.caller.peer_events() {
            match event {
                PeerEvent::Connected => self.greet(),
                PeerEvent::Disconnected => {
                    self.receive(&mut heard);
                    self.dial_again(0);
                    return heard;
                }
                PeerEvent::Refused => {
                    heard.push(Heard::NotLetIn);
                    self.hold_off();
                    return heard;
                }
            }
        }
        let now = Instant::now();
        if !awaits {
            self.last_heard = now;
        }
        match &self.state {
            State::HeldOff { until } if *until <= now => self.dial_again(0),
            State::Dialling { until } | State::Greeting { until } if *until <= now => {
                self.dial_again(self.dials + 1);
            }
            State::Welcomed(_) if now >= self.last_heard + SILENCE => self.dial_again(0),
            _ => {}
        }
        heard
    }

    fn receive(&mut self, heard: &mut Vec<Heard>) {
        while let Ok(Some(message)) = self.caller.receive() {
            self.last_heard = Instant::now();
            let Some(frame) = message.frames().first() else {
                continue;
            };
            // What a newer broker says besides is not for this one.
            let Ok(command) = Command::decode(frame) else {
                continue;
            };
            match (command, &self.state) {
                (Command::Welcome(welcome), State::Greeting { .. } | State::Dialling { .. }) => {
                    self.state = State::Welcomed(welcome);
                    self.dials = 0;
                    heard.push(Heard::Welcome);
                }
                (Command::Ack(ack), _) => heard.push(Heard::Ack(ack)),
                (Command::Refused(refused), _) => heard.push(Heard::Refused(refused)),
                _ => {}
            }
        }
    }

    fn greet(&mut self) {
        let hello = Command::Hello(self.hello.clone()).encode();
        // A socket whose connection stands has room for its first message.
        drop(self.caller.send(Message::single(hello)));
        self.state = State::Greeting {
            until: Instant::now() + WELCOME,
        };
    }

    fn dial_again(&mut self, dials: usize) {
        // The longer times come round again and again.
        self.dials = if dials < DIALS.len() { dials } else { 4 };
        self.is_crowded = false;
        let until = Instant::now() + DIALS[self.dials];
        self.state = State::Dialling { until };
        if let Ok(caller) = dial(&self.endpoint, self.security.as_ref()) {
            let before = std::mem::replace(&mut self.caller, caller);
            let _what_it_held_is_sent_again = before.close(Duration::ZERO);
        }
    }

    /// Leaves the broker alone for a while, and dials again then. What comes of this connection
    /// before that is heard still.
    pub(crate) fn hold_off(&mut self) {
        self.is_crowded = false;
        self.state = State::HeldOff {
            until: Instant::now() + HELD_OFF,
        };
    }

    /// Sends; `false` when there is no room just now.
    pub(crate) fn send(&mut self, item: &Item) -> bool {
        let message = [
            Frame::from(Command::Publish.encode()),
            Frame::from(item.topic.as_str().as_bytes()),
            Frame::from(&item.header.to_bytes()[..]),
            Frame::from(&item.payload[..]),
        ];
        let sent = self.caller.send(message.into_iter().collect());
        self.is_crowded = !matches!(sent, Ok(Sent::Taken));
        !self.is_crowded
    }

    /// Adds what must be watched, and when the link must be looked at again.
    pub(crate) fn poll<'a>(&'a self, set: &mut PollSet<'a>, awaits: bool) {
        self.caller.poll(set, self.is_crowded);
        match &self.state {
            State::Dialling { until } | State::Greeting { until } | State::HeldOff { until } => {
                set.wake_by(*until);
            }
            State::Welcomed(_) if awaits => set.wake_by(self.last_heard + SILENCE),
            State::Welcomed(_) => {}
        }
    }

    /// Closes the socket; what it still holds is sent within `linger`.
    pub(crate) fn close(self, linger: Duration) {
        let _unanswered_in_any_case = self.caller.close(linger);
    }
}

fn dial(endpoint: &Endpoint, security: Option<&Security>) -> Result<Caller, Error> {
    let options = Options {
        security: security.cloned(),
        reconnect_min: NEVER,
        reconnect_max: NEVER,
        heartbeat: Some(PING),
        ..Options::default()
    };
    Caller::open(endpoint, &options)
}
