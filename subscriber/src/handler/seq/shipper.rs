//! The thread that takes events from the spool to the server.
//!
//! One request is under way at a time, so events arrive in their order. Nothing is deleted before
//! the server has answered for it. What the server refuses is halved until the one bad event stands
//! alone, and that one goes to the dead-letter file with the server's reason; everything else is
//! tried again, for ever, at growing distances.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use logbus_process as process;
use logbus_schemas::Map;

use super::super::Say;
use super::client::{Answer, Client};
use super::event::rank;
use super::spool::Spool;
use crate::format::json::write_object;

/// How often a server that wants only some levels is asked whether it wants others now, when there
/// is nothing to send: as Serilog's sink asks.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(120);
/// The longest wait after a failure.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How events are put together.
#[derive(Debug, Clone)]
pub(super) struct Batching {
    /// Events of one request at most.
    pub(super) records: usize,
    /// Bytes of one request at most.
    pub(super) bytes: usize,
    /// How long fewer are waited with.
    pub(super) time: Duration,
    /// The first wait after a failure; it doubles with each.
    pub(super) first_wait: Duration,
    /// How often to ask which levels are wanted.
    pub(super) ask_every: Duration,
}

/// What became of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Taken by the server.
    pub(super) sent: u64,
    /// Requests that were tried again.
    pub(super) retried: u64,
    /// In the dead-letter file.
    pub(super) dead: u64,
    /// Below the level that the server wants.
    pub(super) unwanted: u64,
}

/// What the handler and the thread have in common.
pub(super) struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    /// The rank of the least level that the server wants.
    least: AtomicU8,
}

pub(super) struct State {
    pub(super) spool: Spool,
    pub(super) counts: Counts,
    /// The last request failed.
    is_failing: bool,
    /// Somebody waits for the end: small batches are sent at once.
    hurries: bool,
    /// Nobody has the handler any more.
    stops: bool,
}

impl Shared {
    pub(super) fn new(spool: Spool) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                spool,
                counts: Counts::default(),
                is_failing: false,
                hurries: false,
                stops: false,
            }),
            wake: Condvar::new(),
            least: AtomicU8::new(0),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server wants events of this level.
    pub(super) fn is_wanted(&self, level: &str) -> bool {
        rank(level).is_none_or(|rank| rank >= self.least.load(Ordering::Relaxed))
    }

    pub(super) fn wake(&self) {
        self.wake.notify_all();
    }

    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stops = true;
        // What fails here is sent again by the next run.
        drop(state.spool.settle());
        drop(state);
        self.wake();
    }

    /// Waits until everything is delivered; not longer than this, and not for a server that is
    /// away. Says how many events still wait.
    pub(super) fn drain(&self, longest: Duration) -> u64 {
        self.lock().hurries = true;
        self.wake();
        let is_busy = |state: &mut State| state.spool.waiting() > 0 && !state.is_failing;
        let waited = self.wake.wait_timeout_while(self.lock(), longest, is_busy);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.hurries = false;
        state.spool.waiting()
    }
}

/// Why a request must be tried again.
struct Later {
    reason: String,
    wait: Option<Duration>,
}

/// The thread's own.
pub(super) struct Shipper {
    pub(super) shared: Arc<Shared>,
    pub(super) client: Client,
    pub(super) batching: Batching,
    pub(super) dead_letters: PathBuf,
    pub(super) server: String,
    pub(super) say: Say,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When the last request was made.
    pub(super) posted: Instant,
}

impl Shipper {
    /// Ships until it is stopped.
    pub(super) fn run(mut self) {
        while let Some(events) = self.next() {
            let result = match events.is_empty() {
                true => self.ask(),
                false => self.deliver(&events),
            };
            self.settle(result);
            self.shared.wake();
        }
    }

    /// The next batch, once there is one; an empty one when the server should be asked which
    /// levels it wants; `None` when there will be none.
    fn next(&mut self) -> Option<Vec<(u64, String)>> {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        while state.spool.waiting() == 0 && !state.stops {
            let is_choosy = shared.least.load(Ordering::Relaxed) > 0;
            if is_choosy && self.posted.elapsed() >= self.batching.ask_every {
                return Some(Vec::new());
            }
            let longest = if is_choosy {
                self.batching.ask_every
            } else {
                LONGEST_WAIT
            };
            state = wait(&shared, state, longest);
        }
        let full = self.batching.records as u64;
        let deadline = Instant::now() + self.batching.time;
        while state.spool.waiting() < full && !state.hurries && !state.stops {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = wait(&shared, state, left);
        }
        if state.stops {
            return None;
        }
        match state
            .spool
            .front(self.batching.records, self.batching.bytes)
        {
            Ok(front) => Some(front.events),
            Err(error) => {
                drop(state);
                (self.say)(&format!(
                    "the spool for {} cannot be read: {error}",
                    self.server
                ));
                None
            }
        }
    }

    /// Asks with a request of no events.
    fn ask(&mut self) -> Result<(), Later> {
        self.posted = Instant::now();
        match self.client.post("") {
            Answer::Taken(level) => {
                self.obey(level);
                Ok(())
            }
            // Nothing waits for an answer: the next event finds out what is wrong.
            _ => Ok(()),
        }
    }

