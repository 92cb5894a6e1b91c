//! The one thread that owns the sockets: it takes what waits, numbers it, batches it, sends it.
//!
//! One turn of its loop hears who subscribes, takes the records that somebody wants, joins those
//! of a topic into messages (numbered by `schemas/src/wire/sequence.rs`, next on a record's way),
//! sends them, and sends heartbeats that are due. Then it sleeps until a record, a subscription
//! or a deadline comes; where records come close on one another it naps in place of that. Records that
//! nobody wants yet wait in the queue for as long as [`Config::hold`] says: a socket would drop them
//! silently. Durable delivery has a thread of another kind in this one's place
//! (`publisher/src/durable/sender.rs`). This file never touches a record's content and never drops one
//! without counting it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logbus_process as process;
use logbus_schemas::Topic;
use logbus_schemas::codec::Codec;
use logbus_schemas::wire::sequence::{HEARTBEAT_EVERY, Moment, Numbering};
use logbus_schemas::wire::{self, Flags, Header, Identity, SenderId};
use logbus_transport::{
    Attachment, Endpoint, Error, ErrorKind, Flushed, Frame, Message, Options, Outlet, OutletKind,
    PollSet, Security, Sent, Waker, WhenFull, open_outlet, wait,
};

use crate::chunk::Chunk;
use crate::config::Config;
use crate::durable::{self, Delivery};
use crate::queue::{FOR_EVER, Fate, Queue, Rest, Taken};
use crate::stats::Reason;
use crate::subscriptions::Subscriptions;

/// The sender's thread is called this.
const THREAD_NAME: &str = "logbus-sender";
/// Bytes of records taken from the queue in one turn: several messages' worth, so that the other
/// things a turn does cost little, and few enough that subscriptions are heard soon.
pub(crate) const TURN_BYTES: usize = 256 << 10;
/// Messages a socket holds for a peer that is slower than we are. The queue holds the rest, where
/// what overflows is counted.
const SOCKET_QUEUE: usize = 256;
/// How long one slow peer of several may keep a message from the others.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a peer that used up the patience gets none.
const IMPATIENCE: Duration = Duration::from_secs(1);
/// How long to wait for more after some records were sent: they share messages, and callers need
/// not call. With durable delivery.
pub(crate) const NAP: Duration = Duration::from_millis(1);
/// The same without: as long as a record may wait for nothing but others. Linux makes about twice that
/// of it (PR_SET_TIMERSLACK), and that is well: where it made no more of it, turns came twice as often and
/// a record's way took longer. A nap of a millisecond made five of the six parts of a record's time to a
/// handler.
const SHORT_NAP: Duration = Duration::from_micros(50);
/// The same while nobody listens.
const LONG_NAP: Duration = Duration::from_millis(20);
/// Records that are further apart share no message: then each calls, and is sent at once.
const APART: Duration = Duration::from_micros(250);
/// How soon to try again when a socket has no room. Nothing announces room.
const RETRY: Duration = Duration::from_millis(1);

/// What could not be handed over when the publisher closed.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    pub(crate) left: u64,
    pub(crate) unconfirmed: u64,
    pub(crate) kept: u64,
}

