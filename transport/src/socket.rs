//! What a socket promises, whatever carries its bytes.
//!
//! Two traits, their options and their errors, and the table of transports that implements them.
//! Calling order: open, then any of the other calls from one thread at a time, then `close`. No
//! call waits except `close`, and that no longer than it is told to; but an outlet of NNG that dials a
//! host which answers neither yes nor no waits half a second for each of its addresses, and before that
//! for its name.

use std::fmt;
use std::time::Duration;

use crate::curve::Security;
use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::notices::Notices;
use crate::rates::Rate;
use crate::tls::Tls;
use crate::wait::PollSet;

/// Which socket an inlet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InletKind {
    /// SUB: takes what it subscribed to and nothing else.
    Subscribe,
    /// XSUB: hands its subscriptions on to publishers, and takes whatever they send.
    /// On NNG the same as [`InletKind::Subscribe`].
    Forward,
    /// PULL: takes whatever it is sent.
    Pull,
}

/// Which socket an outlet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutletKind {
    /// XPUB: to every subscriber whose subscription matches; sees subscriptions come and go.
    /// On NNG PUB, where a peer that is there counts as a subscription to everything.
    Publish,
    /// PUSH: to one of the peers, in turn.
    Push,
}

/// What a publishing outlet does with a message when a subscriber's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// That subscriber loses the message; the others get it.
    Drop,
    /// Nobody gets it and it is given back: [`Sent::Busy`].
    Refuse,
}

/// An endpoint and what the socket does there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attachment {
    /// Listen there.
    Bind(Endpoint),
    /// Dial there, again and again until it works and whenever it breaks.
    Connect(Endpoint),
}

impl Attachment {
    /// The endpoint, whatever is done there.
    pub fn endpoint(&self) -> &Endpoint {
        match self {
            Attachment::Bind(endpoint) | Attachment::Connect(endpoint) => endpoint,
        }
    }
}

/// Limits and times of a socket.
#[derive(Debug, Clone)]
pub struct Options {
    /// Messages held for each peer that does not take them as fast as they come (the high-water
    /// mark). An outlet that connects holds them also while there is no connection.
    pub send_queue: usize,
    /// Messages held before `receive` takes them.
    pub receive_queue: usize,
    /// Bytes of the largest frame that is taken in; the peer that sends more is disconnected. At an
    /// outlet, where only subscriptions come in, 1 KiB is the most.
    pub max_frame: usize,
    /// First wait before dialling again; it doubles at each failure up to `reconnect_max`.
    pub reconnect_min: Duration,
    /// Longest wait before dialling again.
    pub reconnect_max: Duration,
    /// What a publishing outlet does when a subscriber's queue is full.
    pub when_full: WhenFull,
    /// Sent by a ZeroMQ publishing outlet to each new subscriber that subscribed to these bytes
    /// before it connected: a sign that the connection stands. One frame.
    pub welcome: Option<Vec<u8>>,
    /// Whether an inlet reports peers as [`PeerEvent`]s.
    pub watch_peers: bool,
    /// How often a ZeroMQ connection is tried, so that one whose other side is gone breaks.
    pub heartbeat: Option<Duration>,
    /// How long a ZeroMQ peer may take to come in before it is cut.
    pub handshake: Duration,
    /// Connections that a listening socket has at once; one more is cut.
    pub max_connections: usize,
    /// Subscriptions of one connection at a secured socket; who asks for more is cut.
    pub max_subscriptions: usize,
    /// The most that one sender may send to a listening inlet; who sends more is cut.
    pub max_rate: Rate,
    /// How a ZeroMQ socket is secured; not at all when `None`.
    pub security: Option<Security>,
    /// How an NNG socket over TLS is secured.
    pub tls: Option<Tls>,
    /// Where a listening socket puts down what an operator should know.
    pub notices: Notices,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            send_queue: 1000,
            receive_queue: 1000,
            max_frame: 64 << 20,
            reconnect_min: Duration::from_millis(50),
            reconnect_max: Duration::from_secs(1),
            when_full: WhenFull::Drop,
            welcome: None,
            watch_peers: false,
            heartbeat: Some(Duration::from_secs(5)),
            handshake: Duration::from_secs(10),
            max_connections: 1000,
            max_subscriptions: 1000,
            max_rate: Rate::default(),
            security: None,
            tls: None,
            notices: Notices::default(),
        }
    }
}

