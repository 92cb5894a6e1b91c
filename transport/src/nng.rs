//! NNG sockets through libnng: SUB and PULL to receive from, PUB and PUSH to send to.
//!
//! NNG matches subscriptions at the subscriber and keeps no count of them, so the inlet counts
//! for itself. PUB tells neither when a subscriber's queue is full (it drops that queue's oldest
//! message) nor when what it holds has gone. A publisher that only connects is therefore served
//! by [`crate::sp`], which knows both, and lives through a fork besides.
#![allow(
    unsafe_code,
    reason = "nng_stats_* are C interfaces that the nng crate lacks, and nng_pipe_close one it panics in"
)]

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::nng::options::protocol::pubsub::{Subscribe, Unsubscribe};
use ::nng::options::transport::ipc::Permissions;
use ::nng::options::transport::tcp::{BoundPort, KeepAlive};
use ::nng::options::{
    Options as _, ReconnectMaxTime, ReconnectMinTime, RecvBufferSize, RecvFd, RecvMaxSize,
    SendBufferSize,
};
use ::nng::{DialerBuilder, ListenerBuilder, Pipe, PipeEvent, Protocol, Socket};

use crate::endpoint::Endpoint;
use crate::message::{Frame, Message};
use crate::nng_closing::Closing;
use crate::nng_tls;
use crate::rates::Rates;
use crate::socket::{
    Attachment, Error, ErrorKind, Flushed, Inlet, InletKind, Options, Outlet, OutletKind,
    PeerEvent, Sent, SubscriptionEvent, Transport, WhenFull,
};
use crate::sp::SpOutlet;
use crate::tls::Tls;
use crate::wait::{PollSet, Waker, wait};

pub(crate) const TRANSPORT: Transport = Transport {
    schemes: &["nng+tcp", "nng+ipc", "nng+tls+tcp"],
    inlet: |kind, attachments, options| Ok(Box::new(NngInlet::open(kind, attachments, options)?)),
    outlet: open_outlet,
};

/// Messages beyond a rate that are dropped in a row.
const TURN: usize = 64;
/// NNG keeps at most this many messages in a queue (`SendBufferSize`, `RecvBufferSize`).
const MAX_QUEUE: usize = 8192;

fn open_outlet(
    kind: OutletKind,
    attachments: &[Attachment],
    options: &Options,
) -> Result<Box<dyn Outlet>, Error> {
    let only_connects = attachments
        .iter()
        .all(|a| matches!(a, Attachment::Connect(_)));
    if kind == OutletKind::Publish && only_connects {
        return Ok(Box::new(SpOutlet::open(attachments, options)?));
    }
    Ok(Box::new(NngOutlet::open(kind, attachments, options)?))
}

/// The kind of the notices that are told from here; a ZeroMQ socket's door has the same.
const TOO_MANY: &str = "connections beyond the limit";

/// Which peers a socket has, kept by NNG's own threads.
#[derive(Clone)]
struct Peers {
    /// Whether each can send or receive by now.
    present: Arc<Mutex<HashMap<Pipe, bool>>>,
    changed: Waker,
    seen: usize,
}

impl Peers {
    /// Watches a socket, and lets in no more than it may have where it listens.
    fn watch(
        socket: &Socket,
        attachments: &[Attachment],
        options: &Options,
    ) -> Result<Self, Error> {
        let peers = Self {
            present: Arc::default(),
            changed: Waker::new()?,
            seen: 0,
        };
        let (present, changed) = (peers.present.clone(), peers.changed.clone());
        let (notices, max) = (options.notices.clone(), options.max_connections);
        let is_limited = attachments.iter().any(|a| matches!(a, Attachment::Bind(_)));
        let places: Vec<String> = attachments
            .iter()
            .map(|a| a.endpoint().to_string())
            .collect();
        let places = places.join(",");
        let watch = move |pipe: Pipe, event| {
            let mut present = present.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                PipeEvent::AddPre if is_limited && present.len() >= max => {
                    drop(present);
                    notices.tell(TOO_MANY, || {
                        format!("connection to {places} cut: {max} connections are the limit")
                    });
                    // Closed at this point, the socket never sees it.
                    end(pipe);
                    return;
                }
                PipeEvent::AddPre => present.insert(pipe, false),
                PipeEvent::AddPost => present.insert(pipe, true),
                // One that was never added is removed as well.
                PipeEvent::RemovePost => present.remove(&pipe),
                _ => return,
            };
            changed.wake();
        };
        socket.pipe_notify(watch).map_err(broken)?;
        Ok(peers)
    }

    /// How many there are.
    fn count(&self) -> usize {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.values().filter(|can_talk| **can_talk).count()
    }

    /// How many there were at the last call and how many there are now.
    fn look(&mut self) -> (usize, usize) {
        self.changed.clear();
        let now = self.count();
        (std::mem::replace(&mut self.seen, now), now)
    }
}

