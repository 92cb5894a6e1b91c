//! ZeroMQ sockets: SUB, XSUB and PULL to receive from, XPUB and PUSH to send to.
//!
//! Each socket has a context of its own, so that it can be closed alone and within its own time.
//! A publishing outlet is an XPUB socket even where nobody asks for its subscriptions, because a
//! plain PUB drops silently what it sends before a subscription has come.
#![allow(
    unsafe_code,
    reason = "bind, connect, sending and some options that the zmq crate lacks or panics in"
)]

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::IntoRawFd;
use std::time::{Duration, Instant};

use ::zmq::{Context, DONTWAIT, POLLIN, SNDMORE, Socket, SocketType};

use crate::curve::{Security, secure};
use crate::door::Door;
use crate::endpoint::Endpoint;
use crate::floods::Floods;
use crate::grants::Grants;
use crate::message::{Frame, Message};
use crate::redial::Redial;
use crate::socket::{
    Attachment, Error, ErrorKind, Flushed, Inlet, InletKind, Options, Outlet, OutletKind,
    PeerEvent, Sent, SubscriptionEvent, Transport, WhenFull,
};
use crate::unix::OwnPath;
use crate::wait::PollSet;
use crate::zap::Zap;

pub(crate) const TRANSPORT: Transport = Transport {
    schemes: &["tcp", "ipc"],
    inlet: |kind, attachments, options| Ok(Box::new(ZmqInlet::open(kind, attachments, options)?)),
    outlet: |kind, attachments, options| Ok(Box::new(ZmqOutlet::open(kind, attachments, options)?)),
};

/// Messages that are received between two looks at the door, where they come without a pause.
const DOOR_EVERY: u32 = 64;
/// What subscribers say that is heard in one call; the rest waits for the next.
const TURN_EVENTS: u32 = 4096;

/// A socket in its context, with the endpoints as they really are.
pub(crate) struct Opened {
    // Fields drop in this order: a context waits for its sockets.
    pub(crate) socket: Socket,
    /// Of a socket that listens.
    pub(crate) door: Option<Door>,
    /// Of a secured socket that dials.
    pub(crate) redial: Option<Redial>,
    context: Context,
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

    fn serve(&mut self) -> Result<(), Error> {
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
    /// Where senders have a rate.
    floods: Option<Floods>,
    kind: InletKind,
    standing: Standing,
    is_watched: bool,
}

impl ZmqInlet {
    fn open(kind: InletKind, attachments: &[Attachment], options: &Options) -> Result<Self, Error> {
        let socket_type = match kind {
            InletKind::Subscribe => SocketType::SUB,
            InletKind::Forward => SocketType::XSUB,
            InletKind::Pull => SocketType::PULL,
        };
        let is_listening = has_bind(attachments);
        let mut opened = Opened::new(socket_type, is_listening, options)?;
        let monitor = if options.watch_peers && opened.door.is_none() && opened.redial.is_none() {
            Some(monitor(&opened)?)
        } else {
            None
        };
        opened.attach(attachments)?;
        Ok(Self {
            monitor,
            floods: Floods::new(&opened, options),
            opened,
            kind,
            standing: Standing::default(),
            is_watched: options.watch_peers,
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

fn has_bind(attachments: &[Attachment]) -> bool {
    attachments.iter().any(|a| matches!(a, Attachment::Bind(_)))
}

/// A socket that hears of connections that stand and connections that break.
pub(crate) fn monitor(opened: &Opened) -> Result<Socket, Error> {
    const NAME: &str = "inproc://monitor";
    let events = zmq_sys::ZMQ_EVENT_ACCEPTED
        | zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED
        | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
        | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
        | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
        | zmq_sys::ZMQ_EVENT_DISCONNECTED;
    opened.socket.monitor(NAME, events as i32).map_err(broken)?;
    let pair = opened.context.socket(SocketType::PAIR).map_err(broken)?;
    pair.set_linger(0).map_err(broken)?;
    // libzmq's own thread waits where there is no room.
    pair.set_rcvhwm(0).map_err(broken)?;
    pair.connect(NAME).map_err(broken)?;
    Ok(pair)
}

/// An event's number and its value; see zmq_socket_monitor(3).
pub(crate) fn monitor_event(message: &Message) -> Option<(u32, u32)> {
    let bytes: &[u8; 6] = message.frames().first()?.get(..6)?.try_into().ok()?;
    let [low, high, value @ ..] = *bytes;
    let event = u16::from_ne_bytes([low, high]);
    Some((u32::from(event), u32::from_ne_bytes(value)))
}

/// Connections that stand, by the address that a monitor gives with each event. An attempt that fails
/// before it stands is told of as disconnected as well (libzmq, `stream_engine_base_t::error`), and
/// must not count as the end of a connection to somewhere else.
#[derive(Debug, Default)]
pub(crate) struct Standing(HashMap<Vec<u8>, usize>);

impl Standing {
    fn came(&mut self, address: &[u8]) {
        *self.0.entry(address.to_vec()).or_default() += 1;
    }

    /// Whether one stood there.
    fn went(&mut self, address: &[u8]) -> bool {
        match self.0.get_mut(address) {
            Some(1) => self.0.remove(address).is_some(),
            Some(count) => {
                *count -= 1;
                true
            }
            None => false,
        }
    }
}

/// What a monitor has heard since the last call.
pub(crate) fn peer_events(monitor: &Socket, standing: &mut Standing) -> Vec<PeerEvent> {
    let mut events = Vec::new();
    while let Ok(Some(message)) = receive(monitor) {
        let address: &[u8] = message.frames().get(1).map_or(&[], |frame| frame);
        match monitor_event(&message) {
            Some((zmq_sys::ZMQ_EVENT_HANDSHAKE_SUCCEEDED, _)) => {
                standing.came(address);
                events.push(PeerEvent::Connected);
            }
            Some((zmq_sys::ZMQ_EVENT_DISCONNECTED, _)) if standing.went(address) => {
                events.push(PeerEvent::Disconnected);
            }
            Some((
                zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                | zmq_sys::ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
                _,
            )) => events.push(PeerEvent::Refused),
            _ => {}
        }
    }
    events
}

impl Inlet for ZmqInlet {
    fn receive(&mut self) -> Result<Option<Message>, Error> {
        let Some(floods) = &mut self.floods else {
            return self.opened.receive();
        };
        for _ in 0..DOOR_EVERY {
            let Some(mut message) = self.opened.receive()? else {
                return Ok(None);
            };
            let passes = match &mut self.opened.door {
                Some(door) => floods.lets_pass(&mut message, door)?,
                None => true,
            };
            if passes {
                return Ok(Some(message));
            }
        }
        // Others get their turn; that there is more shows when the socket is waited for.
        Ok(None)
    }

    fn subscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        self.change_subscription(true, prefix)
    }

    fn unsubscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        self.change_subscription(false, prefix)
    }

    fn peer_events(&mut self) -> Vec<PeerEvent> {
        match (&self.monitor, &mut self.opened.redial) {
            (Some(monitor), _) => peer_events(monitor, &mut self.standing),
            (None, Some(redial)) if self.is_watched => redial.take_events(),
            (None, _) => Vec::new(),
        }
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.opened.endpoints
    }

    fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        set.add_zmq(&self.opened.socket, POLLIN);
        self.opened.poll_door(set);
        if let Some(monitor) = &self.monitor {
            set.add_zmq(monitor, POLLIN);
        }
    }
}

struct ZmqOutlet {
    opened: Opened,
    kind: OutletKind,
    /// Where each subscription must be granted.
    grants: Option<Grants>,
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
            opened: Opened::new(socket_type, has_bind(attachments), options)?,
            kind,
            grants: None,
        };
        outlet.set_when_full(options.when_full)?;
        if let (OutletKind::Publish, Some(Security::Server { gate, .. })) =
            (kind, &options.security)
        {
            let manual = 1i32.to_ne_bytes();
            set_raw(&mut outlet.opened.socket, zmq_sys::ZMQ_XPUB_MANUAL, &manual)?;
            outlet.grants = Some(Grants::new(
                gate.clone(),
                options.notices.clone(),
                options.max_subscriptions,
            ));
        }
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
        match send(&mut self.opened.socket, message)? {
            Went::Taken => Ok(Sent::Taken),
            Went::Busy(message) | Went::NoSuchPeer(message) => Ok(Sent::Busy(message)),
        }
    }

