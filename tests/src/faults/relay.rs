//! A bad road between two programs: a relay that hands on the bytes of TCP connections late, slowly, in
//! small pieces, with standstills, and that breaks connections in the midst of whatever is under way.
//!
//! All is drawn from a seed. The bytes of a connection stay in their order, as TCP has it; what has a
//! broken connection is gone at either end, as with a router that forgot it. Where the relay leads can
//! be changed: then it is the broker that moved.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::Chance;

/// Bytes that are read at once.
const PIECE: usize = 16 << 10;
/// Pieces that are under way in one direction of a connection; what follows waits in its sender.
const UNDER_WAY: usize = 64;
/// How often somebody who cannot write looks whether the connection is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a road does to what goes over it, in each direction of each connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weather {
    /// Every piece comes so much later, and up to so much more.
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) bytes_per_second: Option<u32>,
    /// Pieces have at most so many bytes, and often fewer.
    pub(super) piece: Option<u32>,
    /// After about so many bytes nothing moves for a while.
    pub(super) stall_every: Option<u32>,
    pub(super) stall: Duration,
    /// After about so many bytes the connection breaks.
    pub(super) reset_every: Option<u32>,
}

/// The relay, until it is dropped.
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    weather: Mutex<Weather>,
    connections: Mutex<HashMap<u64, Arc<Connection>>>,
    chance: Mutex<Chance>,
    is_over: AtomicBool,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    bytes: AtomicU64,
    resets: AtomicU64,
    stalls: AtomicU64,
}

impl Relay {
    /// A relay that leads to this address.
    pub(super) fn start(target: SocketAddr, seed: u64, weather: Weather) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            weather: Mutex::new(weather),
            connections: Mutex::default(),
            chance: Mutex::new(Chance::new(seed)),
            is_over: AtomicBool::new(false),
            counts: Counts::default(),
        });
        let served = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if served.is_over.load(Ordering::SeqCst) {
                    return;
                }
                Connection::begin(&served, stream);
            }
        });
        Self { address, shared }
    }

    pub(super) fn set(&self, weather: Weather) {
        *hold(&self.shared.weather) = weather;
    }

    /// Leads somewhere else from now on; the connections to where it led before break.
    pub(super) fn lead_to(&self, target: SocketAddr) {
        *hold(&self.shared.target) = target;
        self.shared.reset_all();
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.shared.reset_all();
        // The thread that accepts looks when somebody comes.
        drop(TcpStream::connect(self.address));
    }
}

impl std::fmt::Display for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts {
            connections,
            bytes,
            resets,
            stalls,
        } = &self.shared.counts;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            f,
            "{:.1} MB over {} connections, {} of them broken, {} standstills",
            of(bytes) as f64 / 1e6,
            of(connections),
            of(resets),
            of(stalls)
        )
    }
}

impl Shared {
    fn weather(&self) -> Weather {
        *hold(&self.weather)
    }

    fn draw(&self) -> Chance {
        Chance::new(hold(&self.chance).draw())
    }

    fn reset_all(&self) {
        let all: Vec<_> = hold(&self.connections).drain().collect();
        for (_, connection) in all {
            connection.reset(&self.counts);
        }
    }
}

/// Both ends of what is one connection to those who talk over it.
struct Connection {
    ends: [TcpStream; 2],
    is_over: AtomicBool,
}

impl Connection {
    fn begin(shared: &Arc<Shared>, stream: TcpStream) {
        let target = *hold(&shared.target);
        // Nobody there: the caller finds its connection closed, as if the broker had refused it.
        let Ok(there) = TcpStream::connect(target) else {
            return;
        };
        for end in [&stream, &there] {
            end.set_nodelay(true).unwrap();
            end.set_write_timeout(Some(LOOK_EVERY)).unwrap();
        }
        let connection = Arc::new(Self {
            ends: [stream, there],
            is_over: AtomicBool::new(false),
        });
        let id = shared.counts.connections.fetch_add(1, Ordering::Relaxed);
        hold(&shared.connections).insert(id, connection.clone());
        for from in [0, 1] {
            let (give, take) = sync_channel(UNDER_WAY);
            let reading = (shared.clone(), connection.clone());
            std::thread::spawn(move || reading.1.read(from, &reading.0, &give));
            let writing = (shared.clone(), connection.clone());
            std::thread::spawn(move || {
                writing.1.write(1 - from, &writing.0, &take);
                if from == 0 {
                    hold(&writing.0.connections).remove(&id);
                }
            });
        }
    }

