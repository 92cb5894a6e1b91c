//! The durable endpoint's thread: it hears callers, hands messages to the journal's writer, says
//! what became of them, and sends readers what they asked for.
//!
//! It owns the socket and never waits except for all at once: callers, the writer, the time. When
//! the writer has more than enough to do, nothing more is received, so that publishers wait and not
//! the memory grows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use logbus_schemas::wire::durable::{Ack, Command, Hello, Refused, Welcome};
use logbus_schemas::wire::{Header, Native};
use logbus_transport::{Error, Message, Peer, PollSet, Waker, Way, wait};

use super::ask::{self, Question};
use super::callers::Callers;
use super::live::LiveOutlet;
use super::reading::{Desk, Readers};
use crate::journal::{self, Draft, Intake, Journal, Outcome, Placed};
use crate::rights::{Guard, Refusal};

/// Messages taken from the socket before readers have their turn.
const TURN_MESSAGES: usize = 512;
/// Messages of a publisher that may be without an answer.
const CREDIT: u32 = 1000;
/// How often reads that wait are tried, and callers are probed.
const LATER_EVERY: Duration = Duration::from_millis(200);
const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBE_PUBLISHERS_EVERY: Duration = Duration::from_secs(60);
/// Bytes of what a caller calls itself.
const MAX_HELLO: usize = 1024;
/// Sender ids that one caller is refused; with one more it is given up.
const MAX_BARRED: usize = 1000;
/// While somebody takes nothing, it is tried so often whether it does.
const BUSY_WAIT: Duration = Duration::from_millis(10);

/// Asks the thread to stop.
#[derive(Debug, Default)]
pub(super) struct Stop {
    asked: AtomicBool,
    limit: AtomicU64,
}

impl Stop {
    pub(super) fn ask(&self, limit: Duration) {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.limit.store(millis, Ordering::Relaxed);
        self.asked.store(true, Ordering::Release);
    }

    fn limit(&self) -> Option<Duration> {
        let asked = self.asked.load(Ordering::Acquire);
        asked.then(|| Duration::from_millis(self.limit.load(Ordering::Relaxed)))
    }
}

/// A message that the writer has.
struct Pending {
    peer: Peer,
    header: Header,
    message: Message,
}

/// What the thread has.
pub(super) struct Service {
    pub(super) callers: Callers,
    pub(super) journal: Arc<Journal>,
    pub(super) intake: Intake,
    pub(super) outcomes: Receiver<Outcome>,
    pub(super) live: LiveOutlet,
    pub(super) welcome: Welcome,
    /// Who is asked what a caller may do, where callers have keys.
    pub(super) guard: Option<Guard>,
    pub(super) say: Arc<dyn Fn(&str) + Send + Sync>,
    pub(super) waker: Waker,
    pub(super) clock: Clock,
    pub(super) readers: Readers,
    pub(super) pending: PendingQueue,
}

/// When what is due next.
pub(super) struct Clock {
    later: Instant,
    probe: Instant,
    probe_publishers: Instant,
    told_lost: u64,
}

/// Messages that the writer has, oldest first.
#[derive(Default)]
pub(super) struct PendingQueue(VecDeque<Pending>);

impl Default for Clock {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            later: now,
            probe: now,
            probe_publishers: now + PROBE_PUBLISHERS_EVERY,
            told_lost: 0,
        }
    }
}

impl Service {
    /// What everybody is greeted with.
    pub(super) fn welcome(program: &str, journal: &Journal, max: usize, fsync: &str) -> Welcome {
        Welcome {
            program: program.to_owned(),
            journal: journal.id(),
            credit: CREDIT,
            max_message: max as u64,
            fsync: fsync.to_owned(),
        }
    }

    pub(super) fn run(mut self, stop: &Stop) {
        let limit = loop {
            if let Some(limit) = stop.limit() {
                break limit;
            }
            match self.turn() {
                Ok(Turn { is_more: true, .. }) => {}
                Ok(Turn { is_busy, .. }) => self.sleep(is_busy),
                Err(error) => {
                    (self.say)(&format!("the durable endpoint stops: {error}"));
                    break Duration::ZERO;
                }
            }
        };
        self.close(limit);
    }

