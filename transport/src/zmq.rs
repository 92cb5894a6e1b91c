//! ZeroMQ sockets: SUB, XSUB and PULL to receive from, XPUB and PUSH to send to.
//!
//! Each socket has a context of its own, so that it can be closed alone and within its own time.
//! A publishing outlet is an XPUB socket even where nobody asks for its subscriptions, because a
//! plain PUB drops silently what it sends before a subscription has come.
#![allow(
    unsafe_code,
    reason = "bind, connect and two options that the zmq crate lacks or panics in"
)]

use std::ffi::CString;
use std::io;
use std::time::{Duration, Instant};

use ::zmq::{Context, DONTWAIT, POLLIN, SNDMORE, Socket, SocketType};

use crate::endpoint::Endpoint;
use crate::message::{Frame, Message};
use crate::socket::{
    Attachment, Error, ErrorKind, Flushed, Inlet, InletKind, Options, Outlet, OutletKind,
    PeerEvent, Sent, SubscriptionEvent, Transport, WhenFull,
};
use crate::wait::PollSet;

pub(crate) const TRANSPORT: Transport = Transport {
    schemes: &["tcp", "ipc"],
    inlet: |kind, attachments, options| Ok(Box::new(ZmqInlet::open(kind, attachments, options)?)),
    outlet: |kind, attachments, options| Ok(Box::new(ZmqOutlet::open(kind, attachments, options)?)),
};

/// A socket in its context, with the endpoints as they really are.
pub(crate) struct Opened {
    // Fields drop in this order: a context waits for its sockets.
    pub(crate) socket: Socket,
    context: Context,
    pub(crate) endpoints: Vec<Endpoint>,
}

impl Opened {
    pub(crate) fn new(kind: SocketType, options: &Options) -> Result<Self, Error> {
        let context = Context::new();
        let socket = context.socket(kind).map_err(broken)?;
        set_options(&socket, options).map_err(broken)?;
        Ok(Self {
            socket,
            context,
            endpoints: Vec::new(),
        })
    }

    pub(crate) fn attach(&mut self, attachments: &[Attachment]) -> Result<(), Error> {
        for attachment in attachments {
            let endpoint = attachment.endpoint();
            if endpoint.address().starts_with('[') {
                self.socket.set_ipv6(true).map_err(broken)?;
            }
            let real = match attachment {
                Attachment::Bind(_) => bind(&mut self.socket, endpoint)?,
                Attachment::Connect(_) => connect(&mut self.socket, endpoint)?,
            };
            self.endpoints.push(real);
        }
        Ok(())
    }

