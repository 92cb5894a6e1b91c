//! The publisher as its callers see it: the hot path and nothing else.
//!
//! `publish` encodes a record and puts it into the queue (`queue.rs`, next on a record's way).
//! After a fork the child's first call finds that it belongs to another generation and begins a
//! new incarnation: queue, thread, sockets and sender id of its own. The parent's are left alone,
//! because nobody in the child may touch a lock or a socket that another thread held at the fork.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logbus_process as process;
use logbus_schemas::codec::Codec;
use logbus_schemas::{Record, Topic};
use logbus_transport::{Error, Waker};
use once_cell::race::OnceBox;

use crate::config::Config;
use crate::queue::Queue;
use crate::sender::{self, Closing};
use crate::stats::{Report, Stats};

/// Publishes log records; cheap to share between threads behind an `Arc`.
pub struct Publisher {
    config: Config,
    first: Incarnation,
}

/// A publisher's life in one process.
struct Incarnation {
    generation: u64,
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<Closing>>>,
    report: OnceLock<Report>,
    /// Whether it was closed for now: the next record begins another life.
    is_over: AtomicBool,
    /// Of a life without sockets: when a record is to begin another one, and how long that is after it.
    retry: Option<(Instant, Duration)>,
    /// The next life: in a forked child, or after this one was closed for now.
    next: OnceBox<Incarnation>,
}

impl Publisher {
    /// A publisher that connects by itself, now and whenever a connection breaks.
    ///
    /// Fails only when an endpoint cannot be used at all. That nobody answers there is no error.
    pub fn new(config: Config) -> Result<Self, Error> {
        process::watch_forks();
        let first = Incarnation::begin(&config)?;
        Ok(Self { config, first })
    }

    /// Publishes a record under its name. Never waits (unless told to by [`crate::Overflow`]) and
    /// never fails: what cannot be sent is counted.
    pub fn publish(&self, record: &Record) {
        self.publish_written(record.name().unwrap_or_default(), |codec, bytes| {
            codec.encode(record, bytes);
        });
    }

    /// Publishes a record under a topic other than its name.
    pub fn publish_to(&self, topic: &Topic, record: &Record) {
        with_buffer(|bytes| {
            self.config.codec.encode(record, bytes);
            self.incarnation().queue.push_to(topic, bytes);
        });
    }

    /// Publishes a record that is encoded already, in this publisher's codec and as
    /// [`logbus_schemas::codec::Codec::encode`] writes it. `name` is the record's own.
    pub fn publish_encoded(&self, name: &str, record: &[u8]) {
        self.incarnation().queue.push(name, record);
    }

    /// The same for a record that `write` writes.
    pub(crate) fn publish_written(&self, name: &str, write: impl FnOnce(Codec, &mut Vec<u8>)) {
        with_buffer(|bytes| {
            write(self.config.codec, bytes);
            self.incarnation().queue.push(name, bytes);
        });
    }

    /// Waits until every record published so far is handed over (with durable delivery:
    /// acknowledged) or discarded; `false` when the time is up first.
    pub fn flush(&self, longest: Duration) -> bool {
        self.begun()
            .is_none_or(|life| life.queue.wait_drained(longest))
    }

    /// Sends what is queued, says goodbye and closes the sockets, all within `longest`. With durable
    /// delivery it waits for acknowledgements; what has none then is kept where there is a spool and
    /// counted as left where there is none. Records published later are discarded and counted. A second call returns the first one's report.
    pub fn shutdown(&self, longest: Duration) -> Report {
        self.begun()
            .map(|life| life.close(longest))
            .unwrap_or_default()
    }

    /// The same, for now: the next record begins anew, as another sender. For what cannot know
    /// whether more will come, as a logging handler that is closed because logging is configured
    /// again.
    pub fn close_for_now(&self, longest: Duration) -> Report {
        self.begun()
            .map(|life| life.close_for_now(longest))
            .unwrap_or_default()
    }

    /// What was done so far, in this process, since it began (anew).
    pub fn stats(&self) -> Stats {
        self.begun()
            .map(|life| life.queue.counters.stats(life.queue.len() as u64))
            .unwrap_or_default()
    }