    /// Breaks it: what was not read yet at either end is gone with it.
    fn reset(&self, counts: &Counts) {
        if self.is_over.swap(true, Ordering::SeqCst) {
            return;
        }
        counts.resets.fetch_add(1, Ordering::Relaxed);
        for end in &self.ends {
            // An end that is closed already needs neither. Without lingering the last close is a reset.
            drop(SockRef::from(end).set_linger(Some(Duration::ZERO)));
            drop(end.shutdown(Shutdown::Read));
        }
    }

    fn read(&self, from: usize, shared: &Shared, give: &SyncSender<(Instant, Vec<u8>)>) {
        let mut chance = shared.draw();
        let mut buffer = vec![0; PIECE];
        let mut last = Instant::now();
        while let Ok(count @ 1..) = (&self.ends[from]).read(&mut buffer) {
            let weather = shared.weather();
            let more = u64::try_from(weather.jitter.as_micros()).unwrap();
            let more = Duration::from_micros(chance.below(more + 1));
            // Nothing overtakes what went before.
            last = last.max(Instant::now() + weather.delay + more);
            if give.send((last, buffer[..count].to_vec())).is_err() {
                return;
            }
        }
    }

    fn write(&self, to: usize, shared: &Shared, take: &Receiver<(Instant, Vec<u8>)>) {
        let mut toll = Toll::new(shared.draw());
        for (due, bytes) in take {
            wait(due.saturating_duration_since(Instant::now()));
            let mut rest = &bytes[..];
            while !rest.is_empty() && !self.is_over.load(Ordering::SeqCst) {
                let weather = shared.weather();
                let Some(most) = toll.most(&weather) else {
                    return self.reset(&shared.counts);
                };
                let written = match (&self.ends[to]).write(&rest[..rest.len().min(most)]) {
                    Ok(written) => written,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(_) => return self.reset(&shared.counts),
                };
                rest = &rest[written..];
                toll.pass(written, &weather, &shared.counts);
            }
        }
        // Its reader is at the end of what there is.
        drop(self.ends[to].shutdown(Shutdown::Write));
    }
}

/// What one direction of a connection has carried since it last stood still, or began.
struct Toll {
    chance: Chance,
    since_begin: u64,
    since_stall: u64,
    /// Of the mean until it breaks or stands still, so many percent.
    share: u64,
}

impl Toll {
    fn new(mut chance: Chance) -> Self {
        Self {
            share: 50 + chance.below(101),
            chance,
            since_begin: 0,
            since_stall: 0,
        }
    }

    /// Bytes that go now, or `None` when the connection breaks here.
    fn most(&mut self, weather: &Weather) -> Option<usize> {
        let piece = match weather.piece {
            Some(piece) => 1 + self.chance.below(piece.into()),
            None => PIECE as u64,
        };
        let left = match weather.reset_every {
            Some(every) => (u64::from(every) * self.share / 100).saturating_sub(self.since_begin),
            None => u64::MAX,
        };
        let most = piece.min(left);
        (most > 0).then_some(most as usize)
    }

    /// Takes the time that these bytes take.
    fn pass(&mut self, written: usize, weather: &Weather, counts: &Counts) {
        let written = written as u64;
        counts.bytes.fetch_add(written, Ordering::Relaxed);
        self.since_begin += written;
        self.since_stall += written;
        if let Some(speed) = weather.bytes_per_second {
            wait(Duration::from_micros(
                written * 1_000_000 / u64::from(speed),
            ));
        }
        if let Some(every) = weather.stall_every
            && self.since_stall >= u64::from(every) * self.share / 100
        {
            self.since_stall = 0;
            self.share = 50 + self.chance.below(101);
            counts.stalls.fetch_add(1, Ordering::Relaxed);
            wait(weather.stall);
        }
    }
}

fn wait(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

fn hold<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
