//! The sender's thread where delivery is durable: it takes what waits, numbers it, and hands it to
//! the courier.
//!
//! One turn hears the broker, takes as much as the courier has room for, joins the records of a topic
//! into messages, has them written where there is a spool, and sends what there is credit for. When
//! the courier has no room, nothing is taken, and callers need not call: the queue's own policy
//! decides what becomes of records that find it full. Heartbeats are messages like others; those that
//! only tell how things stand are sent when nothing else waits, because they carry the next number.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use logbus_process as process;
use logbus_schemas::Topic;
use logbus_schemas::codec::Codec;
use logbus_schemas::wire::durable::Hello;
use logbus_schemas::wire::sequence::{HEARTBEAT_EVERY, Numbering};
use logbus_schemas::wire::{Flags, Identity, SenderId};
use logbus_transport::{Error, ErrorKind, PollSet, Waker, wait};

use super::config::DurableConfig;
use super::courier::Courier;
use super::window::Item;
use crate::config::Config;
use crate::queue::{Deadline, Fate, Queue, Rest, Taken};
use crate::sender::{Batch, Closing, NAP, TURN_BYTES, batches, identity, now, start};
use crate::spool::{Name, Spool, file_name};
use crate::stats::Reason;

/// How often spools of the dead are looked for.
const LOOK_AROUND: Duration = Duration::from_secs(10);
/// How long an answer to the goodbyes is waited for; that they are not heard costs no record.
const FAREWELL: Duration = Duration::from_millis(500);
/// What a message may have besides its payload.
const AROUND_PAYLOAD: u64 = 512;

/// Opens spool and socket and starts the thread.
pub(crate) fn spawn(
    config: &Config,
    durable: &DurableConfig,
    queue: Arc<Queue>,
    waker: Waker,
) -> Result<JoinHandle<Closing>, Error> {
    let id = process::random();
    let identity = identity(config);
    let spool = match &durable.spool {
        Some(dir) => Some(open_spool(dir, config, durable, id)?),
        None => None,
    };
    let hello = Hello {
        program: identity.program.clone(),
        host: identity.host.clone(),
        pid: identity.pid,
    };
    let sender = Sender {
        courier: Courier::open(durable, config.security()?, hello, spool)?,
        queue,
        waker,
        numbers: Numbering::new(SenderId(id), config.codec),
        identity,
        codec: config.codec,
        batch_bytes: config.batch_bytes,
        durable: durable.clone(),
        next_heartbeat: Instant::now(),
        next_look: Instant::now(),
        nap_until: Instant::now(),
    };
    start(move || sender.run())
}

fn open_spool(
    dir: &Path,
    config: &Config,
    durable: &DurableConfig,
    id: u64,
) -> Result<Spool, Error> {
    let name = Name::new(&config.program, id);
    Spool::create(dir, &name, durable.spool_bytes, durable.fsync).map_err(|error| Error {
        kind: ErrorKind::Unusable,
        endpoint: None,
        source: format!("cannot make a spool in {}: {error}", dir.display()).into(),
    })
}

struct Sender {
    courier: Courier,
    queue: Arc<Queue>,
    waker: Waker,
    numbers: Numbering,
    identity: Identity,
    codec: Codec,
    batch_bytes: usize,
    durable: DurableConfig,
    next_heartbeat: Instant,
    next_look: Instant,
    /// Until when to wait for more after some records came, whatever the broker says meanwhile.
    nap_until: Instant,
}

impl Sender {
    fn run(mut self) -> Closing {
        loop {
            let taken = self.turn();
            if let Some(deadline) = taken.deadline {
                let is_done = taken.is_empty && self.courier.is_settled();
                if is_done || Instant::now() >= deadline.stop {
                    return self.close(deadline);
                }
            }
            let has_room = self.courier.room() > 0;
            let rest = self.rest(&taken, has_room);
            // Without room nobody need call: what makes room comes from the broker.
            if self.queue.rest(self.courier.is_settled(), rest) || !has_room {
                self.sleep(rest, taken.deadline);
            }
        }
    }

    fn rest(&mut self, taken: &Taken, has_room: bool) -> Rest {
        let now = Instant::now();
        if taken.seen > 0 {
            self.nap_until = now + NAP;
        }
        if taken.has_more || !has_room {
            Rest::Awake
        } else if now < self.nap_until {
            Rest::Nap
        } else {
            Rest::Sleep
        }
    }

    fn turn(&mut self) -> Taken {
        self.look_around();
        self.courier.turn(&self.queue.counters);
        let taken = self.take_in();
        self.send_heartbeats();
        self.courier.send(&self.queue.counters);
        taken
    }

    /// Takes over what publishers of this program left that are dead.
    fn look_around(&mut self) {
        let Some(dir) = &self.durable.spool else {
            return;
        };
        if Instant::now() < self.next_look {
            return;
        }
        self.next_look = Instant::now() + LOOK_AROUND;
        let program = file_name(&self.identity.program);
        let is_wanted = |name: &Name| name.program == program;
        // A folder that cannot be read shows when something is written there.
        drop(self.courier.adopt(dir, is_wanted, &self.queue.counters));
    }

