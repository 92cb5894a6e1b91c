//! A ZeroMQ socket in a context of its own, secured and attached to its endpoints.
#![allow(
    unsafe_code,
    reason = "bind, connect and some options that the zmq crate lacks or panics in"
)]

use std::ffi::CString;
use std::io;
use std::os::fd::IntoRawFd;
use std::time::{Duration, Instant};

use ::zmq::{Context, Socket, SocketType};

use super::monitor::monitor;
use super::receive;
use crate::curve::{Security, secure};
use crate::door::Door;
use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::redial::Redial;
use crate::socket::{Attachment, Error, ErrorKind, Flushed, Options};
use crate::unix::OwnPath;
use crate::wait::PollSet;
use crate::zap::Zap;

/// Messages that are received between two looks at the door, where they come without a pause.
pub(super) const DOOR_EVERY: u32 = 64;
/// A socket in its context, with the endpoints as they really are.
pub(crate) struct Opened {
    // Fields drop in this order: a context waits for its sockets.
    pub(crate) socket: Socket,
    /// Of a socket that listens.
    pub(crate) door: Option<Door>,
    /// Of a secured socket that dials.
    pub(crate) redial: Option<Redial>,
    pub(super) context: Context,
    paths: Vec<OwnPath>,
    pub(crate) endpoints: Vec<Endpoint>,
    since_door: u32,
}

impl Opened {
    /// `is_listening`: there will be a [`Door`].
    pub(crate) fn new(
        kind: SocketType,
        is_listening: bool,
        options: &Options,
    ) -> Result<Self, Error> {
        let context = Context::new();
        let mut socket = context.socket(kind).map_err(broken)?;
        set_options(&socket, options).map_err(broken)?;
        if let Some(security) = &options.security {
            secure(&mut socket, security)?;
        }
        let mut opened = Self {
            socket,
            door: None,
            redial: None,
            context,
            paths: Vec::new(),
            endpoints: Vec::new(),
            since_door: 0,
        };
        let notices = options.notices.clone();
        let zap = match &options.security {
            Some(Security::Server { gate, .. }) => {
                Some(Zap::open(&opened.context, gate.clone(), notices.clone())?)
            }
            _ => None,
        };
        // A socket has one monitor only.
        if let Some(Security::Client { .. }) = &options.security {
            opened.redial = Some(Redial::new(monitor(&opened)?));
        } else if zap.is_some() || (is_listening && !options.watch_peers) {
            let monitor = monitor(&opened)?;
            opened.door = Some(Door::new(monitor, zap, options));
        }
        Ok(opened)
    }

    pub(crate) fn attach(&mut self, attachments: &[Attachment]) -> Result<(), Error> {
        if let (Some(_), [_, second, ..]) = (&self.redial, attachments) {
            // Dialling one again would end the connections of the others.
            return Err(Error {
                kind: ErrorKind::Unsupported,
                endpoint: Some(second.endpoint().clone()),
                source: "a socket with a key dials one endpoint; give each one of its own".into(),
            });
        }
        for attachment in attachments {
            let endpoint = attachment.endpoint();
            if endpoint.address().starts_with('[') {
                self.socket.set_ipv6(true).map_err(broken)?;
            }
            let real = match attachment {
                Attachment::Bind(_) if !endpoint.is_tcp() => {
                    self.paths.push(bind_path(&mut self.socket, endpoint)?);
                    endpoint.clone()
                }
                Attachment::Bind(_) => bind(&mut self.socket, endpoint)?,
                Attachment::Connect(_) => connect(&mut self.socket, endpoint)?,
            };
            if let (Attachment::Bind(_), Some(door)) = (attachment, &mut self.door) {
                door.add(&real);
            }
            self.endpoints.push(real);
        }
        Ok(())
    }

    /// The next message, and now and then what happens at the door.
    pub(crate) fn receive(&mut self) -> Result<Option<Message>, Error> {
        let mut received = receive(&self.socket);
        self.since_door += 1;
        if !matches!(received, Ok(Some(_))) || self.since_door >= DOOR_EVERY {
            self.since_door = 0;
            if let Err(error) = self.serve() {
                received = Err(error);
            }
        }
        received
    }

    pub(super) fn serve(&mut self) -> Result<(), Error> {
        if let Some(door) = &mut self.door {
            door.serve()?;
        }
        match &mut self.redial {
            Some(redial) => redial.serve(&mut self.socket, &self.endpoints),
            None => Ok(()),
        }
    }

    pub(crate) fn poll_door<'a>(&'a self, set: &mut PollSet<'a>) {
        if let Some(door) = &self.door {
            door.poll(set);
        }
        if let Some(redial) = &self.redial {
            redial.poll(set);
        }
    }

    /// Sends what was taken and closes, within `linger`.
    pub(crate) fn close(self, linger: Duration) -> Flushed {
        let Opened {
            socket,
            door,
            redial,
            context,
            paths,
            ..
        } = self;
        let deadline = Instant::now() + linger;
        // libzmq says only when it is done, not whether it was done in time; so it gets a little
        // less time than there is, and whoever needs all of that is taken not to have managed.
        let millis = i32::try_from(linger.as_millis()).unwrap_or(i32::MAX);
        if socket.set_linger(millis).is_err() {
            return Flushed::TimedOut;
        }
        drop(socket);
        drop((door, redial));
        drop(context);
        drop(paths);
        if Instant::now() < deadline {
            Flushed::Complete
        } else {
            Flushed::TimedOut
        }
    }
}

