//! The broker's one thread: receive, translate, send, and carry subscriptions back.
//!
//! It owns every socket and never waits except for all of them at once. That a publisher joins
//! while messages flood in is noticed within one turn, because a turn takes a bounded number of
//! messages from each socket: a publisher's first records are sent only after its socket has been
//! served here.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use logbus_process as process;
use logbus_schemas::Topic;
use logbus_schemas::dialect::{self, Dialect, Malformed, MalformedKind};
use logbus_schemas::wire::SenderId;
use logbus_transport::{
    Error, Flushed, Inlet, Message, Notices, PollSet, SubscriptionEvent, User, Waker, wait,
};

use crate::demand::{Change, Demand};
use crate::fanout::Fanout;
use crate::journal::Intake;
use crate::listen::Listening;
use crate::reject::RejectFile;
use crate::rights::Guard;
use crate::stats::Summary;
use crate::tap::Tap;
use crate::translate::{NativeMessage, Translated, Translator};

/// Messages taken from one socket before the others get their turn.
const TURN_MESSAGES: usize = 512;
/// Heartbeats of the broker's own sender id, and the least time between two notices of one kind.
const HEARTBEAT: Duration = Duration::from_secs(1);
const NOTICE_EVERY: Duration = Duration::from_secs(10);

/// Asks the hub to stop; shared with the handle.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    asked: AtomicBool,
    /// How long draining and closing may take, in ms.
    limit: std::sync::atomic::AtomicU64,
}

impl Stop {
    pub(crate) fn ask(&self, limit: Duration) {
        let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.limit.store(millis, Ordering::Relaxed);
        self.asked.store(true, Ordering::Release);
    }

    fn limit(&self) -> Option<Duration> {
        let asked = self.asked.load(Ordering::Acquire);
        asked.then(|| Duration::from_millis(self.limit.load(Ordering::Relaxed)))
    }
}

/// An inlet with its name.
pub(crate) struct Source {
    pub(crate) inlet: Box<dyn Inlet>,
    pub(crate) name: Arc<str>,
    /// The dialect of all that comes in here; `None` where messages tell for themselves.
    pub(crate) dialect: Option<&'static Dialect>,
    /// Whether what comes in here is in the journal already.
    pub(crate) is_kept: bool,
    /// Whether it lets in nobody without a key.
    pub(crate) is_secured: bool,
}

pub(crate) struct Hub {
    sources: Vec<Source>,
    listening: Option<Listening>,
    fanout: Fanout,
    /// Where traffic that is to be journalled goes.
    intake: Option<Intake>,
    demand: Demand,
    translator: Translator,
    program: String,
    own_name: Arc<str>,
    rejects: Option<RejectFile>,
    say: Box<dyn Fn(&str) + Send>,
    said: BTreeMap<MalformedKind, Instant>,
    next_heartbeat: Instant,
    summary: Summary,
    guard: Option<Guard>,
    notices: Notices,
}

impl Hub {
    pub(crate) fn new(
        sources: Vec<Source>,
        listening: Option<Listening>,
        fanout: Fanout,
        intake: Option<Intake>,
        program: String,
        rejects: Option<RejectFile>,
        say: Box<dyn Fn(&str) + Send>,
    ) -> Self {
        Self {
            sources,
            listening,
            fanout,
            intake,
            demand: Demand::default(),
            translator: Translator::new(&program),
            own_name: program.as_str().into(),
            program,
            rejects,
            say,
            said: BTreeMap::new(),
            next_heartbeat: Instant::now(),
            summary: Summary::default(),
            guard: None,
            notices: Notices::default(),
        }
    }

    /// Where sockets put down what is to be said, and who is asked before a message goes on.
    pub(crate) fn guarded_by(mut self, guard: Option<Guard>, notices: Notices) -> Self {
        self.guard = guard;
        self.notices = notices;
        self.claim_own();
        self
    }

    /// Nobody else may use the sender id under which foreign records go on.
    fn claim_own(&self) {
        if let Some(guard) = &self.guard {
            guard.claim_own(self.translator.sender());
        }
    }

    /// What the taps and the journal want, before anything flows.
    pub(crate) fn subscribe_own(&mut self, taps: &[Tap]) -> Result<(), Error> {
        let journalled = self.intake.iter().flat_map(Intake::prefixes);
        let prefixes: Vec<_> = taps
            .iter()
            .flat_map(Tap::prefixes)
            .chain(journalled)
            .collect();
        for prefix in prefixes {
            self.change_demand(SubscriptionEvent::Added(prefix))?;
        }
        Ok(())
    }