/// What became of a message.
#[derive(Debug)]
#[must_use]
#[allow(
    clippy::large_enum_variant,
    reason = "a refused message is given back as it was, unboxed"
)]
pub enum Sent {
    /// The socket has it.
    Taken,
    /// There was no room ([`WhenFull::Refuse`], or a PUSH socket with no peer): try again later.
    /// Nothing announces that there is room.
    Busy(Message),
}

/// A subscription that came or went at an outlet, as the prefix that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionEvent {
    /// Somebody now wants what starts with this.
    Added(Vec<u8>),
    /// Nobody wants what starts with this any more (unless another prefix covers it).
    Removed(Vec<u8>),
}

impl SubscriptionEvent {
    /// Whether it came.
    pub fn is_added(&self) -> bool {
        matches!(self, SubscriptionEvent::Added(_))
    }
}

/// A peer that came or went at an inlet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// A connection stands.
    Connected,
    /// A connection broke.
    Disconnected,
    /// The other side would not have this one, or this one not the other: the keys do not fit.
    Refused,
}

/// What `close` achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// All that was taken for connected peers has gone to the operating system.
    Complete,
    /// The time was up first: some of what was taken last may be gone.
    TimedOut,
}

/// A socket from which messages are received.
pub trait Inlet: Send {
    /// The next message, or `None` when there is none just now.
    fn receive(&mut self) -> Result<Option<Message>, Error>;
    /// Asks for what starts with `prefix`, once more each time (subscriptions are counted).
    fn subscribe(&mut self, prefix: &[u8]) -> Result<(), Error>;
    /// Takes one `subscribe` back.
    fn unsubscribe(&mut self, prefix: &[u8]) -> Result<(), Error>;
    /// What peers did since the last call, oldest first, when `watch_peers` was set.
    fn peer_events(&mut self) -> Vec<PeerEvent>;
    /// Where the socket listens or dials, with the real port where 0 was asked for.
    fn endpoints(&self) -> &[Endpoint];
    /// Adds what [`crate::wait()`] must watch to see a message or a peer come.
    fn poll<'a>(&'a self, set: &mut PollSet<'a>);
}

/// A socket to which messages are sent.
pub trait Outlet: Send {
    /// Sends, or gives the message back.
    fn send(&mut self, message: Message) -> Result<Sent, Error>;
    /// Subscriptions that came or went since the last call, oldest first.
    fn subscription_events(&mut self) -> Result<Vec<SubscriptionEvent>, Error>;
    /// Whether a message may have several frames. Where not, `send` joins them end to end.
    fn multipart(&self) -> bool;
    /// Changes what happens when a subscriber's queue is full.
    fn set_when_full(&mut self, when_full: WhenFull) -> Result<(), Error>;
    /// The gate of a secured socket may decide otherwise now: whoever has subscriptions by what it
    /// decided before is cut, and comes again.
    fn reconsider(&mut self) -> Result<(), Error> {
        Ok(())
    }
    /// Whether all that was taken is known to have gone to the operating system; `None` where the
    /// socket cannot tell before it is closed (ZeroMQ).
    fn is_flushed(&mut self) -> Option<bool>;
    /// Where the socket listens or dials, with the real port where 0 was asked for.
    fn endpoints(&self) -> &[Endpoint];
    /// Adds what [`crate::wait()`] must watch to see a subscription come or queued bytes go.
    fn poll<'a>(&'a self, set: &mut PollSet<'a>);
    /// Sends what was taken and closes, within `linger`.
    fn close(self: Box<Self>, linger: Duration) -> Flushed;
}