fn set_options(socket: &Socket, options: &Options) -> ::zmq::Result<()> {
    let millis = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(1);
    let count = |messages: usize| i32::try_from(messages).unwrap_or(i32::MAX).max(1);
    socket.set_linger(0)?;
    socket.set_sndhwm(count(options.send_queue))?;
    socket.set_rcvhwm(count(options.receive_queue))?;
    socket.set_maxmsgsize(i64::try_from(options.max_frame).unwrap_or(i64::MAX))?;
    socket.set_reconnect_ivl(millis(options.reconnect_min))?;
    socket.set_reconnect_ivl_max(millis(options.reconnect_max))?;
    socket.set_handshake_ivl(millis(options.handshake))?;
    if let Some(every) = options.heartbeat {
        // A peer that does not answer for three of them is taken to be gone, at both ends.
        socket.set_heartbeat_ivl(millis(every))?;
        socket.set_heartbeat_timeout(millis(every * 3))?;
        socket.set_heartbeat_ttl(millis(every * 3))?;
    }
    socket.set_tcp_keepalive(1)
}

fn bind(socket: &mut Socket, endpoint: &Endpoint) -> Result<Endpoint, Error> {
    let text = c_string(endpoint)?;
    // SAFETY: the socket is open and the text ends with a zero. The crate's own `bind` panics at
    // errors it does not know, such as ENOTDIR, and an endpoint comes from outside.
    check(
        unsafe { zmq_sys::zmq_bind(socket.as_mut_ptr(), text.as_ptr()) },
        endpoint,
    )?;
    let real = socket
        .get_last_endpoint()
        .ok()
        .and_then(Result::ok)
        .unwrap_or_default();
    let port = real
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    Ok(port.map_or_else(|| endpoint.clone(), |port| endpoint.with_port(port)))
}

/// Listens at a path that only this user can connect to.
fn bind_path(socket: &mut Socket, endpoint: &Endpoint) -> Result<OwnPath, Error> {
    const ZMQ_USE_FD: u32 = 89;
    let unusable = |source: io::Error| Error {
        kind: kind_of(&source),
        endpoint: Some(endpoint.clone()),
        source: Box::new(source),
    };
    let (path, listener) = OwnPath::listen(endpoint.address()).map_err(unusable)?;
    // libzmq closes it with the socket, or not at all where binding fails.
    let descriptor = listener.into_raw_fd();
    set_raw(socket, ZMQ_USE_FD, &descriptor.to_ne_bytes())?;
    let bound = bind(socket, endpoint);
    set_raw(socket, ZMQ_USE_FD, &(-1i32).to_ne_bytes())?;
    bound.map(|_| path)
}

pub(crate) fn connect(socket: &mut Socket, endpoint: &Endpoint) -> Result<Endpoint, Error> {
    let text = c_string(endpoint)?;
    // SAFETY: as in `bind`.
    check(
        unsafe { zmq_sys::zmq_connect(socket.as_mut_ptr(), text.as_ptr()) },
        endpoint,
    )?;
    Ok(endpoint.clone())
}

fn c_string(endpoint: &Endpoint) -> Result<CString, Error> {
    CString::new(endpoint.to_string()).map_err(|error| Error {
        kind: ErrorKind::Unusable,
        endpoint: Some(endpoint.clone()),
        source: Box::new(error),
    })
}

fn check(result: i32, endpoint: &Endpoint) -> Result<(), Error> {
    if result == 0 {
        return Ok(());
    }
    let source = last_error();
    Err(Error {
        kind: kind_of(&source),
        endpoint: Some(endpoint.clone()),
        source: Box::new(source),
    })
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::AddrInUse => ErrorKind::InUse,
        _ => ErrorKind::Unusable,
    }
}

fn last_error() -> io::Error {
    // SAFETY: reads this thread's errno and nothing else.
    io::Error::from_raw_os_error(unsafe { zmq_sys::zmq_errno() })
}

pub(crate) fn broken(error: ::zmq::Error) -> Error {
    Error {
        kind: ErrorKind::Broken,
        endpoint: None,
        source: Box::new(error),
    }
}

/// Sets an option that the crate has no method for.
pub(crate) fn set_raw(socket: &mut Socket, option: u32, value: &[u8]) -> Result<(), Error> {
    // SAFETY: the socket is open, and libzmq copies the value of that length.
    let result = unsafe {
        zmq_sys::zmq_setsockopt(
            socket.as_mut_ptr(),
            option as i32,
            value.as_ptr().cast(),
            value.len(),
        )
    };
    if result == 0 {
        return Ok(());
    }
    Err(Error {
        kind: ErrorKind::Broken,
        endpoint: None,
        source: Box::new(last_error()),
    })
}
