//! The bounded queue between the callers and the sender's thread.
//!
//! Its promise: a record that is given to it is, at any moment, either waiting, in the sender's
//! hands, or counted as discarded with its topic and a reason. Callers hold the lock only to
//! append; the sender takes many records at once. Records that nobody wants yet are kept apart, so
//! that they are looked at again only when subscriptions change.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use logbus_schemas::Topic;
use logbus_transport::Waker;

use crate::config::{Config, Overflow};
use crate::stats::{Counters, Reason};

/// Names whose topics are remembered, so that most records need no check of their name.
const REMEMBERED_TOPICS: usize = 4096;

/// One encoded record.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) topic: Topic,
    pub(crate) bytes: Vec<u8>,
}

/// What the sender wants to do with a waiting record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Send it now.
    Send,
    /// Let it wait on.
    Hold,
    /// Nobody wants it and its time is over.
    Discard,
}

/// The times of a publisher that is being closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// When to stop sending what waits.
    pub(crate) stop: Instant,
    /// When to be closed, goodbyes said and sockets emptied.
    pub(crate) close: Instant,
}

impl Deadline {
    /// The most of the closing time that is kept for goodbyes and for emptying the sockets.
    const FAREWELL: Duration = Duration::from_millis(200);

    pub(crate) fn within(longest: Duration) -> Self {
        let now = Instant::now();
        // What is longer than a day is for ever, and must not overflow the clock.
        let longest = longest.min(Duration::from_secs(24 * 60 * 60));
        Self {
            stop: now + longest - Self::FAREWELL.min(longest / 4),
            close: now + longest,
        }
    }
}

/// What the sender found when it looked into the queue.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// The records to send, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Records discarded since the last look, in the queue or by this look.
    pub(crate) discards: Vec<(Topic, Reason, u64)>,
    /// When the publisher must be closed, once somebody has asked for it.
    pub(crate) deadline: Option<Deadline>,
    /// Whether nothing waits any more.
    pub(crate) is_empty: bool,
    /// Records that were looked at, whatever became of them.
    pub(crate) seen: usize,
    /// Whether there are more that this look had no room for.
    pub(crate) has_more: bool,
}

/// What the sender wants to be called for while it rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Rest {
    /// Nothing: it is awake.
    #[default]
    Awake,
    /// A queue that is half full: it rests for a moment, because calling it for each of many
    /// records costs callers more than all the rest that they do here.
    Nap,
    /// Any record.
    Sleep,
}

/// What a record is discarded for that finds no room.
#[derive(Debug)]
struct Why(Reason);

impl Default for Why {
    fn default() -> Self {
        Self(Reason::QueueFull)
    }
}

/// The queue; see the head of this file.
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Told when room was made.
    room: Condvar,
    /// Told when nothing waits any more, and when the sender has ended.
    progress: Condvar,
    /// Calls the sender; none where no sender could be started.
    waker: Option<Waker>,
    overflow: Overflow,
    max_records: usize,
    max_bytes: usize,
    max_record: usize,
    topic_prefix: Option<Topic>,
    pub(crate) counters: Counters,
}

#[derive(Default)]
struct State {
    /// Looked at and not wanted by anybody yet; older than `fresh`.
    held: VecDeque<Entry>,
    fresh: VecDeque<Entry>,
    /// Bytes in `held` and `fresh`.
    bytes: usize,
    /// Records and bytes that the sender has taken and not yet handed over.
    in_hand: (usize, usize),
    discards: HashMap<(Topic, Reason), u64>,
    topics: HashMap<String, Topic>,
    sender: Rest,
    /// What a record is discarded for that finds no room.
    why_full: Why,
    /// Whether what was handed over has left the sockets, as far as they can tell.
    sockets_flushed: bool,
    deadline: Option<Deadline>,
    sender_ended: bool,
}

impl State {
    fn waiting(&self) -> usize {
        self.held.len() + self.fresh.len()
    }

    fn discard(&mut self, topic: Topic, reason: Reason, counters: &Counters) {
        counters.discard(reason, 1);
        *self.discards.entry((topic, reason)).or_default() += 1;
    }

    fn pop_oldest(&mut self) -> Option<Entry> {
        let entry = self.held.pop_front().or_else(|| self.fresh.pop_front())?;
        self.bytes -= entry.bytes.len();
        Some(entry)
    }

    /// Adds what the sender should know besides.
    fn describe(&mut self, mut taken: Taken) -> Taken {
        taken.discards = self
            .discards
            .drain()
            .map(|((topic, reason), count)| (topic, reason, count))
            .collect();
        taken.deadline = self.deadline;
        taken.is_empty = self.waiting() == 0;
        taken.has_more = !self.fresh.is_empty();
        taken
    }

