//! ZeroMQ sockets: SUB, XSUB and PULL to receive from, XPUB and PUSH to send to.
//!
//! Each socket has a context of its own, so that it can be closed alone and within its own time.
//! A publishing outlet is an XPUB socket even where nobody asks for its subscriptions, because a
//! plain PUB drops silently what it sends before a subscription has come.
#![allow(unsafe_code, reason = "sending, in a way that the zmq crate lacks")]

mod opened;
mod monitor;

pub(crate) use monitor::{Standing, monitor, monitor_event, peer_events};
pub(crate) use opened::{Opened, broken, connect, set_raw};

use std::time::Duration;

use ::zmq::{DONTWAIT, POLLIN, SNDMORE, Socket, SocketType};

use crate::curve::Security;
use crate::endpoint::Endpoint;
use crate::floods::Floods;
use crate::grants::Grants;
use crate::message::{Frame, Message};
use crate::socket::{
    Attachment, Error, Flushed, Inlet, InletKind, Options, Outlet, OutletKind, PeerEvent, Sent,
    SubscriptionEvent, Transport, WhenFull,
};
use crate::wait::PollSet;
use opened::DOOR_EVERY;

pub(crate) const TRANSPORT: Transport = Transport {
    schemes: &["tcp", "ipc"],
    inlet: |kind, attachments, options| Ok(Box::new(ZmqInlet::open(kind, attachments, options)?)),
    outlet: |kind, attachments, options| Ok(Box::new(ZmqOutlet::open(kind, attachments, options)?)),
};

/// What subscribers say that is heard in one call; the rest waits for the next.
const TURN_EVENTS: u32 = 4096;

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
