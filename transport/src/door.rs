//! The door of a listening ZeroMQ socket: who comes, who goes, who is let in, who is put out.
//!
//! libzmq tells of connections by a monitor, and a connection is put out by closing its descriptor's
//! both directions, which libzmq then takes for the peer's end. There is no other way to end one
//! connection of a socket. That the descriptor is still a connection of this socket is looked at
//! first; at the very worst another peer of the same socket dials again.
#![allow(unsafe_code, reason = "a descriptor that libzmq owns is borrowed")]

use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use ::zmq::{POLLIN, Socket};

use crate::endpoint::Endpoint;
use crate::notices::Notices;
use crate::silence;
use crate::socket::{Error, Options};
use crate::wait::PollSet;
use crate::zap::Zap;
use crate::zmq::{monitor_event, receive};

/// The kinds of notices that are told from here.
const TOO_MANY: &str = "connections beyond the limit";
const NO_HANDSHAKE: &str = "failed handshakes";
const SILENT: &str = "silent connections";

pub(crate) struct Door {
    zap: Option<Zap>,
    traffic: Traffic,
}

/// What the monitor told.
struct Traffic {
    monitor: Socket,
    /// Those that stand or are coming in, by descriptor.
    connections: HashMap<RawFd, Connection>,
    /// How many there were so far.
    total: u64,
    max_connections: usize,
    /// Whether the event before said that a connection did not come in: its end comes next.
    has_failed: bool,
    heartbeat: Option<Duration>,
    next_look: Instant,
    /// For each descriptor that a connection had and lost: which serial number would have been
    /// given next when that was heard.
    lost: HashMap<RawFd, u64>,
    endpoints: Vec<Endpoint>,
    notices: Notices,
}

/// A connection, as the monitor tells of it.
struct Connection {
    /// Which one it is, of all that there were.
    number: u64,
    /// How long nothing had come from it when that was last looked at.
    silence: Duration,
    /// Whether it was put out already.
    is_out: bool,
}

impl Door {
    /// Whether it knows of its connections whose they are.
    pub(crate) fn has_zap(&self) -> bool {
        self.zap.is_some()
    }

    pub(crate) fn new(monitor: Socket, zap: Option<Zap>, options: &Options) -> Self {
        Self {
            zap,
            traffic: Traffic {
                monitor,
                connections: HashMap::new(),
                total: 0,
                max_connections: options.max_connections,
                has_failed: false,
                heartbeat: options.heartbeat,
                next_look: Instant::now(),
                lost: HashMap::new(),
                endpoints: Vec::new(),
                notices: options.notices.clone(),
            },
        }
    }

    /// It is a door of this endpoint, too.
    pub(crate) fn add(&mut self, endpoint: &Endpoint) {
        self.traffic.endpoints.push(endpoint.clone());
    }

    /// Does what is to be done, without waiting.
    pub(crate) fn serve(&mut self) -> Result<(), Error> {
        let Some(zap) = &mut self.zap else {
            self.traffic.hear(0);
            self.traffic.look(Instant::now());
            return Ok(());
        };
        // What was heard before a connection gets its number was about other connections, even
        // where the descriptor is the same: `is_lost` counts on it.
        zap.serve(|serial| self.traffic.hear(serial))?;
        self.traffic.hear(zap.next_serial());
        self.traffic.look(Instant::now());
        Ok(())
    }

    /// Which connection has this descriptor now, of all that there were; `None` if none has.
    pub(crate) fn number(&self, descriptor: RawFd) -> Option<u64> {
        self.traffic.connections.get(&descriptor).map(|c| c.number)
    }

    /// The same, when all is heard that is known by now.
    pub(crate) fn number_now(&mut self, descriptor: RawFd) -> Option<u64> {
        let next_serial = self.zap.as_ref().map_or(0, Zap::next_serial);
        self.traffic.hear(next_serial);
        self.number(descriptor)
    }

    /// Whether the connection that had this number and descriptor has ended, as far as anybody can
    /// know by now. Once it said yes, libzmq's own record of the connection may be gone.
    pub(crate) fn is_lost(&mut self, serial: u64, descriptor: RawFd) -> Result<bool, Error> {
        self.serve()?;
        Ok(self.has_lost(serial, descriptor))
    }

    /// The same, without letting anybody in meanwhile.
    pub(crate) fn has_lost(&mut self, serial: u64, descriptor: RawFd) -> bool {
        // Connections that have a number already have one below that of the next.
        self.traffic
            .hear(self.zap.as_ref().map_or(0, Zap::next_serial));
        let lost = self.traffic.lost.get(&descriptor);
        lost.is_some_and(|next| *next > serial)
    }

    /// Ends a connection.
    pub(crate) fn put_out(&self, descriptor: RawFd) {
        self.traffic.put_out(descriptor);
    }