/// Opens the sockets and starts the thread.
pub(crate) fn spawn(
    config: &Config,
    queue: Arc<Queue>,
    waker: Waker,
) -> Result<JoinHandle<Closing>, Error> {
    if let Delivery::Durable(durable) = &config.delivery {
        return durable::spawn(config, durable, queue, waker);
    }
    let endpoints = config.endpoints().map_err(|error| Error {
        kind: ErrorKind::Unusable,
        endpoint: None,
        source: Box::new(error),
    })?;
    let security = config.security()?;
    let links = endpoints
        .into_iter()
        .map(|endpoint| Link::open(endpoint, security.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    let sender = Sender::new(config, queue, waker, links);
    start(move || sender.run())
}

thread_local! {
    /// Whether this is a sender's thread.
    pub(crate) static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Starts the thread.
pub(crate) fn start(
    run: impl FnOnce() -> Closing + Send + 'static,
) -> Result<JoinHandle<Closing>, Error> {
    let run = move || {
        process::block_signals();
        IS_OWN.set(true);
        run()
    };
    std::thread::Builder::new()
        .name(THREAD_NAME.to_owned())
        .spawn(run)
        .map_err(|error| Error {
            kind: ErrorKind::Broken,
            endpoint: None,
            source: Box::new(error),
        })
}

/// Who this publisher is.
pub(crate) fn identity(config: &Config) -> Identity {
    Identity {
        host: process::host_name(),
        pid: std::process::id(),
        program: config.program.clone(),
        started: process::now(),
        version: concat!("logbus ", env!("CARGO_PKG_VERSION")).to_owned(),
        ..Identity::default()
    }
}

/// Now, by both clocks.
pub(crate) fn now() -> Moment {
    Moment {
        clock: process::now(),
        steady: process::steady(),
    }
}

struct Sender {
    queue: Arc<Queue>,
    waker: Waker,
    links: Vec<Link>,
    numbers: Numbering,
    identity: Identity,
    codec: Codec,
    batch_bytes: usize,
    hold: Duration,
    /// Until when records wait for a subscriber; `None` once that time is over.
    hold_until: Option<Instant>,
    /// Whether held records must be looked at again, because their fate may have changed.
    look_again: bool,
    next_heartbeat: Instant,
    /// When a turn last found records.
    last_seen: Instant,
    /// Records that no socket had room for when the time was up.
    unsent: u64,
}

impl Sender {
    fn new(config: &Config, queue: Arc<Queue>, waker: Waker, links: Vec<Link>) -> Self {
        let hold = config.hold.min(FOR_EVER);
        Self {
            queue,
            waker,
            links,
            numbers: Numbering::new(SenderId(process::random()), config.codec),
            identity: identity(config),
            codec: config.codec,
            batch_bytes: config.batch_bytes,
            hold,
            hold_until: Some(Instant::now() + hold),
            look_again: false,
            next_heartbeat: Instant::now(),
            last_seen: Instant::now(),
            unsent: 0,
        }
    }

    fn run(mut self) -> Closing {
        loop {
            let taken = self.turn();
            if let Some(deadline) = taken.deadline
                && (taken.is_empty || Instant::now() >= deadline.stop)
            {
                return self.close(deadline.close);
            }
            let is_flushed = self.links.iter_mut().all(Link::is_flushed);
            let rest = self.rest(&taken);
            if self.queue.rest(is_flushed, rest) {
                if rest == Rest::Nap && self.is_heard() {
                    std::thread::park_timeout(SHORT_NAP);
                } else {
                    self.sleep(rest, taken.deadline.map(|deadline| deadline.stop));
                }
            }
        }
    }

    fn rest(&mut self, taken: &Taken) -> Rest {
        if taken.has_more {
            return Rest::Awake;
        }
        if taken.seen == 0 {
            return Rest::Sleep;
        }
        let before = std::mem::replace(&mut self.last_seen, Instant::now());
        if self.is_heard() && self.last_seen - before > APART {
            Rest::Sleep
        } else {
            Rest::Nap
        }
    }

    fn is_heard(&self) -> bool {
        self.links.iter().any(|link| !link.wanted.is_empty())
    }

    fn turn(&mut self) -> Taken {
        self.hear_subscriptions();
        let mut taken = self.take();
        self.count_discards(std::mem::take(&mut taken.discards));
        let chunks = std::mem::take(&mut taken.chunks);
        let batches = batches(&chunks, self.batch_bytes);
        self.queue.give_back(chunks);
        for batch in batches {
            self.send_records(batch);
        }
        self.send_heartbeats();
        taken
    }

    /// Adds to the totals that heartbeats tell: those of so many topics, as long as nobody hears them.
    /// Beyond that they are in the publisher's own statistics alone.
    fn count_discards(&mut self, discards: Vec<(Topic, Reason, u64)>) {
        for (topic, reason, count) in discards {
            if self.numbers.is_full_for(&topic) {
                if !self.is_heard() {
                    continue;
                }
                self.begin_anew();
            }
            self.numbers.discard(&topic, reason.name(), count);
        }
    }

    fn hear_subscriptions(&mut self) {
        let was_heard = self.is_heard();
        for link in &mut self.links {
            let (came, went) = link.hear_subscriptions();
            self.look_again |= came;
            if went {
                // Whoever takes over from the subscriber that went finds what waits meanwhile.
                self.hold_until = Some(Instant::now() + self.hold);
            }
        }
        if self.is_heard() != was_heard {
            self.queue.note_heard(!was_heard);
        }
        if self.hold_until.is_some_and(|until| until <= Instant::now()) {
            self.hold_until = None;
            self.look_again = true;
        }
    }

    fn take(&mut self) -> Taken {
        let again = std::mem::take(&mut self.look_again);
        let unwanted = if self.hold_until.is_some() {
            Fate::Hold
        } else {
            Fate::Discard
        };
        let links = &self.links;
        self.queue.take(TURN_BYTES, again, |topic| {
            if links.iter().any(|link| link.wanted.want(topic.as_str())) {
                Fate::Send
            } else {
                unwanted
            }
        })
    }

    fn send_records(&mut self, batch: Batch) {
        if self.numbers.is_full_for(&batch.topic) {
            self.begin_anew();
        }
        if self.numbers.is_new(batch.topic.as_str()) {
            self.send_heartbeat(&batch.topic, Flags::HEARTBEAT);
        }
        let header = self.numbers.number(&batch.topic, batch.count, now());
        let records = batch.count as usize;
        let is_sent = self.send(&batch.topic, &header, batch.payload, Wait::ForRoom);
        self.queue.handed_over(records, batch.taken_bytes, is_sent);
        self.unsent += if is_sent { 0 } else { records as u64 };
    }

    /// A sender numbers only so many topics; then another sender takes its place.
    fn begin_anew(&mut self) {
        self.say_goodbye();
        self.numbers = Numbering::new(SenderId(process::random()), self.codec);
        self.identity.started = process::now();
    }

    fn send_heartbeats(&mut self) {
        if Instant::now() < self.next_heartbeat {
            return;
        }
        for topic in self.numbers.due(now()) {
            self.send_heartbeat(&topic, Flags::HEARTBEAT);
        }
        self.next_heartbeat = Instant::now() + Duration::from_nanos(HEARTBEAT_EVERY);
    }

    fn say_goodbye(&mut self) {
        let topics: Vec<Topic> = self.numbers.topics().cloned().collect();
        for topic in topics {
            self.send_heartbeat(&topic, Flags::GOODBYE);
        }
    }

    /// Names the sender on this topic, if anybody listens. A heartbeat does not wait for room:
    /// another one follows, and so does the goodbye.
    fn send_heartbeat(&mut self, topic: &Topic, flags: Flags) {
        if !self
            .links
            .iter()
            .any(|link| link.wanted.want(topic.as_str()))
        {
            return;
        }
        self.identity.discarded = self.numbers.discarded(topic.as_str());
        let payload = self.identity.encode(self.codec);
        let header = self.numbers.heartbeat(topic, flags, now());
        let patience = if flags == Flags::GOODBYE {
            Wait::ForRoom
        } else {
            Wait::Never
        };
        self.send(topic, &header, payload, patience);
    }

    /// Sends to every link; `false` when none of them took the message.
    fn send(&mut self, topic: &Topic, header: &Header, payload: Vec<u8>, patience: Wait) -> bool {
        self.queue
            .counters
            .messages
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let is_shared = self.links.len() > 1;
        let mut payload = Some(payload);
        let last = self.links.len().saturating_sub(1);
        let mut is_sent = false;
        for (at, link) in self.links.iter_mut().enumerate() {
            let payload = if at == last {
                payload.take()
            } else {
                payload.clone()
            };
            let message = message(&*link.outlet, topic, header, payload.unwrap_or_default());
            is_sent |= link.send(message, header.count, is_shared, patience, &self.queue);
        }
        is_sent
    }

    fn sleep(&mut self, rest: Rest, mut until: Option<Instant>) {
        let mut earlier = |deadline: Instant| {
            until = Some(until.map_or(deadline, |until| until.min(deadline)));
        };
        if self.numbers.topics().next().is_some() {
            earlier(self.next_heartbeat);
        }
        if let Some(hold_until) = self.hold_until {
            earlier(hold_until);
        }
        if rest == Rest::Nap {
            earlier(Instant::now() + LONG_NAP);
        }
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let mut set = PollSet::new();
        for link in &self.links {
            link.outlet.poll(&mut set);
        }
        self.waker.poll(&mut set);
        // An interrupted or refused wait is a short one: the loop looks at everything anyway.
        drop(wait(&mut set, timeout));
        self.waker.clear();
    }

    fn close(mut self, close_by: Instant) -> Closing {
        let mut closing = Closing {
            left: self.unsent,
            ..Closing::default()
        };
        let (left, discards) = self.queue.abandon();
        closing.left += left;
        self.count_discards(discards);
        self.say_goodbye();
        for link in self.links.drain(..) {
            closing.unconfirmed = closing.unconfirmed.max(link.close(close_by));
        }
        self.queue.end(closing.unconfirmed == 0);
        closing
    }
}

/// Records of one topic that go in one message.
pub(crate) struct Batch {
    pub(crate) topic: Topic,
    pub(crate) payload: Vec<u8>,
    pub(crate) count: u32,
    pub(crate) taken_bytes: usize,
}

impl Batch {
    fn new(topic: &Topic) -> Self {
        Self {
            topic: topic.clone(),
            payload: Vec::new(),
            count: 0,
            taken_bytes: 0,
        }
    }

    fn push(&mut self, record: &[u8]) {
        self.payload.extend_from_slice(record);
        self.count += 1;
        self.taken_bytes += record.len();
    }
}

/// Joins the records of each topic, in order, into payloads of about `batch_bytes`. Payloads of
/// both codecs are the records end to end.
pub(crate) fn batches(chunks: &[Chunk], batch_bytes: usize) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut open: std::collections::HashMap<Topic, usize> = std::collections::HashMap::new();
    for (topic, records) in chunks.iter().flat_map(Chunk::runs) {
        let mut at = open.get(topic).copied();
        for record in records {
            let has_room = |at: &usize| batches[*at].payload.len() + record.len() <= batch_bytes;
            let place = at.filter(has_room).unwrap_or_else(|| {
                batches.push(Batch::new(topic));
                batches.len() - 1
            });
            batches[place].push(record);
            at = Some(place);
        }
        if let Some(at) = at {
            open.insert(topic.clone(), at);
        }
    }
    batches
}

fn message(outlet: &dyn Outlet, topic: &Topic, header: &Header, payload: Vec<u8>) -> Message {
    let (topic, header) = (topic.as_str().as_bytes(), header.to_bytes());
    if outlet.multipart() {
        [
            Frame::from(topic),
            Frame::from(&header[..]),
            Frame::from(payload),
        ]
        .into_iter()
        .collect()
    } else {
        [Frame::from(wire::join(topic, &header, &payload))]
            .into_iter()
            .collect()
    }
}

/// Whether a message waits for room in a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    ForRoom,
    Never,
}

/// One endpoint: its socket and what its peer wants. A socket each, so that a slow peer can be
/// told from a quick one.
struct Link {
    outlet: Box<dyn Outlet>,
    wanted: Subscriptions,
    /// Until when a full socket drops messages in place of making the other links wait.
    impatient_until: Option<Instant>,
    /// How many records the last messages held: what the socket may still hold.
    recent: VecDeque<u32>,
}

impl Link {
    fn open(endpoint: Endpoint, security: Option<Security>) -> Result<Self, Error> {
        let options = Options {
            security,
            send_queue: SOCKET_QUEUE,
            when_full: WhenFull::Refuse,
            ..Options::default()
        };
        let outlet = open_outlet(
            OutletKind::Publish,
            &[Attachment::Connect(endpoint)],
            &options,
        )?;
        Ok(Self {
            outlet,
            wanted: Subscriptions::default(),
            impatient_until: None,
            recent: VecDeque::with_capacity(SOCKET_QUEUE),
        })
    }

    /// Takes in what subscribers did; says whether any came and whether any went.
    fn hear_subscriptions(&mut self) -> (bool, bool) {
        let events = self.outlet.subscription_events().unwrap_or_default();
        let came = events.iter().any(|event| event.is_added());
        let went = events.iter().any(|event| !event.is_added());
        for event in events {
            self.wanted.apply(event);
        }
        (came, went)
    }

    fn is_flushed(&mut self) -> bool {
        self.outlet.is_flushed() != Some(false)
    }

    fn send(
        &mut self,
        mut message: Message,
        records: u32,
        is_shared: bool,
        patience: Wait,
        queue: &Queue,
    ) -> bool {
        self.regain_patience();
        let begun = Instant::now();
        loop {
            match self.outlet.send(message) {
                Ok(Sent::Taken) => {
                    self.remember(records);
                    return true;
                }
                Ok(Sent::Busy(refused)) if patience == Wait::ForRoom => message = refused,
                // A heartbeat is not worth waiting for. What a broken socket swallows shows to
                // subscribers as a gap, for it is numbered.
                Ok(Sent::Busy(_)) | Err(_) => return false,
            }
            if queue.is_overdue() {
                return false;
            }
            if is_shared && begun.elapsed() >= PATIENCE {
                self.lose_patience();
            }
            drop(wait(&mut PollSet::new(), Some(RETRY)));
        }
    }

    fn lose_patience(&mut self) {
        if self.outlet.set_when_full(WhenFull::Drop).is_ok() {
            self.impatient_until = Some(Instant::now() + IMPATIENCE);
        }
    }

    fn regain_patience(&mut self) {
        if self
            .impatient_until
            .is_some_and(|until| until <= Instant::now())
            && self.outlet.set_when_full(WhenFull::Refuse).is_ok()
        {
            self.impatient_until = None;
        }
    }

    fn remember(&mut self, records: u32) {
        if self.recent.len() == SOCKET_QUEUE {
            self.recent.pop_front();
        }
        self.recent.push_back(records);
    }

    /// Closes the socket; says how many records may not have gone out.
    fn close(self, close_by: Instant) -> u64 {
        match self
            .outlet
            .close(close_by.saturating_duration_since(Instant::now()))
        {
            Flushed::Complete => 0,
            Flushed::TimedOut => self.recent.iter().map(|count| u64::from(*count)).sum(),
        }
    }
}

#[cfg(test)]
mod tests;