    fn subscription_events(&mut self) -> Result<Vec<SubscriptionEvent>, Error> {
        let mut events = Vec::new();
        if self.kind == OutletKind::Push {
            self.opened.serve()?;
            return Ok(events);
        }
        for _ in 0..TURN_EVENTS {
            let Some(message) = self.opened.receive()? else {
                break;
            };
            if let (Some(grants), Some(door)) = (&mut self.grants, &mut self.opened.door) {
                events.extend(grants.hear(message, &self.opened.socket, door)?);
                continue;
            }
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
        if let Some(grants) = &mut self.grants {
            grants.empty();
        }
        Ok(events)
    }

    /// Where rights are kept a message is one frame: only there can a prefix end where a topic does,
    /// by the zero byte behind it.
    fn multipart(&self) -> bool {
        self.grants.is_none()
    }

    fn reconsider(&mut self) -> Result<(), Error> {
        match (&mut self.grants, &mut self.opened.door) {
            (Some(grants), Some(door)) => grants.reconsider(door),
            _ => Ok(()),
        }
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
        self.opened.poll_door(set);
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
pub(crate) fn send(socket: &mut Socket, message: Message) -> Result<Went, Error> {
    let count = message.frames().len();
    let mut frames = message.into_frames();
    let Some(first) = frames.next() else {
        return Ok(Went::Taken);
    };
    let mut first = first.into_zmq();
    let more = |at: usize| if at + 1 < count { SNDMORE } else { 0 };
    // Only the first frame can be refused for want of room: the room is counted in whole messages
    // (libzmq, dist_t::check_hwm and pipe_t::check_write).
    loop {
        let refused = match send_frame(socket, &mut first, DONTWAIT | more(0)) {
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
        let mut frame = frame.into_zmq();
        while let Err(error) = send_frame(socket, &mut frame, more(at + 1)) {
            if error != ::zmq::Error::EINTR {
                return Err(broken(error));
            }
        }
    }
    Ok(Went::Taken)
}

/// Gives libzmq a frame, which it leaves empty, or leaves as it is where it refuses it. The crate's
/// `send` of a message consumes what was refused, and that of bytes copies them: a third of what a
/// broker's thread does for a record.
fn send_frame(socket: &mut Socket, frame: &mut ::zmq::Message, flags: i32) -> ::zmq::Result<()> {
    // One has nothing but the other in it: there is no room for more, so both begin at one address.
    const {
        assert!(size_of::<::zmq::Message>() == size_of::<zmq_sys::zmq_msg_t>());
        assert!(align_of::<::zmq::Message>() == align_of::<zmq_sys::zmq_msg_t>());
    }
    let frame = std::ptr::from_mut(frame).cast();
    // SAFETY: the socket is open, and the frame is a message that libzmq made and nobody else looks at.
    let sent = unsafe { zmq_sys::zmq_msg_send(frame, socket.as_mut_ptr(), flags) };
    if sent >= 0 {
        return Ok(());
    }
    // SAFETY: it reads a number of this thread's.
    Err(::zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() }))
}