    /// Sends what was taken and closes, within `linger`.
    pub(crate) fn close(self, linger: Duration) -> Flushed {
        let Opened {
            socket, context, ..
        } = self;
        let deadline = Instant::now() + linger;
        // libzmq says only when it is done, not whether it was done in time; so it gets a little
        // less time than there is, and whoever needs all of that is taken not to have managed.
        let millis = i32::try_from(linger.as_millis()).unwrap_or(i32::MAX);
        if socket.set_linger(millis).is_err() {
            return Flushed::TimedOut;
        }
        drop(socket);
        drop(context);
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

fn connect(socket: &mut Socket, endpoint: &Endpoint) -> Result<Endpoint, Error> {
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
    let in_use = source.kind() == io::ErrorKind::AddrInUse;
    let kind = if in_use {
        ErrorKind::InUse
    } else {
        ErrorKind::Unusable
    };
    Err(Error {
        kind,
        endpoint: Some(endpoint.clone()),
        source: Box::new(source),
    })
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
fn set_raw(socket: &mut Socket, option: u32, value: &[u8]) -> Result<(), Error> {
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

/// Takes all frames of one message.
pub(crate) fn receive(socket: &Socket) -> Result<Option<Message>, Error> {
    let mut frame = ::zmq::Message::new();
    match socket.recv(&mut frame, DONTWAIT) {
        Ok(()) => {}
        Err(::zmq::Error::EAGAIN | ::zmq::Error::EINTR) => return Ok(None),
        Err(error) => return Err(broken(error)),
    }
    let mut message = Message::default();
    // A message arrives whole, so its further frames are there already.
    while frame.get_more() {
        let mut next = ::zmq::Message::new();
        match socket.recv(&mut next, 0) {
            Ok(()) => {}
            Err(::zmq::Error::EINTR) => continue,
            Err(error) => return Err(broken(error)),
        }
        message.push(Frame::from_zmq(std::mem::replace(&mut frame, next)));
    }
    message.push(Frame::from_zmq(frame));
    Ok(Some(message))
}

struct ZmqInlet {
    monitor: Option<Socket>,
    opened: Opened,
    kind: InletKind,
    connected: usize,
}

impl ZmqInlet {
    fn open(kind: InletKind, attachments: &[Attachment], options: &Options) -> Result<Self, Error> {
        let socket_type = match kind {
            InletKind::Subscribe => SocketType::SUB,
            InletKind::Forward => SocketType::XSUB,
            InletKind::Pull => SocketType::PULL,
        };
        let mut opened = Opened::new(socket_type, options)?;
        let monitor = if options.watch_peers {
            Some(monitor(&opened)?)
        } else {
            None
        };
        opened.attach(attachments)?;
        Ok(Self {
            monitor,
            opened,
            kind,
            connected: 0,
        })
    }

    fn change_subscription(&mut self, is_wanted: bool, prefix: &[u8]) -> Result<(), Error> {
        let socket = &self.opened.socket;
        match (self.kind, is_wanted) {
            (InletKind::Subscribe, true) => socket.set_subscribe(prefix).map_err(broken),
            (InletKind::Subscribe, false) => socket.set_unsubscribe(prefix).map_err(broken),
            (InletKind::Forward, _) => {
                let request = [&[u8::from(is_wanted)], prefix].concat();
                socket.send(request, DONTWAIT).map_err(broken)
            }
            (InletKind::Pull, _) => Ok(()),
        }
    }
}

/// A socket that hears of connections that stand and connections that break.
pub(crate) fn monitor(opened: &Opened) -> Result<Socket, Error> {
    const NAME: &str = "inproc://monitor";
    let events = zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED | zmq_sys::ZMQ_EVENT_DISCONNECTED;
    opened.socket.monitor(NAME, events as i32).map_err(broken)?;
    let pair = opened.context.socket(SocketType::PAIR).map_err(broken)?;
    pair.set_linger(0).map_err(broken)?;
    pair.connect(NAME).map_err(broken)?;
    Ok(pair)
}

/// What a monitor has heard since the last call; `connected` are the connections that stand.
pub(crate) fn peer_events(monitor: &Socket, connected: &mut usize) -> Vec<PeerEvent> {
    let mut events = Vec::new();
    while let Ok(Some(message)) = receive(monitor) {
        // The first frame is the event's number, little-endian on every machine we run on, and its
        // value; see zmq_socket_monitor(3).
        let Some([low, high, ..]) = message.frames().first().map(|frame| &**frame) else {
            continue;
        };
        let event = u32::from(u16::from_ne_bytes([*low, *high]));
        if event == zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED {
            *connected += 1;
            events.push(PeerEvent::Connected);
        } else if *connected > 0 {
            *connected -= 1;
            events.push(PeerEvent::Disconnected);
        }
    }
    events
}

impl Inlet for ZmqInlet {
    fn receive(&mut self) -> Result<Option<Message>, Error> {
        receive(&self.opened.socket)
    }

    fn subscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        self.change_subscription(true, prefix)
    }

    fn unsubscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        self.change_subscription(false, prefix)
    }

    fn peer_events(&mut self) -> Vec<PeerEvent> {
        match &self.monitor {
            Some(monitor) => peer_events(monitor, &mut self.connected),
            None => Vec::new(),
        }
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.opened.endpoints
    }

    fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        set.add_zmq(&self.opened.socket, POLLIN);
        if let Some(monitor) = &self.monitor {
            set.add_zmq(monitor, POLLIN);
        }
    }
}

struct ZmqOutlet {
    opened: Opened,
    kind: OutletKind,
}

impl ZmqOutlet {
    fn open(
        kind: OutletKind,
        attachments: &[Attachment],
        options: &Options,
    ) -> Result<Self, Error> {
        let socket_type = match kind {
            OutletKind::Publish => SocketType::XPUB,
            OutletKind::Push => SocketType::PUSH,
        };
        let mut outlet = Self {
            opened: Opened::new(socket_type, options)?,
            kind,
        };
        outlet.set_when_full(options.when_full)?;
        if let (OutletKind::Publish, Some(welcome)) = (kind, &options.welcome) {
            set_raw(
                &mut outlet.opened.socket,
                zmq_sys::ZMQ_XPUB_WELCOME_MSG,
                welcome,
            )?;
        }
        outlet.opened.attach(attachments)?;
        Ok(outlet)
    }
}

impl Outlet for ZmqOutlet {
    fn send(&mut self, message: Message) -> Result<Sent, Error> {
        match send(&self.opened.socket, message)? {
            Went::Taken => Ok(Sent::Taken),
            Went::Busy(message) | Went::NoSuchPeer(message) => Ok(Sent::Busy(message)),
        }
    }

