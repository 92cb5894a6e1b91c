//! Listeners: where senders come in that speak neither ZeroMQ nor NNG.
//!
//! A listener is one file beside this one and one row in [`LISTENERS`]. To the hub each is an inlet
//! like any other (`inlet.rs`), so that nothing behind it knows the difference. One thread serves
//! all of them, and all that a sender can make it hold is bounded: connections, bytes and the time
//! that something begun may take. What goes beyond is refused, counted and told (`tally.rs`).

use std::net::{TcpListener as StdTcpListener, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use logbus_schemas::dialect::{self, Dialect};
use logbus_transport::{Attachment, Endpoint, Error, ErrorKind, Rate, Waker};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};

use crate::entrance::{Entrance, describe};
use crate::hub::Source;

mod api_key;
mod door;
mod inlet;
mod pickle_tcp;
mod seq_http;
mod tally;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

pub use api_key::{ApiKey, EmptyKey};
use door::Door;
pub(crate) use tally::Tally;
pub use tally::Trouble;

/// A way to listen.
pub struct Listener {
    /// How its entrances begin.
    pub scheme: &'static str,
    /// Who sends there.
    pub summary: &'static str,
    /// The dialect of the messages that it hands on.
    dialect: &'static str,
    serve: Serve,
}

/// Serves one connection to its end.
type Serve = fn(TcpStream, Arc<Door>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Every listener.
pub const LISTENERS: &[Listener] = &[pickle_tcp::LISTENER, seq_http::LISTENER];

/// What listeners are told.
#[derive(Debug, Clone)]
pub struct ListenConfig {
    /// The key that clients of Seq must show; `None` takes them without.
    pub api_key: Option<ApiKey>,
    /// Connections at a time, over all listeners; more are refused.
    pub connections: usize,
    /// How long the beginning of a message may take, or a message of up to about a MiB; each
    /// further MiB has a second more. What takes longer is broken off.
    pub patience: Duration,
    /// The most that one connection may send; who sends more is not read for so long.
    pub max_rate: Rate,
    /// Bytes that are held, over all listeners, before the hub takes them.
    pub bytes: usize,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            api_key: None,
            connections: 1024,
            patience: Duration::from_secs(10),
            max_rate: Rate::default(),
            bytes: 64 << 20,
        }
    }
}

/// The listener of this scheme.
pub(crate) fn of_scheme(scheme: &str) -> Option<&'static Listener> {
    LISTENERS.iter().find(|row| row.scheme == scheme)
}

/// Listeners at work.
pub(crate) struct Listening {
    stop: watch::Sender<Option<Duration>>,
    thread: Option<JoinHandle<()>>,
    finished: Arc<AtomicBool>,
    /// What they refused.
    pub(crate) tally: Arc<Tally>,
}

/// Opens every entrance that is a listener, and starts to serve them.
pub(crate) fn open(
    entrances: &[Entrance],
    config: &ListenConfig,
    max_frame: usize,
    waker: &Waker,
) -> Result<(Vec<Source>, Listening), Error> {
    let tally = Arc::new(Tally::new(waker.clone()));
    let (stop, stopped) = watch::channel(None);
    let shared = door::Shared {
        config: config.clone(),
        max_frame,
        connections: Arc::new(Semaphore::new(config.connections)),
        bytes: Arc::new(Semaphore::new(config.bytes)),
        tally: tally.clone(),
        stopped,
    };
    let (mut sources, mut doors) = (Vec::new(), Vec::new());
    for entrance in entrances {
        if let Some(listener) = entrance.listener {
            let (socket, endpoint) = bind(entrance.attachment.endpoint())?;
            let name: Arc<str> = describe(entrance, &endpoint).into();
            let (handoff, inlet) = inlet::pair(endpoint, shared.bytes.clone(), config.bytes)?;
            sources.push(Source {
                inlet: Box::new(inlet),
                name: name.clone(),
                dialect: Some(listener.dialect()?),
                is_kept: false,
                is_secured: false,
            });
            doors.push((
                listener.serve,
                socket,
                Door::new(name, handoff, shared.clone()),
            ));
        }
    }
    let finished = Arc::<AtomicBool>::default();
    let thread = start(doors, shared, finished.clone(), waker.clone())?;
    let listening = Listening {
        stop,
        thread: Some(thread),
        finished,
        tally,
    };
    Ok((sources, listening))
}