    /// The life that belongs to this process, if it has begun: in a forked child that has
    /// published nothing there is nothing to flush, count or close.
    fn begun(&self) -> Option<&Incarnation> {
        let generation = process::generation();
        let lives = std::iter::successors(Some(&self.first), |life| life.next.get());
        lives.filter(|life| life.generation == generation).last()
    }

    /// The life that belongs to this process, begun where there is none yet.
    fn incarnation(&self) -> &Incarnation {
        let generation = process::generation();
        let mut incarnation = &self.first;
        while incarnation.is_past(generation) {
            incarnation = match incarnation.next.get() {
                Some(next) => next,
                None => self.succeed(incarnation),
            };
        }
        incarnation
    }

    /// Begins the life after this one. Nobody waits for anybody here: a process that forks just
    /// now leaves its child with a life that has begun or with none, and never with one that never
    /// will. Of two threads that begin one, the second throws its own away.
    fn succeed<'a>(&self, incarnation: &'a Incarnation) -> &'a Incarnation {
        let begun = self.begin_after(incarnation);
        if let Err(spare) = incarnation.next.set(Box::new(begun)) {
            // Its sender ends by itself.
            spare.queue.close(Duration::ZERO);
        }
        incarnation.next.get().unwrap_or(incarnation)
    }

    /// What keeps records from being sent is told: nobody is there to whom it could be returned.
    fn begin_after(&self, before: &Incarnation) -> Incarnation {
        let error = match Incarnation::begin(&self.config) {
            Ok(life) => return life,
            Err(error) => error,
        };
        if let Some(config) = self.config.without_spool()
            && let Ok(life) = Incarnation::begin(&config)
        {
            self.config
                .tell(&format!("{error}; records wait in memory"));
            return life;
        }
        let pause = match before.retry {
            Some((_, pause)) => (2 * pause).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        self.config.tell(&format!(
            "cannot publish: {error}; records are discarded, and in {pause:?} it is tried again"
        ));
        Incarnation::without_sockets(&self.config, pause)
    }
}

/// How long a process discards records whose sockets could not be opened, before it tries again; the pause
/// doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