/// What went wrong, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Somebody else listens there.
    InUse,
    /// The endpoint cannot be used: no such host, no such directory, no permission.
    Unusable,
    /// This build or transport cannot do that.
    Unsupported,
    /// The socket is closed or the process is out of resources.
    Broken,
}

/// A socket's error: its kind, where it happened, and what the system said.
#[derive(Debug)]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The endpoint, where there is one.
    pub endpoint: Option<Endpoint>,
    /// What the library or the system said.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(endpoint) = &self.endpoint {
            write!(f, "{endpoint}: ")?;
        }
        match self.kind {
            ErrorKind::InUse => write!(f, "something else already listens there"),
            ErrorKind::Unusable | ErrorKind::Broken | ErrorKind::Unsupported => {
                write!(f, "{}", self.source)
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.kind {
            ErrorKind::InUse => Some(&*self.source),
            // It is told above already.
            ErrorKind::Unusable | ErrorKind::Broken | ErrorKind::Unsupported => {
                self.source.source()
            }
        }
    }
}

/// How a socket is opened.
pub(crate) type Open<Kind, Socket> =
    fn(Kind, &[Attachment], &Options) -> Result<Box<Socket>, Error>;

/// A way to carry frames: one row of the table, one file.
pub(crate) struct Transport {
    /// How its endpoints begin, e.g. `tcp` or `nng+tcp`.
    pub(crate) schemes: &'static [&'static str],
    /// Opens a socket to receive from.
    pub(crate) inlet: Open<InletKind, dyn Inlet>,
    /// Opens a socket to send to.
    pub(crate) outlet: Open<OutletKind, dyn Outlet>,
}

/// Every transport.
pub(crate) const TRANSPORTS: &[Transport] = &[
    crate::zmq::TRANSPORT,
    crate::nng::TRANSPORT,
    #[cfg(any(test, feature = "memory"))]
    crate::memory::TRANSPORT,
];

/// Opens a socket to receive from. All its endpoints are of one transport.
pub fn open_inlet(
    kind: InletKind,
    attachments: &[Attachment],
    options: &Options,
) -> Result<Box<dyn Inlet>, Error> {
    (transport_of(attachments)?.inlet)(kind, attachments, options)
}

/// Bytes of the largest frame that an outlet takes in. Nothing comes in there but handshakes and
/// subscriptions, of which libzmq keeps a node for every byte; no topic has more than 255 bytes.
const MAX_UPSTREAM_FRAME: usize = 1024;

/// Opens a socket to send to. All its endpoints are of one transport.
pub fn open_outlet(
    kind: OutletKind,
    attachments: &[Attachment],
    options: &Options,
) -> Result<Box<dyn Outlet>, Error> {
    let options = Options {
        max_frame: options.max_frame.min(MAX_UPSTREAM_FRAME),
        ..options.clone()
    };
    (transport_of(attachments)?.outlet)(kind, attachments, &options)
}

fn transport_of(attachments: &[Attachment]) -> Result<&'static Transport, Error> {
    let unsupported = |endpoint: Option<&Endpoint>, why: &str| Error {
        kind: ErrorKind::Unsupported,
        endpoint: endpoint.cloned(),
        source: why.into(),
    };
    let first = attachments
        .first()
        .ok_or_else(|| unsupported(None, "a socket needs an endpoint"))?;
    let other = attachments
        .iter()
        .find(|a| !a.endpoint().same_transport(first.endpoint()));
    match other {
        Some(other) => Err(unsupported(
            Some(other.endpoint()),
            "one socket cannot serve ZeroMQ and NNG at once",
        )),
        None => Ok(first.endpoint().transport()),
    }
}

/// Whether the libzmq that this program is linked with can encrypt (CURVE).
pub fn has_encryption() -> bool {
    ::zmq::has("curve").unwrap_or(false)
}