    fn turn(&mut self) -> Result<Turn, Error> {
        self.waker.clear();
        self.reconsider();
        self.take_outcomes()?;
        let mut is_more = self.receive_some()?;
        let is_busy = self.callers.say_what_waits()?;
        let (readers, mut desk) = self.desk();
        is_more |= readers.serve(&mut desk)?;
        self.keep_house()?;
        self.drop_lost();
        Ok(Turn { is_more, is_busy })
    }

    fn desk(&mut self) -> (&mut Readers, Desk<'_>) {
        let desk = Desk {
            callers: &mut self.callers,
            journal: &self.journal,
            intake: &self.intake,
            rights: self.guard.as_ref().map(Guard::rights),
        };
        (&mut self.readers, desk)
    }

    /// Where rights have changed, puts out who may not come in any more, and who reads what it would
    /// not be given now, or not all that it would be given; it may come again, and asks again.
    fn reconsider(&mut self) {
        let Some(guard) = &mut self.guard else {
            return;
        };
        if !guard.has_changed() {
            return;
        }
        let changed = self.readers.changed(guard.rights());
        for peer in changed {
            self.callers.put_out(&peer);
        }
        self.callers.board.reconsider();
        self.drop_lost();
    }

    fn receive_some(&mut self) -> Result<bool, Error> {
        for _ in 0..TURN_MESSAGES {
            if !self.intake.has_room() {
                return Ok(false);
            }
            let Some((peer, message)) = self.callers.board.receive()? else {
                return Ok(false);
            };
            self.hear(&peer, message)?;
        }
        Ok(true)
    }

    fn hear(&mut self, peer: &Peer, mut message: Message) -> Result<(), Error> {
        let command = message.frames().first().map(|frame| Command::decode(frame));
        let command = match command {
            Some(Ok(command)) => command,
            Some(Err(error)) => {
                let is_version = error.0.starts_with("version");
                let code = if is_version { "version" } else { "form" };
                return self.refuse(peer, code, &error.to_string(), Refused::default());
            }
            None => return Ok(()),
        };
        if let Command::Hello(hello) = command {
            let question = message
                .frames()
                .first()
                .and_then(|frame| ask::question(frame));
            return match question {
                Some(question) => self.tell_consumers(peer, &question),
                None => {
                    let way = self.callers.board.way(&mut message);
                    self.greet(peer, hello, way)
                }
            };
        }
        if self.callers.get(peer).is_none() {
            return self.refuse(peer, "form", "say hello first", Refused::default());
        }
        match command {
            Command::Publish => self.publish(peer, message)?,
            Command::Read(read) => {
                let (readers, mut desk) = self.desk();
                readers.open(peer, read, &mut desk)?;
            }
            Command::More(more) => self.readers.more(peer, more.read, more.credit),
            Command::Stop(stop) => self.readers.stop(peer, stop.read),
            Command::Done(done) => {
                let (readers, mut desk) = self.desk();
                readers.done(peer, &done, &mut desk);
            }
            _ => {
                let why = "only a broker says that";
                self.refuse(peer, "form", why, Refused::default())?;
            }
        }
        Ok(())
    }

    fn greet(&mut self, peer: &Peer, hello: Hello, way: Option<Way>) -> Result<(), Error> {
        if hello.program.len() + hello.host.len() > MAX_HELLO {
            let why = "the names in a hello have 1 KiB together at most";
            return self.refuse(peer, "form", why, Refused::default());
        }
        self.readers.leave(peer);
        self.callers.greet(peer, hello, way);
        let welcome = Command::Welcome(self.welcome.clone());
        self.callers.say(peer, &welcome)
    }

