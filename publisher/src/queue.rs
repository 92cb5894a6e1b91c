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

use crate::chunk::Chunk;
use crate::config::{Config, Overflow};
use crate::stats::{Counters, Reason};

/// Names whose topics are remembered, so that most records need no check of their name.
const REMEMBERED_TOPICS: usize = 4096;
/// Emptied chunks that are kept: their memory is in use already, and so costs callers nothing. The
/// first touch of a page of new memory costs one of them a microsecond.
const SPARE_CHUNKS: usize = 32;

/// Records after which a look into the queue comes to an end: callers wait for as long as it lasts, and
/// there may be a hundred thousand that nobody wants.
const LONGEST_LOOK: usize = 4096;

/// What is longer than a day is for ever, and must not overflow the clock.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);

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
        let longest = longest.min(FOR_EVER);
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
    pub(crate) chunks: Vec<Chunk>,
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

/// What one look into the queue has found so far.
#[derive(Default)]
struct Look {
    chunks: Vec<Chunk>,
    /// Records and bytes in them.
    records: usize,
    bytes: usize,
    /// Bytes for which there is room yet.
    room: usize,
    seen: usize,
}

impl Look {
    /// Whether the chunk is for the next look. One is not split for a little room that is left.
    fn is_enough(&self, next: &Chunk) -> bool {
        let is_long = self.seen >= LONGEST_LOOK;
        is_long || self.room == 0 || self.records > 0 && next.bytes() > self.room
    }

    fn send(&mut self, chunk: Chunk) {
        if chunk.len() > 0 {
            self.records += chunk.len();
            self.bytes += chunk.bytes();
            self.room = self.room.saturating_sub(chunk.bytes());
            self.chunks.push(chunk);
        }
    }
}

/// What is to be done with all of a chunk, where that is one thing.
fn one_fate(chunk: &Chunk, fate: &mut impl FnMut(&Topic) -> Fate) -> Option<Fate> {
    let mut fates = chunk.runs().map(|(topic, _)| fate(topic));
    let first = fates.next()?;
    fates.all(|other| other == first).then_some(first)
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
    /// Calls the sender, until it has ended.
    waker: Mutex<Option<Waker>>,
    /// Whether a sender could be started.
    has_sender: bool,
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
    held: VecDeque<Chunk>,
    fresh: VecDeque<Chunk>,
    spare: Vec<Chunk>,
    /// Records and bytes in `held` and `fresh`.
    waiting: usize,
    bytes: usize,
    /// Records and bytes that the sender has taken and not yet handed over.
    in_hand: (usize, usize),
    discards: HashMap<(Topic, Reason), u64>,
    topics: HashMap<String, Topic>,
    /// The latest record's name and its topic: the next one's, most often.
    latest: Option<(String, Topic)>,
    sender: Rest,
    /// Whether anybody wants anything.
    is_heard: bool,
    /// What a record is discarded for that finds no room.
    why_full: Why,
    /// Whether what was handed over has left the sockets, as far as they can tell.
    sockets_flushed: bool,
    deadline: Option<Deadline>,
    sender_ended: bool,
}

impl State {
    fn discard(&mut self, topic: Topic, reason: Reason, counters: &Counters) {
        counters.discard(reason, 1);
        // Once the sender has ended, there is nobody who would tell.
        if !self.sender_ended {
            *self.discards.entry((topic, reason)).or_default() += 1;
        }
    }

    fn push(&mut self, topic: &Topic, record: &[u8]) {
        self.waiting += 1;
        self.bytes += record.len();
        let has_room = |chunk: &&mut Chunk| chunk.has_room(record.len());
        if let Some(chunk) = self.fresh.back_mut().filter(has_room) {
            return chunk.push(topic, record);
        }
        let mut chunk = self.spare.pop().unwrap_or_default();
        chunk.push(topic, record);
        self.fresh.push_back(chunk);
    }

    /// Puts away what nobody wants yet.
    fn hold(&mut self, chunk: Chunk) {
        match self.held.back_mut() {
            Some(last) if last.has_room(chunk.bytes()) => {
                last.append(&chunk);
                self.spare(chunk);
            }
            _ if chunk.len() == 0 => self.spare(chunk),
            _ => self.held.push_back(chunk),
        }
    }

    fn spare(&mut self, mut chunk: Chunk) {
        if self.spare.len() < SPARE_CHUNKS && chunk.is_usual() {
            chunk.clear();
            self.spare.push(chunk);
        }
    }

    /// Takes the oldest record out that was looked at and that nobody wants yet.
    fn pop_held(&mut self) -> Option<Topic> {
        match self.held.is_empty() {
            true => None,
            false => self.pop_oldest(),
        }
    }