/// Closes a pipe. The crate's own `close` panics where it has gone by itself.
fn end(pipe: Pipe) {
    // SAFETY: a pipe is a number, and one that is not there is an error that changes nothing.
    let _is_gone = unsafe { nng_sys::nng_pipe_close(pipe.nng_pipe()) };
}

fn is_listening(attachments: &[Attachment]) -> bool {
    attachments.iter().any(|a| matches!(a, Attachment::Bind(_)))
}

fn places(endpoints: &[Endpoint]) -> String {
    let places: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
    places.join(",")
}

fn attach(
    socket: &Socket,
    attachments: &[Attachment],
    options: &Options,
) -> Result<Vec<Endpoint>, Error> {
    attachments
        .iter()
        .map(|attachment| match attachment {
            Attachment::Bind(endpoint) => listen(socket, endpoint, options),
            Attachment::Connect(endpoint) => dial(socket, endpoint, options),
        })
        .collect()
}

/// The URL as NNG writes it: without `nng+`, and with no host for every interface.
fn url(endpoint: &Endpoint) -> String {
    let text = endpoint.to_string();
    text.trim_start_matches("nng+")
        .replacen("tcp://*:", "tcp://0.0.0.0:", 1)
}

fn listen(socket: &Socket, endpoint: &Endpoint, options: &Options) -> Result<Endpoint, Error> {
    let at = |error| at_endpoint(error, endpoint);
    let builder = ListenerBuilder::new(socket, &url(endpoint)).map_err(at)?;
    builder
        .set_opt::<RecvMaxSize>(options.max_frame)
        .map_err(at)?;
    if endpoint.is_tcp() {
        builder.set_opt::<KeepAlive>(true).map_err(at)?;
    } else {
        // NNG sets it between binding and listening, when nobody can connect yet.
        builder.set_opt::<Permissions>(0o600).map_err(at)?;
    }
    if endpoint.is_tls() {
        let tls = Tls::or_environment(options.tls.as_ref(), endpoint)?;
        nng_tls::listen(builder.nng_listener(), &tls, endpoint)?;
    }
    let listener = builder.start().map_err(|(_, error)| at(error))?;
    match endpoint.port() {
        Some(0) => Ok(endpoint.with_port(listener.get_opt::<BoundPort>().map_err(at)?)),
        _ => Ok(endpoint.clone()),
    }
}

fn dial(socket: &Socket, endpoint: &Endpoint, options: &Options) -> Result<Endpoint, Error> {
    let at = |error| at_endpoint(error, endpoint);
    let builder = DialerBuilder::new(socket, &url(endpoint)).map_err(at)?;
    builder
        .set_opt::<RecvMaxSize>(options.max_frame)
        .map_err(at)?;
    builder
        .set_opt::<ReconnectMinTime>(Some(options.reconnect_min))
        .map_err(at)?;
    builder
        .set_opt::<ReconnectMaxTime>(Some(options.reconnect_max))
        .map_err(at)?;
    if endpoint.is_tcp() {
        builder.set_opt::<KeepAlive>(true).map_err(at)?;
    }
    if endpoint.is_tls() {
        let tls = Tls::or_environment(options.tls.as_ref(), endpoint)?;
        nng_tls::dial(builder.nng_dialer(), &tls, endpoint)?;
    }
    builder.start(true).map_err(|(_, error)| at(error))?;
    Ok(endpoint.clone())
}

fn at_endpoint(error: ::nng::Error, endpoint: &Endpoint) -> Error {
    let kind = match error {
        ::nng::Error::AddressInUse => ErrorKind::InUse,
        _ => ErrorKind::Unusable,
    };
    Error {
        kind,
        endpoint: Some(endpoint.clone()),
        source: Box::new(error),
    }
}