impl Listener {
    fn dialect(&self) -> Result<&'static Dialect, Error> {
        dialect::named(self.dialect).ok_or_else(|| Error {
            kind: ErrorKind::Unsupported,
            endpoint: None,
            source: format!("{:?} is no dialect", self.dialect).into(),
        })
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listener({})", self.scheme)
    }
}

/// A listener is its row.
impl PartialEq for Listener {
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme
    }
}

impl Eq for Listener {}

impl Listening {
    /// Takes no more connections, reads what has come and ends, within about `limit`.
    pub(crate) fn ask_to_stop(&self, limit: Duration) {
        self.stop.send_replace(Some(limit));
    }

    /// Whether all that came has been handed on.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Acquire)
    }
}

/// Stopped at once; what was not handed on by then is gone.
impl Drop for Listening {
    fn drop(&mut self) {
        self.ask_to_stop(Duration::ZERO);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing to say that was not said.
            thread.join().ok();
        }
    }
}

fn bind(endpoint: &Endpoint) -> Result<(StdTcpListener, Endpoint), Error> {
    let fail = |source: std::io::Error| Error {
        kind: match source.kind() {
            std::io::ErrorKind::AddrInUse => ErrorKind::InUse,
            _ => ErrorKind::Unusable,
        },
        endpoint: Some(endpoint.clone()),
        source: Box::new(source),
    };
    // Every interface, where there is IPv6 as well as where there is none.
    let places = match endpoint.address().strip_prefix("*:") {
        Some(port) => vec![format!("[::]:{port}"), format!("0.0.0.0:{port}")],
        None => vec![endpoint.address().to_owned()],
    };
    let addresses = places
        .iter()
        .filter_map(|place| place.to_socket_addrs().ok());
    let addresses: Vec<_> = addresses.flatten().collect();
    let socket = StdTcpListener::bind(addresses.as_slice()).map_err(fail)?;
    socket.set_nonblocking(true).map_err(fail)?;
    let port = socket.local_addr().map_err(fail)?.port();
    Ok((socket, endpoint.with_port(port)))
}

type Doors = Vec<(Serve, StdTcpListener, Arc<Door>)>;

fn start(
    doors: Doors,
    shared: door::Shared,
    finished: Arc<AtomicBool>,
    waker: Waker,
) -> Result<JoinHandle<()>, Error> {
    let fail = |source: std::io::Error| Error {
        kind: ErrorKind::Broken,
        endpoint: None,
        source: Box::new(source),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(fail)?;
    let run = move || {
        logbus_process::block_signals();
        serve_all(&runtime, doors, shared);
        runtime.shutdown_background();
        finished.store(true, Ordering::Release);
        waker.wake();
    };
    std::thread::Builder::new()
        .name("logbus-listen".to_owned())
        .spawn(run)
        .map_err(fail)
}

fn serve_all(runtime: &Runtime, doors: Doors, mut shared: door::Shared) {
    runtime.block_on(async {
        for (serve, socket, door) in doors {
            tokio::spawn(door::accept(serve, socket, door));
        }
        let limit = shared.stopped.wait_for(Option::is_some).await;
        let limit = limit.ok().and_then(|limit| *limit).unwrap_or_default();
        let all = u32::try_from(shared.config.connections).unwrap_or(u32::MAX);
        let ended = shared.connections.acquire_many(all);
        // What takes longer is cut off when the runtime ends.
        tokio::time::timeout(limit, ended).await.ok();
    });
}

/// The place of a listener, as the endpoint that TCP has for it.
pub(crate) fn place(address: &str) -> Result<Attachment, logbus_transport::EndpointError> {
    format!("tcp://{address}").parse().map(Attachment::Bind)
}

#[cfg(test)]
mod tests;