    /// Takes the oldest record out.
    fn pop_oldest(&mut self) -> Option<Topic> {
        let chunks = match self.held.is_empty() {
            true => &mut self.fresh,
            false => &mut self.held,
        };
        let chunk = chunks.front_mut()?;
        let (topic, bytes) = chunk.pop()?;
        if chunk.len() == 0
            && let Some(empty) = chunks.pop_front()
        {
            self.spare(empty);
        }
        self.waiting -= 1;
        self.bytes -= bytes;
        Some(topic)
    }

    /// Adds what the sender should know besides.
    fn describe(&mut self, mut taken: Taken) -> Taken {
        taken.discards = self.take_discards();
        taken.deadline = self.deadline;
        taken.is_empty = self.waiting == 0;
        taken.has_more = !self.fresh.is_empty();
        taken
    }

    fn take_discards(&mut self) -> Vec<(Topic, Reason, u64)> {
        let discards = self.discards.drain();
        discards
            .map(|((topic, reason), count)| (topic, reason, count))
            .collect()
    }

    fn is_drained(&self) -> bool {
        self.waiting == 0 && self.in_hand.0 == 0 && self.sockets_flushed
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
            has_sender: waker.is_some(),
            waker: Mutex::new(waker),
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
        if let Some(waker) = &*self.waker() {
            waker.wake();
        }
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- The callers' side.

    /// Takes an encoded record in, or counts it as discarded.
    pub(crate) fn push(&self, name: &str, record: &[u8]) {
        let mut state = self.lock();
        // Taken out for so long, because counting in and out of a topic's holders costs as much as
        // the lock does.
        let named = match state.latest.take() {
            Some(latest) if latest.0 == name => latest,
            other => {
                let topic = self.topic_of(&mut state, name);
                let mut text = other.map(|(text, _)| text).unwrap_or_default();
                name.clone_into(&mut text);
                (text, topic)
            }
        };
        let (mut state, is_called) = self.admit(state, &named.1, record);
        state.latest = Some(named);
        drop(state);
        if is_called {
            self.wake();
        }
    }

    /// The same, where the topic is not the record's name.
    pub(crate) fn push_to(&self, topic: &Topic, record: &[u8]) {
        let topic = self.prefixed(topic.clone());
        let (state, is_called) = self.admit(self.lock(), &topic, record);
        drop(state);
        if is_called {
            self.wake();
        }
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

    /// Puts a record where there is room for it; says whether the sender must be called.
    fn admit<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        topic: &Topic,
        record: &[u8],
    ) -> (MutexGuard<'a, State>, bool) {
        self.counters.count_published();
        if record.len() > self.max_record.min(self.max_bytes) {
            state.discard(topic.clone(), Reason::TooLarge, &self.counters);
            return (state, false);
        }
        let (mut state, refusal) = match self.why_closed(&state) {
            Some(reason) => (state, Some(reason)),
            None => self.make_room(state, record.len()),
        };
        if let Some(reason) = refusal {
            state.discard(topic.clone(), reason, &self.counters);
            return (state, false);
        }
        state.push(topic, record);
        let is_called = match state.sender {
            Rest::Awake => false,
            Rest::Nap => 2 * state.waiting >= self.max_records || 2 * state.bytes >= self.max_bytes,
            Rest::Sleep => true,
        };
        if is_called {
            state.sender = Rest::Awake;
        }
        (state, is_called)
    }

    /// Why nothing is taken in any more, once that is so.
    fn why_closed(&self, state: &State) -> Option<Reason> {
        state.deadline?;
        Some(match self.has_sender {
            true => Reason::AtExit,
            false => Reason::NoSocket,
        })
    }

    /// Makes room as the overflow policy says; says why there is none.
    fn make_room<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        bytes: usize,
    ) -> (MutexGuard<'a, State>, Option<Reason>) {
        let is_room =
            |records, others| records < self.max_records && others + bytes <= self.max_bytes;
        let is_full = |state: &mut State| {
            let (records, bytes) = state.in_hand;
            !is_room(state.waiting + records, state.bytes + bytes)
        };
        if !is_full(&mut state) {
            return (state, None);
        }
        // What nobody wants is not in the way of what somebody may want.
        while state.is_heard
            && is_full(&mut state)
            && let Some(topic) = state.pop_held()
        {
            state.discard(topic, Reason::NoSubscriber, &self.counters);
        }
        if !is_full(&mut state) {
            return (state, None);
        }
        let why = state.why_full.0;
        match self.overflow {
            Overflow::DiscardNewest => (state, Some(why)),
            // What the sender has in its hands cannot be discarded: all that waits may not be enough.
            Overflow::DiscardOldest if !is_room(state.in_hand.0, state.in_hand.1) => {
                (state, Some(why))
            }
            Overflow::DiscardOldest => {
                while is_full(&mut state) {
                    let Some(oldest) = state.pop_oldest() else {
                        return (state, Some(why));
                    };
                    state.discard(oldest, why, &self.counters);
                }
                (state, None)
            }
            Overflow::Block(longest) => {
                self.wake();
                let closed = |state: &mut State| state.deadline.is_some() || state.sender_ended;
                let (mut state, _) = self
                    .room
                    .wait_timeout_while(state, longest, |state| is_full(state) && !closed(state))
                    .unwrap_or_else(PoisonError::into_inner);
                // What is let in when the publisher was closed meanwhile, nobody may look at again.
                let refusal = self
                    .why_closed(&state)
                    .or_else(|| is_full(&mut state).then_some(state.why_full.0));
                (state, refusal)
            }
        }
    }