fn broken(error: ::nng::Error) -> Error {
    Error {
        kind: ErrorKind::Broken,
        endpoint: None,
        source: Box::new(error),
    }
}

fn queue(messages: usize) -> i32 {
    messages.clamp(1, MAX_QUEUE) as i32
}

struct NngInlet {
    socket: Closing<Socket>,
    readable: RawFd,
    subscriptions: HashMap<Vec<u8>, usize>,
    peers: Option<Peers>,
    /// Where senders have a rate, by pipe.
    rates: Option<Rates<Pipe>>,
    endpoints: Vec<Endpoint>,
}

impl NngInlet {
    fn open(kind: InletKind, attachments: &[Attachment], options: &Options) -> Result<Self, Error> {
        let protocol = match kind {
            InletKind::Subscribe | InletKind::Forward => Protocol::Sub0,
            InletKind::Pull => Protocol::Pull0,
        };
        let closing = Closing::new(Socket::new(protocol).map_err(broken)?);
        let socket = closing.get()?;
        if protocol == Protocol::Sub0 {
            let size = queue(options.receive_queue);
            socket.set_opt::<RecvBufferSize>(size).map_err(broken)?;
        }
        let peers = Peers::watch(socket, attachments, options)?;
        let readable = socket.get_opt::<RecvFd>().map_err(broken)?;
        let endpoints = attach(socket, attachments, options)?;
        Ok(Self {
            socket: closing,
            readable,
            subscriptions: HashMap::new(),
            peers: options.watch_peers.then_some(peers),
            rates: match is_listening(attachments) {
                true => Rates::new(options.max_rate, &options.notices, places(&endpoints)),
                false => None,
            },
            endpoints,
        })
    }
}

impl NngInlet {
    /// Whether a message is within its sender's rate. If not, its sender's connection is closed.
    fn lets_pass(&mut self, message: &mut ::nng::Message) -> bool {
        let (Some(rates), Some(pipe)) = (&mut self.rates, message.pipe()) else {
            return true;
        };
        let passes = rates.admits(pipe, || "client".to_owned(), message.len());
        if !passes {
            end(pipe);
        }
        passes
    }
}

impl Inlet for NngInlet {
    fn receive(&mut self) -> Result<Option<Message>, Error> {
        for _ in 0..TURN {
            match self.socket.get()?.try_recv() {
                Ok(mut message) => {
                    if self.lets_pass(&mut message) {
                        return Ok(Some([Frame::from_nng(message)].into_iter().collect()));
                    }
                }
                Err(::nng::Error::TryAgain) => return Ok(None),
                Err(error) => return Err(broken(error)),
            }
        }
        // Others get their turn; that there is more shows when the socket is waited for.
        Ok(None)
    }

    fn subscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        let count = self.subscriptions.entry(prefix.to_vec()).or_default();
        *count += 1;
        if *count > 1 {
            return Ok(());
        }
        let socket = self.socket.get()?;
        socket.set_opt::<Subscribe>(prefix.to_vec()).map_err(broken)
    }

    fn unsubscribe(&mut self, prefix: &[u8]) -> Result<(), Error> {
        match self.subscriptions.get_mut(prefix) {
            Some(count) if *count > 1 => {
                *count -= 1;
                Ok(())
            }
            Some(_) => {
                self.subscriptions.remove(prefix);
                let socket = self.socket.get()?;
                socket
                    .set_opt::<Unsubscribe>(prefix.to_vec())
                    .map_err(broken)
            }
            None => Ok(()),
        }
    }

    fn peer_events(&mut self) -> Vec<PeerEvent> {
        let Some(peers) = &mut self.peers else {
            return Vec::new();
        };
        let (before, now) = peers.look();
        let event = if now > before {
            PeerEvent::Connected
        } else {
            PeerEvent::Disconnected
        };
        vec![event; now.abs_diff(before)]
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        set.add_fd(self.readable, false);
        if let Some(peers) = &self.peers {
            peers.changed.poll(set);
        }
    }
}

struct NngOutlet {
    socket: Closing<Socket>,
    kind: OutletKind,
    peers: Peers,
    endpoints: Vec<Endpoint>,
}