    pub(crate) fn run(mut self, waker: &Waker, stop: &Stop) -> Summary {
        let limit = loop {
            if let Some(limit) = stop.limit() {
                break limit;
            }
            let is_more = match self.turn() {
                Ok(is_more) => is_more,
                Err(error) => {
                    (self.say)(&format!("the bus stops: {error}"));
                    break Duration::ZERO;
                }
            };
            if !is_more {
                let until_heartbeat = self
                    .next_heartbeat
                    .saturating_duration_since(Instant::now());
                self.sleep(waker, until_heartbeat);
            }
        };
        self.close(waker, limit)
    }

    /// One turn over all sockets; says whether there is more to do at once.
    fn turn(&mut self) -> Result<bool, Error> {
        for event in self.fanout.subscription_events()? {
            self.change_demand(event)?;
        }
        let is_more = self.receive_some()?;
        self.tell_troubles();
        if self.next_heartbeat <= Instant::now() {
            for heartbeat in self.translator.heartbeats() {
                self.send_own(heartbeat, None)?;
            }
            self.claim_own();
            if let Some(guard) = &mut self.guard
                && guard.refresh(Instant::now())
            {
                self.fanout.reconsider()?;
            }
            self.next_heartbeat = Instant::now() + HEARTBEAT;
        }
        self.fanout.hand_over();
        Ok(is_more)
    }

    fn tell_troubles(&self) {
        let guarded = self.guard.iter().flat_map(Guard::take_notices);
        for notice in self.notices.take().into_iter().chain(guarded) {
            (self.say)(&notice);
        }
        if let Some(listening) = &self.listening {
            for notice in listening.tally.take_notices() {
                (self.say)(&notice);
            }
        }
    }

    fn change_demand(&mut self, event: SubscriptionEvent) -> Result<(), Error> {
        for change in self.demand.apply(event) {
            // What comes in pinned to a dialect need not begin with its topic: all of it is taken.
            let by_topic = self.sources.iter_mut().filter(|s| s.dialect.is_none());
            for source in by_topic {
                match &change {
                    Change::Subscribe(prefix) => source.inlet.subscribe(prefix)?,
                    Change::Unsubscribe(prefix) => source.inlet.unsubscribe(prefix)?,
                }
            }
        }
        Ok(())
    }

    fn receive_some(&mut self) -> Result<bool, Error> {
        let mut is_more = false;
        for at in 0..self.sources.len() {
            let source = &self.sources[at];
            let (from, dialect) = (source.name.clone(), source.dialect);
            let way = (source.is_kept, source.is_secured);
            let mut taken = 0;
            while taken < TURN_MESSAGES
                && let Some(message) = self.sources[at].inlet.receive()?
            {
                taken += 1;
                self.pass_on(message, &from, dialect, way)?;
            }
            is_more |= taken == TURN_MESSAGES;
            self.fanout.hand_over();
        }
        Ok(is_more)
    }

    fn pass_on(
        &mut self,
        mut message: Message,
        from: &Arc<str>,
        dialect: Option<&'static Dialect>,
        (is_kept, is_secured): (bool, bool),
    ) -> Result<(), Error> {
        self.summary.messages += 1;
        let user = match self.guard {
            Some(_) if is_secured => message.user(),
            _ => None,
        };
        let frames = message.slices();
        // What is kept was asked about before it was.
        let guard = self.guard.as_ref().filter(|_| !is_kept);
        let own = self.translator.sender();
        let may = |topic: &Topic, sender: Option<SenderId>| match guard {
            None => true,
            Some(guard) if sender == Some(own) => {
                guard.refuse_sender(user, topic.as_str());
                false
            }
            Some(guard) => {
                let passes = guard.lets_pass(user, is_secured, topic.as_str(), sender);
                passes.is_ok()
            }
        };
        let records = match self.translator.translate(&frames, dialect, may) {
            Ok(Translated::Refused) => return Ok(()),
            Ok(Translated::AsItIs { records }) => {
                if let Some(intake) = self.intake.as_ref().filter(|_| !is_kept) {
                    intake.offer(&frames, user.map(owner));
                }
                drop(frames);
                self.fanout.send(message, from)?;
                u64::from(records)
            }
            Ok(Translated::Native {
                introduction,
                message,
            }) => {
                self.summary.foreign += 1;
                for native in introduction.into_iter().chain([message]) {
                    self.send_own(native, Some(from))?;
                }
                1
            }
            Err(malformed) => {
                self.reject(&message, from, dialect, &malformed);
                return Ok(());
            }
        };
        self.summary.received += records;
        if !self.demand.is_empty() {
            self.summary.sent += records;
        }
        if self.translator.is_full() {
            self.change_translator()?;
        }
        Ok(())
    }