    /// How many records wait or are in the sender's hands.
    pub(crate) fn len(&self) -> usize {
        let state = self.lock();
        state.waiting + state.in_hand.0
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

    /// Says whether anybody wants anything.
    pub(crate) fn note_heard(&self, is_heard: bool) {
        self.lock().is_heard = is_heard;
    }

    /// Takes up to about `max_bytes` of records, each as `fate` says for its topic. Records that
    /// were held before are looked at again only when `again` says so. What this look does not come to is
    /// for the next one.
    pub(crate) fn take(
        &self,
        max_bytes: usize,
        again: bool,
        mut fate: impl FnMut(&Topic) -> Fate,
    ) -> Taken {
        let mut look = Look {
            room: max_bytes,
            ..Look::default()
        };
        let mut state = self.lock();
        state.sender = Rest::Awake;
        state.why_full = Why::default();
        let before = state.waiting;
        let mut waiting = std::mem::take(&mut state.fresh);
        if again {
            let mut held = std::mem::take(&mut state.held);
            held.append(&mut waiting);
            waiting = held;
        }
        while let Some(mut chunk) = waiting.pop_front() {
            if look.is_enough(&chunk) {
                waiting.push_front(chunk);
                break;
            }
            look.seen += chunk.len();
            match one_fate(&chunk, &mut fate) {
                Some(Fate::Send) if chunk.bytes() <= look.room => look.send(chunk),
                Some(Fate::Hold) => state.hold(chunk),
                _ => {
                    self.sort(&mut state, &mut look, &mut chunk, &mut fate);
                    look.seen -= chunk.len();
                    match chunk.len() {
                        0 => state.spare(chunk),
                        _ => waiting.push_front(chunk),
                    }
                }
            }
        }
        state.fresh = waiting;
        if state.waiting < before {
            // Some of it was discarded.
            self.room.notify_all();
        }
        state.waiting -= look.records;
        state.bytes -= look.bytes;
        state.in_hand.0 += look.records;
        state.in_hand.1 += look.bytes;
        state.describe(Taken {
            chunks: look.chunks,
            seen: look.seen,
            ..Taken::default()
        })
    }

    /// Looks at each record of a chunk, as far as there is room for what is to be sent.
    fn sort(
        &self,
        state: &mut State,
        look: &mut Look,
        chunk: &mut Chunk,
        fate: &mut impl FnMut(&Topic) -> Fate,
    ) {
        let mut held = state.spare.pop().unwrap_or_default();
        let mut sent = state.spare.pop().unwrap_or_default();
        while sent.bytes() < look.room
            && let Some((topic, record)) = chunk.first()
        {
            let fate = fate(topic);
            match fate {
                Fate::Send => sent.push(topic, record),
                Fate::Hold => held.push(topic, record),
                Fate::Discard => {
                    state.waiting -= 1;
                    state.bytes -= record.len();
                    state.discard(topic.clone(), Reason::NoSubscriber, &self.counters);
                }
            }
            chunk.pop();
        }
        look.send(sent);
        state.hold(held);
    }

    /// Takes emptied chunks back.
    pub(crate) fn give_back(&self, chunks: Vec<Chunk>) {
        let mut state = self.lock();
        for chunk in chunks {
            state.spare(chunk);
        }
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

    /// Throws away what still waits because the time is up; says how much that was, and adds it to the
    /// records that were discarded since the last look.
    pub(crate) fn abandon(&self) -> (u64, Vec<(Topic, Reason, u64)>) {
        let mut state = self.lock();
        let mut left = 0;
        while let Some(topic) = state.pop_oldest() {
            *state.discards.entry((topic, Reason::AtExit)).or_default() += 1;
            left += 1;
        }
        (left, state.take_discards())
    }

    /// Says that the sender will take nothing more, and whether all that it handed over has left the sockets,
    /// as far as they could tell. A publisher keeps the queues of all its lives: what
    /// they needed for the sender goes.
    pub(crate) fn end(&self, sockets_flushed: bool) {
        let mut state = self.lock();
        state.sender_ended = true;
        state.sockets_flushed = sockets_flushed;
        state.spare = Vec::new();
        state.discards = HashMap::new();
        state.topics = HashMap::new();
        state
            .deadline
            .get_or_insert_with(|| Deadline::within(Duration::ZERO));
        drop(state);
        *self.waker() = None;
        self.progress.notify_all();
        self.room.notify_all();
    }
}

#[cfg(test)]
mod tests;