    /// Tells somebody who asked for them about durable subscriptions: about its own, or about all of
    /// them where it may read everything.
    fn tell_consumers(&mut self, peer: &Peer, question: &Question) -> Result<(), Error> {
        let mut consumers = self.journal.consumer_infos().unwrap_or_default();
        // That one was forgotten may not be written yet.
        consumers.retain(|one| !self.readers.is_forgotten(&one.name));
        let (_, desk) = self.desk();
        if let Some(asker) = desk.client(peer) {
            if let Err(why) = asker.reads {
                return self.refuse(peer, "right", &why, Refused::default());
            }
            consumers.retain(|one| asker.is_all || one.owner.as_ref() == Some(&asker.name));
        }
        let mut forgotten = false;
        if let Some(name) = &question.forget
            && consumers.iter().any(|one| one.name == *name)
            && self.readers.forget(name)
        {
            forgotten = true;
            self.intake.forget(name);
        }
        let answer = ask::answer(&self.welcome, &consumers, forgotten);
        self.callers.send(peer, Message::single(answer))
    }

    fn publish(&mut self, peer: &Peer, message: Message) -> Result<(), Error> {
        let size = message.len_bytes() as u64;
        let message: Message = message.into_frames().skip(1).collect();
        let frames = message.slices();
        let parsed = match Native::split(&frames) {
            Some(native) if frames.len() == 3 => native.parse().map(|parsed| (native, parsed)),
            _ => {
                let why = "a native message has three frames";
                return self.refuse(peer, "form", why, Refused::default());
            }
        };
        let (native, (topic, header)) = match parsed {
            Ok(parsed) => parsed,
            Err(error) => {
                return self.refuse(peer, "form", &error.to_string(), Refused::default());
            }
        };
        if let Some(refusal) = self.barrier(peer, topic.as_str(), &header) {
            let (why, about) = (
                refusal.describe(topic.as_str()),
                about(topic.as_str(), &header),
            );
            return self.refuse(peer, refusal.code(), &why, about);
        }
        if size > self.welcome.max_message {
            let most = self.welcome.max_message;
            let why = format!("the message has {size} bytes, and {most} is the most");
            return self.refuse(peer, "size", &why, about(&topic.to_string(), &header));
        }
        self.intake
            .append(Draft::new(topic, header, native.header, native.payload));
        drop(frames);
        if let Some(caller) = self.callers.get(peer) {
            caller.unanswered += 1;
            if caller.unanswered > 2 * CREDIT as usize {
                let why = "sends more than it has credit for";
                self.cut(peer, why);
            }
        }
        self.pending.0.push_back(Pending {
            peer: peer.clone(),
            header,
            message,
        });
        Ok(())
    }

    /// Why a message may not be kept, if so.
    fn barrier(&mut self, peer: &Peer, topic: &str, header: &Header) -> Option<Refusal> {
        let guard = self.guard.as_ref()?;
        let sender = header.sender;
        let caller = self.callers.get(peer)?;
        if caller.barred.contains(&sender.0) {
            return Some(guard.refuse_sender(peer.user(), topic));
        }
        let refusal = guard
            .lets_pass(peer.user(), true, topic, Some(sender))
            .err()?;
        if refusal.code() == Refusal::Sender.code() {
            caller.barred.insert(sender.0);
            if caller.barred.len() > MAX_BARRED {
                self.cut(peer, "uses the sender ids of many others");
            }
        }
        Some(refusal)
    }

    /// Says what became of messages, and passes on what is new.
    fn take_outcomes(&mut self) -> Result<(), Error> {
        let mut acks: BTreeMap<(Peer, u64, String), u64> = BTreeMap::new();
        let mut is_any = false;
        while let Ok(outcome) = self.outcomes.try_recv() {
            is_any = true;
            let placed = match outcome {
                Outcome::Noted(name, below, handed) => {
                    let readers = &mut self.readers;
                    readers.noted(&name, (below, handed), &mut self.callers)?;
                    continue;
                }
                Outcome::Placed(placed) => Ok(placed),
                Outcome::Refused(refusal) => Err(refusal),
            };
            let Some(pending) = self.pending.0.pop_front() else {
                continue;
            };
            self.answer(pending, placed, &mut acks)?;
        }
        if is_any {
            self.live.call();
        }
        for ((peer, sender, topic), next) in acks {
            let ack = Ack {
                sender,
                topic,
                next,
            };
            self.callers.acknowledge(&peer, Command::Ack(ack))?;
        }
        Ok(())
    }