impl NngOutlet {
    fn open(
        kind: OutletKind,
        attachments: &[Attachment],
        options: &Options,
    ) -> Result<Self, Error> {
        let protocol = match kind {
            OutletKind::Publish => Protocol::Pub0,
            OutletKind::Push => Protocol::Push0,
        };
        let closing = Closing::new(Socket::new(protocol).map_err(broken)?);
        let socket = closing.get()?;
        if kind == OutletKind::Publish {
            socket
                .set_opt::<SendBufferSize>(queue(options.send_queue))
                .map_err(broken)?;
        }
        let peers = Peers::watch(socket, attachments, options)?;
        let endpoints = attach(socket, attachments, options)?;
        Ok(Self {
            socket: closing,
            kind,
            peers,
            endpoints,
        })
    }

    /// Bytes that all peers' connections have sent so far, as NNG's statistics tell.
    fn bytes_sent(&self) -> u64 {
        self.socket.get().map_or(0, sent_statistics)
    }
}

impl Outlet for NngOutlet {
    fn send(&mut self, message: Message) -> Result<Sent, Error> {
        let body = ::nng::Message::from(message.join().as_slice());
        match self.socket.get()?.try_send(body) {
            Ok(()) => Ok(Sent::Taken),
            Err((_, ::nng::Error::TryAgain)) => Ok(Sent::Busy(message)),
            Err((_, error)) => Err(broken(error)),
        }
    }

    fn subscription_events(&mut self) -> Result<Vec<SubscriptionEvent>, Error> {
        let event = match self.peers.look() {
            (0, 1..) => SubscriptionEvent::Added(Vec::new()),
            (1.., 0) => SubscriptionEvent::Removed(Vec::new()),
            _ => return Ok(Vec::new()),
        };
        Ok(if self.kind == OutletKind::Publish {
            vec![event]
        } else {
            Vec::new()
        })
    }

    fn multipart(&self) -> bool {
        false
    }

    /// NNG's PUB always drops; there is nothing to set.
    fn set_when_full(&mut self, _when_full: WhenFull) -> Result<(), Error> {
        Ok(())
    }

    fn is_flushed(&mut self) -> Option<bool> {
        None
    }

    fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        self.peers.changed.poll(set);
    }

    /// NNG throws its queues away when it closes, so this waits until no connection has sent
    /// anything for a moment.
    fn close(self: Box<Self>, linger: Duration) -> Flushed {
        const PAUSE: Duration = Duration::from_millis(20);
        let deadline = Instant::now() + linger;
        if self.peers.count() == 0 {
            return Flushed::Complete;
        }
        let mut sent = self.bytes_sent();
        while Instant::now() + PAUSE < deadline {
            drop(wait(&mut PollSet::new(), Some(PAUSE)));
            let now = self.bytes_sent();
            if now == sent {
                return Flushed::Complete;
            }
            sent = now;
        }
        Flushed::TimedOut
    }
}

fn sent_statistics(socket: &Socket) -> u64 {
    use nng_sys::{nng_stat_child, nng_stat_find_socket, nng_stats_free, nng_stats_get};
    let mut all = std::ptr::null_mut();
    // SAFETY: nng_stats_get fills `all` with a tree that is ours until nng_stats_free; in between
    // it is only read, and null children end the walk.
    unsafe {
        if nng_stats_get(&mut all) != 0 {
            return 0;
        }
        let socket = nng_stat_find_socket(all, socket.nng_socket());
        let sum = if socket.is_null() {
            0
        } else {
            sum_sent(nng_stat_child(socket))
        };
        nng_stats_free(all);
        sum
    }
}

/// Sums `tx_bytes` over a statistic, its siblings and all below.
///
/// # Safety
/// `stat` is null or part of a tree from `nng_stats_get` that was not freed yet.
unsafe fn sum_sent(mut stat: *mut nng_sys::nng_stat) -> u64 {
    let mut sum = 0;
    while !stat.is_null() {
        // SAFETY: not null, and the caller vouches for the tree; a name is a C string.
        unsafe {
            let name = std::ffi::CStr::from_ptr(nng_sys::nng_stat_name(stat));
            if name.to_bytes() == b"tx_bytes" {
                sum += nng_sys::nng_stat_value(stat);
            }
            sum += sum_sent(nng_sys::nng_stat_child(stat));
            stat = nng_sys::nng_stat_next(stat);
        }
    }
    sum
}