    /// Takes what the courier has room for, and has it written.
    fn take_in(&mut self) -> Taken {
        let mut taken = match self.courier.room() {
            0 => self.queue.take_nothing(self.courier.why_full()),
            room => self.queue.take(room.min(TURN_BYTES), false, |_| Fate::Send),
        };
        self.count_discards(std::mem::take(&mut taken.discards));
        let (mut records, mut bytes) = (0, 0);
        let chunks = std::mem::take(&mut taken.chunks);
        let batches = batches(&chunks, self.batch_bytes());
        self.queue.give_back(chunks);
        for batch in batches {
            records += batch.count as usize;
            bytes += batch.taken_bytes;
            self.put(batch);
        }
        self.courier.commit();
        if records > 0 {
            self.queue.handed_over(records, bytes, true);
        }
        taken
    }

    /// Adds to the totals that heartbeats tell: those of so many topics, as long as there is no room for
    /// goodbyes. Beyond that they are in the publisher's own statistics alone.
    fn count_discards(&mut self, discards: Vec<(Topic, Reason, u64)>) {
        for (topic, reason, count) in discards {
            if self.numbers.is_full_for(&topic) {
                if self.courier.room() == 0 {
                    continue;
                }
                self.begin_anew();
            }
            self.numbers.discard(&topic, reason.name(), count);
        }
    }

    fn batch_bytes(&self) -> usize {
        let most = self.courier.max_message().unwrap_or(u64::MAX);
        let most = usize::try_from(most.saturating_sub(AROUND_PAYLOAD)).unwrap_or(usize::MAX);
        self.batch_bytes.min(most)
    }

    fn put(&mut self, batch: Batch) {
        if self.numbers.is_full_for(&batch.topic) {
            self.begin_anew();
        }
        if self.numbers.is_new(batch.topic.as_str()) {
            self.put_heartbeat(&batch.topic, Flags::HEARTBEAT);
        }
        let header = self.numbers.number(&batch.topic, batch.count, now());
        self.count_message();
        self.courier.put(Item {
            topic: batch.topic,
            header,
            payload: batch.payload,
            place: None,
            is_passing: false,
        });
    }

    /// A sender numbers only so many topics; then another sender takes its place.
    fn begin_anew(&mut self) {
        self.say_goodbye();
        self.numbers = Numbering::new(SenderId(process::random()), self.codec);
        self.identity.started = process::now();
    }

    fn say_goodbye(&mut self) {
        let topics: Vec<Topic> = self.numbers.topics().cloned().collect();
        for topic in topics {
            self.put_heartbeat(&topic, Flags::GOODBYE);
        }
    }

    /// A heartbeat that is kept like a record: the first of a topic, and the last.
    fn put_heartbeat(&mut self, topic: &Topic, flags: Flags) {
        let item = self.heartbeat(topic, flags, false);
        self.courier.put(item);
    }

    fn send_heartbeats(&mut self) {
        if Instant::now() < self.next_heartbeat || !self.courier.is_caught_up() {
            return;
        }
        let sender = self.numbers.sender().0;
        for topic in self.numbers.due(now()) {
            // Of two messages with one number, nobody could say which one an answer is for. What is
            // on its way tells how things stand, anyway.
            if !self.courier.has_any(sender, &topic) {
                let item = self.heartbeat(&topic, Flags::HEARTBEAT, true);
                self.courier.pass(item);
            }
        }
        self.next_heartbeat = Instant::now() + Duration::from_nanos(HEARTBEAT_EVERY);
    }

    fn heartbeat(&mut self, topic: &Topic, flags: Flags, is_passing: bool) -> Item {
        self.identity.discarded = self.numbers.discarded(topic.as_str());
        self.count_message();
        Item {
            topic: topic.clone(),
            header: self.numbers.heartbeat(topic, flags, now()),
            payload: self.identity.encode(self.codec),
            place: None,
            is_passing,
        }
    }

    fn count_message(&self) {
        self.queue.counters.messages.fetch_add(1, Ordering::Relaxed);
    }

    fn sleep(&self, rest: Rest, deadline: Option<Deadline>) {
        let mut set = PollSet::new();
        if rest == Rest::Nap {
            set.wake_by(self.nap_until);
        }
        if let Some(deadline) = deadline {
            set.wake_by(deadline.stop);
        }
        if self.numbers.topics().next().is_some() && self.courier.is_caught_up() {
            set.wake_by(self.next_heartbeat);
        }
        if self.durable.spool.is_some() {
            set.wake_by(self.next_look);
        }
        self.wait(&mut set);
    }

    fn wait<'a>(&'a self, set: &mut PollSet<'a>) {
        self.courier.poll(set);
        self.waker.poll(set);
        // An interrupted or refused wait is a short one: the loop looks at everything anyway.
        drop(wait(set, None));
        self.waker.clear();
    }

    fn close(mut self, deadline: Deadline) -> Closing {
        // With a spool, what still waits has a place.
        while self.take_in().has_more && self.courier.room() > 0 {}
        let mut closing = Closing::default();
        let (left, discards) = self.queue.abandon();
        closing.left += left;
        self.count_discards(discards);
        self.say_goodbye();
        self.courier.commit();
        self.courier.turn(&self.queue.counters);
        let until = deadline.close.min(Instant::now() + FAREWELL);
        while !self.courier.is_idle() && Instant::now() < until {
            let mut set = PollSet::new();
            set.wake_by(until);
            self.wait(&mut set);
            self.courier.turn(&self.queue.counters);
        }
        let is_settled = self.courier.is_settled();
        let (lost, kept) = self.courier.close(Duration::ZERO);
        closing.left += lost;
        closing.kept = kept;
        self.queue.end(is_settled);
        closing
    }
}
