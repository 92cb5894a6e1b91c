//! One listener's socket: accepts connections and bounds their number.
//!
//! Each connection is served by a task of its own and counts until that ends. What a task needs of
//! the outside stands in its [`Door`].

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use logbus_transport::Meter;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::inlet::Handoff;
use super::tally::{Tally, Trouble};
use super::{ListenConfig, Serve};

/// After this long a socket that could not accept tries again: as a rule the process has as many
/// files open as it may, and nothing announces that it has fewer.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// After so much quiet the system tries whether the other side is still there. Between messages a
/// sender may be quiet for as long as it likes, so that nothing else would ever find out.
const QUIET: Duration = Duration::from_secs(15);

/// What all listeners of a broker share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) config: ListenConfig,
    /// Bytes of the largest message.
    pub(super) max_frame: usize,
    pub(super) connections: Arc<Semaphore>,
    pub(super) bytes: Arc<Semaphore>,
    pub(super) tally: Arc<Tally>,
    /// Within which time to end, once that is asked for.
    pub(super) stopped: watch::Receiver<Option<Duration>>,
}

/// What serving a connection needs.
pub(super) struct Door {
    /// The entrance, as it is written.
    pub(super) name: Arc<str>,
    pub(super) handoff: Handoff,
    pub(super) shared: Shared,
}

impl Door {
    pub(super) fn new(name: Arc<str>, handoff: Handoff, shared: Shared) -> Arc<Self> {
        Arc::new(Self {
            name,
            handoff,
            shared,
        })
    }

    /// How long so many bytes may take that have begun to come.
    pub(super) fn time_for(&self, bytes: usize) -> Duration {
        self.shared.config.patience + Duration::from_secs((bytes >> 20) as u64)
    }

    /// Waits until the listeners are to end.
    pub(super) async fn stopped(&self) {
        let mut stopped = self.shared.stopped.clone();
        // An error says that nobody is left who could ask: then they are to end as well.
        stopped.wait_for(Option::is_some).await.ok();
    }

    /// Waits until a connection that has sent this besides may send more.
    pub(super) async fn pace(&self, meter: &Mutex<Meter>, messages: usize, bytes: usize) {
        let rate = self.shared.config.max_rate;
        let charge = |mut meter: MutexGuard<'_, Meter>| {
            meter.charge_anyhow(rate, messages, bytes, Instant::now())
        };
        let early = meter.lock().map_or(Duration::ZERO, charge);
        if early.is_zero() {
            return;
        }
        self.count(Trouble::SlowedDown, || {
            format!("a connection is read more slowly: it sends more than {rate}")
        });
        tokio::select! {
            () = tokio::time::sleep(early) => {}
            () = self.stopped() => {}
        }
    }

    pub(super) fn count(&self, trouble: Trouble, notice: impl FnOnce() -> String) {
        let tally = &self.shared.tally;
        tally.count(trouble, || format!("{}: {}", self.name, notice()));
    }
}

/// Accepts connections and serves them, until the listeners are to end.
pub(super) async fn accept(serve: Serve, socket: StdTcpListener, door: Arc<Door>) {
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            let notice = || format!("nobody can connect: {error}");
            return door.count(Trouble::RefusedConnection, notice);
        }
    };
    loop {
        tokio::select! {
            connection = socket.accept() => match connection {
                Ok((stream, _)) => admit(serve, stream, &door),
                Err(error) => refuse_for_now(&door, &error).await,
            },
            () = door.stopped() => return,
        }
    }
}

/// Serves a connection if there are not too many; else it is closed.
fn admit(serve: Serve, stream: TcpStream, door: &Arc<Door>) {
    let Ok(permit) = door.shared.connections.clone().try_acquire_owned() else {
        let most = door.shared.config.connections;
        let notice = || format!("a connection was refused: there are {most} already");
        return door.count(Trouble::RefusedConnection, notice);
    };
    let alive = TcpKeepalive::new()
        .with_time(QUIET)
        .with_interval(QUIET / 3);
    if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&alive) {
        let notice = || format!("a connection may outlive its other side: {error}");
        return door.count(Trouble::RefusedConnection, notice);
    }
    let door = door.clone();
    tokio::spawn(async move {
        serve(stream, door).await;
        drop(permit);
    });
}

async fn refuse_for_now(door: &Door, error: &io::Error) {
    door.count(Trouble::RefusedConnection, || {
        format!("a connection could not be accepted: {error}")
    });
    tokio::time::sleep(ACCEPT_AGAIN).await;
}