    fn answer(
        &mut self,
        pending: Pending,
        placed: Result<Placed, journal::Refusal>,
        acks: &mut BTreeMap<(Peer, u64, String), u64>,
    ) -> Result<(), Error> {
        let Pending {
            peer,
            header,
            message,
        } = pending;
        if let Some(caller) = self.callers.get(&peer) {
            caller.unanswered = caller.unanswered.saturating_sub(1);
        }
        let topic = message.frames().first();
        let topic = topic.map_or_else(String::new, |t| String::from_utf8_lossy(t).into_owned());
        let placed = match placed {
            Ok(placed) => placed,
            Err(refusal) => {
                let why = refusal.describe();
                return self.refuse(&peer, "full", why, about(&topic, &header));
            }
        };
        acks.insert((peer, header.sender.0, topic), placed.next);
        if placed.offset.is_some() || header.flags.is_heartbeat() {
            self.live.put(message);
        }
        Ok(())
    }

    fn refuse(&mut self, peer: &Peer, code: &str, why: &str, about: Refused) -> Result<(), Error> {
        let refused = Refused {
            code: code.to_owned(),
            reason: why.to_owned(),
            ..about
        };
        self.callers.say(peer, &Command::Refused(refused))
    }

    fn keep_house(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.clock.later <= now {
            self.clock.later = now + LATER_EVERY;
            let (readers, mut desk) = self.desk();
            readers.try_later(&mut desk)?;
        }
        if self.clock.probe_publishers <= now {
            self.clock.probe_publishers = now + PROBE_PUBLISHERS_EVERY;
            self.callers.probe()?;
        }
        if self.clock.probe <= now {
            self.clock.probe = now + PROBE_EVERY;
            if let Some(guard) = &self.guard {
                // The hub does so as well, as long as there is one.
                guard.rights().refresh();
            }
            self.readers.probe(&mut self.callers)?;
            let lost = self.live.lost();
            if lost > self.clock.told_lost {
                let more = lost - self.clock.told_lost;
                (self.say)(&format!(
                    "{more} messages of durable publishers are in the journal, but did not go to PUB/SUB subscribers: the hub was too slow"
                ));
                self.clock.told_lost = lost;
            }
        }
        Ok(())
    }

    fn drop_lost(&mut self) {
        for (peer, why) in self.callers.take_lost() {
            match why {
                Some(why) => self.cut(&peer, why),
                None => {
                    self.readers.leave(&peer);
                    self.callers.forget(&peer);
                }
            }
        }
    }

    /// Gives a caller up, with its connection, and says so.
    fn cut(&mut self, peer: &Peer, why: &str) {
        self.readers.leave(peer);
        let why = format!("it {why}");
        if let Some(caller) = self.callers.cut(peer, &why) {
            (self.say)(&format!("{} is given up: {why}", caller.name()));
        }
    }

    fn sleep(&self, is_busy: bool) {
        let mut set = PollSet::new();
        if self.intake.has_room() {
            self.callers.board.poll(&mut set);
        }
        self.waker.poll(&mut set);
        let longest = if is_busy { BUSY_WAIT } else { LATER_EVERY };
        // An interrupted or refused wait is a short one: the loop looks at everything anyway.
        drop(wait(&mut set, Some(longest)));
    }

    /// Takes nothing new, answers what was taken, and closes within `limit`.
    fn close(mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        // Errors of a socket that is about to be closed are of no use to anybody.
        drop(self.take_outcomes());
        while !self.pending.0.is_empty() && Instant::now() < deadline {
            let mut set = PollSet::new();
            self.waker.poll(&mut set);
            drop(wait(&mut set, Some(BUSY_WAIT)));
            self.waker.clear();
            drop(self.take_outcomes());
        }
        let (readers, mut desk) = self.desk();
        drop(readers.close(&mut desk));
        let left = deadline.saturating_duration_since(Instant::now());
        let _flushed = self.callers.board.close(left.min(limit / 2));
    }
}

struct Turn {
    is_more: bool,
    is_busy: bool,
}

/// What a refusal of a published message says of it.
fn about(topic: &str, header: &Header) -> Refused {
    Refused {
        sender: header.sender.0,
        topic: topic.to_owned(),
        sequence: header.sequence,
        records: header.count,
        ..Refused::default()
    }
}