    fn is_drained(&self) -> bool {
        self.waiting() == 0 && self.in_hand.0 == 0 && self.sockets_flushed
    }
}

impl Queue {
    pub(crate) fn new(config: &Config, waker: Option<Waker>) -> Self {
        Self {
            state: Mutex::new(State {
                sockets_flushed: true,
                ..State::default()
            }),
            room: Condvar::new(),
            progress: Condvar::new(),
            waker,
            overflow: config.overflow,
            max_records: config.queue_records,
            max_bytes: config.queue_bytes,
            max_record: config.max_record,
            topic_prefix: config.topic_prefix.clone(),
            counters: Counters::default(),
        }
    }

    /// A panic of a caller in here leaves nothing half-done, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }

    // ---- The callers' side.

    /// Takes an encoded record in, or counts it as discarded.
    pub(crate) fn push(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.lock();
        let topic = self.topic_of(&mut state, name);
        self.admit(state, Entry { topic, bytes });
    }

    /// The same, where the topic is not the record's name.
    pub(crate) fn push_to(&self, topic: &Topic, bytes: Vec<u8>) {
        let topic = self.prefixed(topic.clone());
        self.admit(self.lock(), Entry { topic, bytes });
    }

    fn topic_of(&self, state: &mut State, name: &str) -> Topic {
        if let Some(topic) = state.topics.get(name) {
            return topic.clone();
        }
        let topic = self.prefixed(Topic::for_name(name));
        if state.topics.len() >= REMEMBERED_TOPICS {
            state.topics.clear();
        }
        state.topics.insert(name.to_owned(), topic.clone());
        topic
    }

    fn prefixed(&self, topic: Topic) -> Topic {
        match &self.topic_prefix {
            Some(prefix) => topic.under(prefix),
            None => topic,
        }
    }

    fn admit(&self, mut state: MutexGuard<'_, State>, entry: Entry) {
        self.counters.published.fetch_add(1, Ordering::Relaxed);
        if entry.bytes.len() > self.max_record {
            return state.discard(entry.topic, Reason::TooLarge, &self.counters);
        }
        if state.deadline.is_some() {
            let reason = if self.waker.is_some() {
                Reason::AtExit
            } else {
                Reason::NoSocket
            };
            return state.discard(entry.topic, reason, &self.counters);
        }
        state = match self.make_room(state, entry.bytes.len()) {
            Ok(state) => state,
            Err(mut state) => {
                let why = state.why_full.0;
                return state.discard(entry.topic, why, &self.counters);
            }
        };
        state.bytes += entry.bytes.len();
        state.fresh.push_back(entry);
        let is_called = match state.sender {
            Rest::Awake => false,
            Rest::Nap => {
                2 * state.waiting() >= self.max_records || 2 * state.bytes >= self.max_bytes
            }
            Rest::Sleep => true,
        };
        if is_called {
            state.sender = Rest::Awake;
            drop(state);
            self.wake();
        }
    }