    fn change_translator(&mut self) -> Result<(), Error> {
        let fresh = Translator::new(&self.program);
        for goodbye in std::mem::replace(&mut self.translator, fresh).goodbyes() {
            self.send_own(goodbye, None)?;
        }
        self.claim_own();
        Ok(())
    }

    /// Sends a message that was made here, of what came from there or from nowhere else.
    fn send_own(&mut self, native: NativeMessage, from: Option<&Arc<str>>) -> Result<(), Error> {
        if let Some(intake) = &self.intake {
            let header = native.header.to_bytes();
            let frames = [native.topic.as_str().as_bytes(), &header, &native.payload];
            intake.offer(&frames, None);
        }
        let own_name = self.own_name.clone();
        self.fanout.send_native(native, from.unwrap_or(&own_name))
    }

    /// Counts a message that cannot be read, and keeps it where it can be looked at.
    fn reject(
        &mut self,
        message: &Message,
        from: &Arc<str>,
        dialect: Option<&'static Dialect>,
        malformed: &Malformed,
    ) {
        if self.fanout.pass_malformed(message, from, dialect) {
            return;
        }
        *self.summary.malformed.entry(malformed.kind).or_default() += 1;
        let frames = message.slices();
        if let Some(rejects) = &mut self.rejects {
            rejects.write(process::now(), from, &malformed.to_string(), &frames);
        }
        let now = Instant::now();
        if self
            .said
            .get(&malformed.kind)
            .is_none_or(|last| now - *last >= NOTICE_EVERY)
        {
            self.said.insert(malformed.kind, now);
            let preview = dialect::preview(&frames);
            (self.say)(&format!(
                "message from {from} discarded: {malformed}: {preview}"
            ));
        }
    }

    fn sleep(&self, waker: &Waker, limit: Duration) {
        let mut set = PollSet::new();
        for source in &self.sources {
            source.inlet.poll(&mut set);
        }
        for outlet in self.fanout.outlets() {
            outlet.poll(&mut set);
        }
        waker.poll(&mut set);
        // An interrupted or refused wait is a short one: the loop looks at everything anyway.
        drop(wait(&mut set, Some(limit)));
        waker.clear();
    }

    /// Lets the listeners end, and takes meanwhile what they still hand on.
    fn finish_listening(&mut self, waker: &Waker, limit: Duration) {
        let Some(listening) = &self.listening else {
            return;
        };
        listening.ask_to_stop(limit);
        let deadline = Instant::now() + limit;
        while !self.listening.as_ref().is_none_or(Listening::is_finished) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receive_some() {
                Ok(true) => {}
                Ok(false) if !left.is_zero() => self.sleep(waker, left),
                Ok(false) | Err(_) => break,
            }
        }
        self.tell_troubles();
        if let Some(listening) = self.listening.take() {
            self.summary.troubles = listening.tally.counts();
        }
    }

    /// Passes on what has come in, says goodbye and closes, all within `limit`.
    fn close(mut self, waker: &Waker, limit: Duration) -> Summary {
        let deadline = Instant::now() + limit;
        self.finish_listening(waker, limit / 2);
        while Instant::now() < deadline && matches!(self.receive_some(), Ok(true)) {}
        self.tell_troubles();
        self.sources.clear();
        let fresh = Translator::new(&self.program);
        for goodbye in std::mem::replace(&mut self.translator, fresh).goodbyes() {
            // A socket that fails now is about to be closed anyway.
            drop(self.send_own(goodbye, None));
        }
        self.fanout.hand_over();
        self.summary.tap_overflow = self.fanout.tap_overflow();
        self.summary.refused = self
            .guard
            .take()
            .map(|guard| guard.refused())
            .unwrap_or_default();
        for (kind, count) in self.notices.counts() {
            self.summary.notices.insert(kind, count);
        }
        for outlet in self.fanout.into_outlets() {
            let left = deadline.saturating_duration_since(Instant::now());
            if outlet.close(left) == Flushed::TimedOut && !limit.is_zero() {
                (self.say)("a slow subscriber may not have got the last messages");
            }
        }
        self.summary
    }
}

/// A number for a key, by which the journal knows whose share a message takes.
fn owner(user: User) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    user.key.hash(&mut hasher);
    hasher.finish()
}