    fn subscription_events(&mut self) -> Result<Vec<SubscriptionEvent>, Error> {
        let mut events = Vec::new();
        if self.kind == OutletKind::Push {
            return Ok(events);
        }
        while let Some(message) = receive(&self.opened.socket)? {
            match message
                .frames()
                .first()
                .and_then(|frame| frame.split_first())
            {
                Some((1, prefix)) => events.push(SubscriptionEvent::Added(prefix.to_vec())),
                Some((0, prefix)) => events.push(SubscriptionEvent::Removed(prefix.to_vec())),
                // Subscribers may send other messages upstream; nothing here asked for them.
                _ => {}
            }
        }
        Ok(events)
    }

    fn multipart(&self) -> bool {
        true
    }

    fn set_when_full(&mut self, when_full: WhenFull) -> Result<(), Error> {
        if self.kind == OutletKind::Push {
            return Ok(());
        }
        let no_drop = i32::from(when_full == WhenFull::Refuse).to_ne_bytes();
        set_raw(&mut self.opened.socket, zmq_sys::ZMQ_XPUB_NODROP, &no_drop)
    }

    fn is_flushed(&mut self) -> Option<bool> {
        None
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.opened.endpoints
    }

    fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        if self.kind == OutletKind::Publish {
            set.add_zmq(&self.opened.socket, POLLIN);
        }
    }

    fn close(self: Box<Self>, linger: Duration) -> Flushed {
        self.opened.close(linger)
    }
}

/// What became of a message.
#[allow(
    clippy::large_enum_variant,
    reason = "a refused message is given back as it was, unboxed"
)]
pub(crate) enum Went {
    Taken,
    /// There was no room.
    Busy(Message),
    /// Of a ROUTER: nobody has the identity that is the first frame.
    NoSuchPeer(Message),
}

/// Sends all frames of one message, or none.
pub(crate) fn send(socket: &Socket, message: Message) -> Result<Went, Error> {
    let count = message.frames().len();
    let mut frames = message.into_frames();
    let Some(first) = frames.next() else {
        return Ok(Went::Taken);
    };
    let first = first.into_zmq();
    let more = |at: usize| if at + 1 < count { SNDMORE } else { 0 };
    // Only the first frame can be refused for want of room: the room is counted in whole messages
    // (libzmq, dist_t::check_hwm and pipe_t::check_write).
    loop {
        let refused = match send_frame(socket, &first, DONTWAIT | more(0)) {
            Ok(()) => break,
            Err(::zmq::Error::EINTR) => continue,
            Err(::zmq::Error::EAGAIN) => Went::Busy,
            Err(::zmq::Error::EHOSTUNREACH) => Went::NoSuchPeer,
            Err(error) => return Err(broken(error)),
        };
        let first = std::iter::once(Frame::from_zmq(first));
        return Ok(refused(first.chain(frames).collect()));
    }
    for (at, frame) in frames.enumerate() {
        let frame = frame.into_zmq();
        while let Err(error) = send_frame(socket, &frame, more(at + 1)) {
            if error != ::zmq::Error::EINTR {
                return Err(broken(error));
            }
        }
    }
    Ok(Went::Taken)
}

/// The crate's `send` of a message consumes what was refused; this keeps it.
fn send_frame(socket: &Socket, frame: &::zmq::Message, flags: i32) -> ::zmq::Result<()> {
    let bytes: &[u8] = frame;
    socket.send(bytes, flags)
}