    fn obey(&self, level: Option<String>) {
        let least = level.and_then(|level| rank(&level)).unwrap_or(0);
        self.shared.least.store(least, Ordering::Relaxed);
    }

    /// Delivers events, or says why not all of them.
    fn deliver(&mut self, events: &[(u64, String)]) -> Result<(), Later> {
        let (wanted, unwanted): (Vec<_>, Vec<_>) = events
            .iter()
            .partition(|(_, line)| self.shared.is_wanted(level_of(line)));
        if !unwanted.is_empty() {
            self.remove(&unwanted, |counts, count| counts.unwanted += count)?;
        }
        if wanted.is_empty() {
            return Ok(());
        }
        self.posted = Instant::now();
        let lines: Vec<&str> = wanted.iter().map(|(_, line)| line.as_str()).collect();
        match self.client.post(&lines.join("\n")) {
            Answer::Taken(level) => {
                self.obey(level);
                self.remove(&wanted, |counts, count| counts.sent += count)
            }
            Answer::Refused(reason) | Answer::TooLarge(reason) => self.part(&wanted, &reason),
            Answer::Unauthorized(reason) => Err(Later {
                reason: format!(
                    "{reason}; give the right key: api_key_file, or --seq-api-key-file"
                ),
                wait: Some(LONGEST_WAIT),
            }),
            Answer::Unknown(reason) => Err(Later {
                reason: format!("{reason}; is this the address of a Seq server?"),
                wait: Some(LONGEST_WAIT),
            }),
            Answer::Later(reason, wait) => Err(Later { reason, wait }),
        }
    }

    /// Delivers each half of what was refused; a single event is given up.
    fn part(&mut self, events: &[&(u64, String)], reason: &str) -> Result<(), Later> {
        let owned: Vec<(u64, String)> = events.iter().map(|event| (*event).clone()).collect();
        if let [only] = &owned[..] {
            self.bury(&only.1, reason)?;
            return self.remove(events, |counts, count| counts.dead += count);
        }
        let (first, second) = owned.split_at(owned.len() / 2);
        self.deliver(first)?;
        self.deliver(second)
    }

    /// Writes an event that the server will never take into the dead-letter file.
    fn bury(&mut self, line: &str, reason: &str) -> Result<(), Later> {
        let mut entry = Map::with_capacity(4);
        let now = Timestamp::from_nanosecond(i128::from(process::now()));
        entry.set("time", now.unwrap_or_default().to_string().as_str());
        entry.set("server", self.server.as_str());
        entry.set("reason", reason);
        entry.set("event", line);
        let mut text = String::new();
        write_object(entry, &mut text);
        text.push('\n');
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600);
        let written = file.open(&self.dead_letters).and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_data())
        });
        let path = self.dead_letters.display();
        (self.say)(&format!(
            "an event was refused and is kept in {path}: {reason}"
        ));
        written.map_err(|error| Later {
            reason: format!("cannot write {path}: {error}"),
            wait: None,
        })
    }

    fn remove(
        &self,
        events: &[&(u64, String)],
        count: impl Fn(&mut Counts, u64),
    ) -> Result<(), Later> {
        let numbers: Vec<u64> = events.iter().map(|(number, _)| *number).collect();
        let mut state = self.shared.lock();
        count(&mut state.counts, numbers.len() as u64);
        state.spool.remove(&numbers).map_err(|error| Later {
            reason: format!("the spool cannot be written: {error}"),
            wait: None,
        })
    }

    /// Takes note of how it went, and waits after a failure.
    fn settle(&mut self, result: Result<(), Later>) {
        let shared = self.shared.clone();
        let Err(later) = result else {
            if self.failures > 0 {
                (self.say)(&format!("{} takes events again", self.server));
            }
            self.failures = 0;
            shared.lock().is_failing = false;
            return;
        };
        if self.failures == 0 {
            let waiting = shared.lock().spool.waiting();
            (self.say)(&format!(
                "{}: {}; {waiting} events wait on disk",
                self.server, later.reason
            ));
        }
        // Whoever drains goes on now, and finds this said.
        let mut state = shared.lock();
        state.is_failing = true;
        state.counts.retried += 1;
        drop(state);
        shared.wake();
        self.failures += 1;
        let deadline = Instant::now() + self.pause(later.wait);
        let mut state = shared.lock();
        while !state.stops {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = wait(&shared, state, left);
        }
    }

    /// As long as the server says, else longer from failure to failure, and never quite the same,
    /// so that many senders do not come back at once.
    fn pause(&self, said: Option<Duration>) -> Duration {
        if let Some(said) = said {
            return said.min(LONGEST_WAIT);
        }
        let doubled =
            self.batching.first_wait * 2_u32.saturating_pow(self.failures.min(8).saturating_sub(1));
        let longest = doubled.min(LONGEST_WAIT);
        let share = (process::random() % 512) as f64 / 1024.0;
        longest.mul_f64(0.5 + share)
    }
}

fn wait<'a>(
    shared: &'a Shared,
    state: MutexGuard<'a, State>,
    longest: Duration,
) -> MutexGuard<'a, State> {
    let waited = shared.wake.wait_timeout(state, longest);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

/// The level of an event that `event.rs` has made: it stands behind the time.
fn level_of(line: &str) -> &str {
    let rest = line.split_once("\"@l\":\"").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
}