    pub(crate) fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        set.add_zmq(&self.traffic.monitor, POLLIN);
        if self.traffic.heartbeat.is_some() && !self.traffic.connections.is_empty() {
            set.wake_by(self.traffic.next_look);
        }
        if let Some(zap) = &self.zap {
            zap.poll(set);
        }
    }
}

impl Traffic {
    fn hear(&mut self, next_serial: u64) {
        while let Ok(Some(message)) = receive(&self.monitor) {
            let Some((event, value)) = monitor_event(&message) else {
                continue;
            };
            let descriptor = value as RawFd;
            let has_failed = std::mem::take(&mut self.has_failed);
            match event {
                zmq_sys::ZMQ_EVENT_ACCEPTED => self.came(descriptor),
                zmq_sys::ZMQ_EVENT_DISCONNECTED => {
                    self.went(descriptor, has_failed);
                    self.lost.insert(descriptor, next_serial);
                }
                zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL => {
                    self.failed("it went away or took too long")
                }
                zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL => {
                    self.failed("it speaks something else, or with another security");
                }
                _ => {}
            }
        }
    }

    fn came(&mut self, descriptor: RawFd) {
        self.total += 1;
        let connection = Connection {
            number: self.total,
            silence: Duration::ZERO,
            is_out: false,
        };
        self.connections.insert(descriptor, connection);
        if self.connections.len() > self.max_connections {
            self.put_out(descriptor);
            self.notices.tell(TOO_MANY, || {
                format!(
                    "connection to {} cut: {} connections are the limit",
                    self.name(),
                    self.max_connections
                )
            });
        }
    }

    /// A connection has ended. libzmq does not say why; where nothing had come for as long as its
    /// heartbeat waits, that is taken to be the reason.
    fn went(&mut self, descriptor: RawFd, has_failed: bool) {
        let Some(connection) = self.connections.remove(&descriptor) else {
            return;
        };
        let is_long = |heartbeat: Duration| connection.silence >= heartbeat * 2;
        if !connection.is_out && !has_failed && self.heartbeat.is_some_and(is_long) {
            self.notices.tell(SILENT, || {
                format!(
                    "connection to {} ended: nothing had come from its other side for {:.1} s",
                    self.name(),
                    connection.silence.as_secs_f64()
                )
            });
        }
    }

    /// Looks at all connections now and then. One whose other side neither says nor takes anything is
    /// put out: to it no heartbeat goes any more, and so libzmq would keep it for ever.
    fn look(&mut self, now: Instant) {
        let Some(heartbeat) = self.heartbeat.filter(|_| now >= self.next_look) else {
            return;
        };
        self.next_look = now + heartbeat / 2;
        let mut stuck = Vec::new();
        for (descriptor, connection) in &mut self.connections {
            let Some(silence) = silence::look(*descriptor) else {
                continue;
            };
            connection.silence = silence.lasts;
            if silence.lasts >= heartbeat * 3 && !silence.is_taking && !connection.is_out {
                connection.is_out = true;
                stuck.push((*descriptor, silence.lasts));
            }
        }
        for (descriptor, lasts) in stuck {
            self.put_out(descriptor);
            self.notices.tell(SILENT, || {
                format!(
                    "connection to {} cut: its other side took nothing and said nothing for {:.1} s",
                    self.name(),
                    lasts.as_secs_f64()
                )
            });
        }
    }

    fn failed(&mut self, why: &str) {
        self.has_failed = true;
        self.notices.tell(NO_HANDSHAKE, || {
            format!("client at {} did not come in: {why}", self.name())
        });
    }

    fn name(&self) -> String {
        let names: Vec<String> = self.endpoints.iter().map(ToString::to_string).collect();
        names.join(",")
    }

    fn put_out(&self, descriptor: RawFd) {
        if descriptor < 0 {
            return;
        }
        for endpoint in &self.endpoints {
            match endpoint.port() {
                Some(port) => put_out_tcp(descriptor, port),
                None => put_out_unix(descriptor, Path::new(endpoint.address())),
            }
        }
    }
}

fn put_out_tcp(descriptor: RawFd, port: u16) {
    // SAFETY: nothing here closes the descriptor, and a call on one that is no socket, or is closed,
    // is an error and changes nothing.
    let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(descriptor) });
    if stream.local_addr().is_ok_and(|local| local.port() == port) {
        // It may have ended by itself.
        drop(stream.shutdown(Shutdown::Both));
    }
}

fn put_out_unix(descriptor: RawFd, path: &Path) {
    // SAFETY: as above.
    let stream = ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(descriptor) });
    if stream
        .local_addr()
        .is_ok_and(|local| local.as_pathname() == Some(path))
    {
        // It may have ended by itself.
        drop(stream.shutdown(Shutdown::Both));
    }
}