    /// Makes room as the overflow policy says; `Err` when there is none.
    fn make_room<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        bytes: usize,
    ) -> Result<MutexGuard<'a, State>, MutexGuard<'a, State>> {
        let is_full = |state: &mut State| {
            state.waiting() + state.in_hand.0 >= self.max_records
                || state.bytes + state.in_hand.1 + bytes > self.max_bytes
        };
        if !is_full(&mut state) {
            return Ok(state);
        }
        match self.overflow {
            Overflow::DiscardNewest => Err(state),
            Overflow::DiscardOldest => {
                while is_full(&mut state) {
                    let Some(oldest) = state.pop_oldest() else {
                        return Err(state);
                    };
                    let why = state.why_full.0;
                    state.discard(oldest.topic, why, &self.counters);
                }
                Ok(state)
            }
            Overflow::Block(longest) => {
                self.wake();
                let closed = |state: &mut State| state.deadline.is_some() || state.sender_ended;
                let (mut state, _) = self
                    .room
                    .wait_timeout_while(state, longest, |state| is_full(state) && !closed(state))
                    .unwrap_or_else(PoisonError::into_inner);
                if is_full(&mut state) {
                    Err(state)
                } else {
                    Ok(state)
                }
            }
        }
    }

    /// How many records wait or are in the sender's hands.
    pub(crate) fn len(&self) -> usize {
        let state = self.lock();
        state.waiting() + state.in_hand.0
    }

    /// Waits until nothing waits any more; `false` when the time is up first.
    pub(crate) fn wait_drained(&self, longest: Duration) -> bool {
        self.wake();
        let state = self.lock();
        let (state, _) = self
            .progress
            .wait_timeout_while(state, longest, |state| {
                !state.is_drained() && !state.sender_ended
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.is_drained()
    }

    /// Asks the sender to end by then; the first to ask decides.
    pub(crate) fn close(&self, longest: Duration) {
        self.lock()
            .deadline
            .get_or_insert_with(|| Deadline::within(longest));
        self.room.notify_all();
        self.wake();
    }

    // ---- The sender's side.

    /// Takes up to about `max_bytes` of records, each as `fate` says for its topic. Records that
    /// were held before are looked at again only when `again` says so.
    pub(crate) fn take(
        &self,
        max_bytes: usize,
        again: bool,
        mut fate: impl FnMut(&Topic) -> Fate,
    ) -> Taken {
        let mut taken = Taken::default();
        let mut makes_room = false;
        let mut state = self.lock();
        state.sender = Rest::Awake;
        state.why_full = Why::default();
        let mut bytes = 0;
        let held = if again {
            std::mem::take(&mut state.held)
        } else {
            VecDeque::new()
        };
        for mut waiting in [held, std::mem::take(&mut state.fresh)] {
            while bytes < max_bytes
                && let Some(entry) = waiting.pop_front()
            {
                taken.seen += 1;
                match fate(&entry.topic) {
                    Fate::Hold => state.held.push_back(entry),
                    Fate::Send => {
                        bytes += entry.bytes.len();
                        taken.entries.push(entry);
                    }
                    Fate::Discard => {
                        makes_room = true;
                        state.bytes -= entry.bytes.len();
                        state.discard(entry.topic, Reason::NoSubscriber, &self.counters);
                    }
                }
            }
            // What was not looked at goes back to its end of the queue, in order, and a long queue is
            // not copied for that.
            match state.fresh.is_empty() {
                true => state.fresh = waiting,
                false => state.fresh.append(&mut waiting),
            }
        }
        state.bytes -= bytes;
        state.in_hand.0 += taken.entries.len();
        state.in_hand.1 += bytes;
        if makes_room {
            self.room.notify_all();
        }
        state.describe(taken)
    }

    /// The same for a sender that has no room for records: why it has none is what those are
    /// discarded for that find the queue full.
    pub(crate) fn take_nothing(&self, why: Reason) -> Taken {
        let mut state = self.lock();
        state.why_full = Why(why);
        state.describe(Taken::default())
    }

    /// Says that records which were taken have been handed over, or have not been (`is_sent`) and
    /// never will.
    pub(crate) fn handed_over(&self, records: usize, bytes: usize, is_sent: bool) {
        let mut state = self.lock();
        state.in_hand.0 -= records;
        state.in_hand.1 -= bytes;
        // Until the sender has looked at its sockets again.
        state.sockets_flushed &= !is_sent;
        drop(state);
        if is_sent {
            self.counters
                .sent
                .fetch_add(records as u64, Ordering::Relaxed);
        }
        self.room.notify_all();
    }

    /// Whether it is too late to wait for room in a socket.
    pub(crate) fn is_overdue(&self) -> bool {
        self.lock()
            .deadline
            .is_some_and(|deadline| deadline.stop <= Instant::now())
    }

    /// Says how the sockets stand at the end of a turn, and that the sender means to rest; `false`
    /// when there is something that it would have been called for.
    pub(crate) fn rest(&self, sockets_flushed: bool, rest: Rest) -> bool {
        let mut state = self.lock();
        state.sockets_flushed = sockets_flushed;
        if state.is_drained() {
            self.progress.notify_all();
        }
        if rest == Rest::Sleep && !state.fresh.is_empty() {
            return false;
        }
        state.sender = rest;
        rest != Rest::Awake
    }

    /// Throws away what still waits because the time is up; says how much that was, by topic.
    pub(crate) fn abandon(&self) -> Vec<(Topic, u64)> {
        let mut state = self.lock();
        let mut left: HashMap<Topic, u64> = HashMap::new();
        while let Some(entry) = state.pop_oldest() {
            *left.entry(entry.topic).or_default() += 1;
        }
        left.into_iter().collect()
    }

    /// Says that the sender will take nothing more.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.sender_ended = true;
        state
            .deadline
            .get_or_insert_with(|| Deadline::within(Duration::ZERO));
        drop(state);
        self.progress.notify_all();
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests;