thread_local! {
    /// What a record is encoded into: memory that each thread keeps.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The largest buffer that a thread keeps.
const KEPT_BUFFER: usize = 64 << 10;

/// Lends an empty buffer. Encoding may publish in its turn, as when a value's own code logs: that
/// call finds another one. So does a thread that is ending.
fn with_buffer(use_it: impl FnOnce(&mut Vec<u8>)) {
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    use_it(&mut buffer);
    if buffer.capacity() <= KEPT_BUFFER {
        BUFFER.try_with(|kept| kept.set(buffer)).ok();
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if let Some(life) = self.begun() {
            // Whoever wants to know what was left calls `shutdown` first.
            drop(life.close(self.config.linger));
        }
    }
}

impl Incarnation {
    fn begin(config: &Config) -> Result<Self, Error> {
        let waker = Waker::new()?;
        let queue = Arc::new(Queue::new(config, Some(waker.clone())));
        let thread = sender::spawn(config, queue.clone(), waker)?;
        Ok(Self::with_thread(queue, Some(thread)))
    }

    /// A life that can only count what it discards, for so long.
    fn without_sockets(config: &Config, pause: Duration) -> Self {
        let queue = Arc::new(Queue::new(config, None));
        queue.end(true);
        let mut life = Self::with_thread(queue, None);
        life.retry = Some((Instant::now() + pause, pause));
        life
    }

    /// Whether a record of this generation is for a later life.
    fn is_past(&self, generation: u64) -> bool {
        self.generation != generation || self.is_over.load(Ordering::Acquire) || self.is_to_retry()
    }

    /// Whether it has no sockets and has waited long enough; one that was closed stays so.
    fn is_to_retry(&self) -> bool {
        let is_due = self.retry.is_some_and(|(at, _)| at <= Instant::now());
        is_due && self.report.get().is_none()
    }

    fn with_thread(queue: Arc<Queue>, thread: Option<JoinHandle<Closing>>) -> Self {
        Self {
            generation: process::generation(),
            queue,
            thread: Mutex::new(thread),
            report: OnceLock::new(),
            is_over: AtomicBool::new(false),
            retry: None,
            next: OnceBox::new(),
        }
    }

    fn close(&self, longest: Duration) -> Report {
        self.report.get_or_init(|| self.close_now(longest)).clone()
    }

    /// Lets the next record begin another life and closes this one: not the other, which may have begun
    /// by then.
    fn close_for_now(&self, longest: Duration) -> Report {
        self.is_over.store(true, Ordering::Release);
        self.close(longest)
    }

    fn close_now(&self, longest: Duration) -> Report {
        self.queue.close(longest);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // The sender keeps the time. Were it to panic, all that is still queued would be left.
        let closing = thread
            .and_then(|thread| thread.join().ok())
            .unwrap_or_else(|| Closing {
                left: self.queue.len() as u64,
                ..Closing::default()
            });
        let stats = self.queue.counters.stats(0);
        Report {
            sent: stats.sent,
            acknowledged: stats.acknowledged,
            discarded: stats.discarded,
            left: closing.left,
            kept: closing.kept,
            unconfirmed: closing.unconfirmed,
        }
    }
}

impl Drop for Incarnation {
    fn drop(&mut self) {
        if self.generation == process::generation() {
            return;
        }
        // In a forked child there is no such thread, and its id may be another's by now: glibc gives a new
        // thread the memory of one that is gone. Detaching it would detach that one.
        let thread = self.thread.get_mut();
        std::mem::forget(thread.unwrap_or_else(PoisonError::into_inner).take());
    }
}

#[cfg(test)]
mod tests {
    use logbus_transport::Endpoint;

    use super::*;
    use crate::stamped;
    use crate::stats::Reason;

    /// A publisher whose key file is there when it is made.
    fn with_key(dir: &std::path::Path) -> Publisher {
        let pair = logbus_transport::KeyPair::generate().unwrap();
        pair.write(dir, "app").unwrap();
        Publisher::new(Config {
            hold: Duration::MAX,
            linger: Duration::ZERO,
            key_file: Some(dir.join("app.key")),
            server_key_file: Some(dir.join("app.pub")),
            ..Config::connect(["tcp://127.0.0.1:9".parse().unwrap()])
        })
        .unwrap()
    }

    #[test]
    fn a_life_whose_sockets_cannot_be_opened_is_followed_by_another_try() {
        let dir = tempfile::tempdir().unwrap();
        let publisher = with_key(dir.path());
        drop(publisher.close_for_now(Duration::ZERO));
        std::fs::rename(dir.path().join("app.key"), dir.path().join("away")).unwrap();
        publisher.publish(&stamped("a", 20, "1"));
        assert_eq!(publisher.stats().discarded[&Reason::NoSocket], 1);
        std::fs::rename(dir.path().join("away"), dir.path().join("app.key")).unwrap();
        while !publisher.stats().discarded.is_empty() {
            std::thread::park_timeout(Duration::from_millis(20));
            publisher.publish(&stamped("a", 20, "2"));
        }
        assert_eq!(publisher.stats().queued, 1);
    }

    #[test]
    fn a_life_without_sockets_that_was_closed_is_not_followed_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let publisher = with_key(dir.path());
        drop(publisher.close_for_now(Duration::ZERO));
        std::fs::remove_file(dir.path().join("app.key")).unwrap();
        publisher.publish(&stamped("a", 20, "1"));
        drop(publisher.shutdown(Duration::ZERO));
        let life = publisher.begun().unwrap();
        let (due, _) = life.retry.unwrap();
        while Instant::now() <= due {
            std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        }
        publisher.publish(&stamped("a", 20, "2"));
        assert!(life.next.get().is_none());
    }

    #[test]
    fn closing_for_now_leaves_the_life_alone_that_another_thread_begins_meanwhile() {
        let endpoint: Endpoint = "memory://closed-for-now".parse().unwrap();
        let config = Config {
            hold: Duration::from_secs(3600),
            linger: Duration::ZERO,
            ..Config::connect([endpoint])
        };
        let publisher = Publisher::new(config).unwrap();
        publisher.publish(&stamped("a", 20, "1"));
        let first = publisher.begun().unwrap();
        // The one thread is as far as that when the other publishes.
        first.is_over.store(true, Ordering::Release);
        publisher.publish(&stamped("a", 20, "2"));
        assert_eq!(first.close_for_now(Duration::ZERO).left, 1);
        publisher.publish(&stamped("a", 20, "3"));
        let stats = publisher.stats();
        assert_eq!((stats.published, stats.queued), (2, 2));
        assert!(stats.discarded.is_empty());
    }
}
