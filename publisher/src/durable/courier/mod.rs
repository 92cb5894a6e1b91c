//! Brings messages to a broker, in order, until each is acknowledged or refused.
//!
//! What is sent comes from three places, one after the other: spools that dead publishers left, the
//! publisher's own spool, and memory. Only what the window has room for is in memory where there is
//! a spool; without one, nothing is taken in that the window has no room for. A spool that cannot be
//! written is told of, and until it can be, memory takes its place.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use logbus_schemas::Topic;
use logbus_schemas::wire::durable::Hello;
use logbus_transport::{Error, ErrorKind, PollSet, Security};

mod answers;
mod feed;

use super::config::DurableConfig;
use super::link::{Heard, Link};
use super::window::{Item, Place, Window};
use crate::spool::Spool;
use crate::stats::{Counters, Reason};

/// How soon a spool that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);
const NOT_LET_IN: &str = "the durable endpoint does not let this program in: it asks for a key that \
    it knows, or has another key than was expected; it is tried again";
/// Bytes that a message has besides its topic and payload.
const OVERHEAD: usize = 64;

/// The courier; see the head of this file.
pub(crate) struct Courier {
    link: Link,
    window: Window,
    window_messages: usize,
    window_bytes: usize,
    /// What dead publishers left, until it is done.
    adopted: VecDeque<Spool>,
    spool: Option<Spool>,
    spool_failed: Option<Instant>,
    /// Messages that are on no disk and not in the window yet; younger than all that is.
    later: VecDeque<Item>,
    /// Messages of this turn.
    batch: Vec<Item>,
    /// Own records that are neither acknowledged nor refused.
    undone: u64,
    told: HashSet<String>,
    config: DurableConfig,
}

impl Courier {
    /// A courier with a spool of its own or none. `hello` says who it is, and `security` what it
    /// shows for that.
    pub(crate) fn open(
        config: &DurableConfig,
        security: Option<Security>,
        hello: Hello,
        spool: Option<Spool>,
    ) -> Result<Self, Error> {
        let endpoint = config.endpoint().map_err(|error| Error {
            kind: ErrorKind::Unusable,
            endpoint: None,
            source: Box::new(error),
        })?;
        Ok(Self {
            link: Link::open(endpoint, security, hello)?,
            window: Window::default(),
            window_messages: config.window_messages.max(1),
            window_bytes: config.window_bytes.max(1),
            adopted: VecDeque::new(),
            spool,
            spool_failed: None,
            later: VecDeque::new(),
            batch: Vec::new(),
            undone: 0,
            told: HashSet::new(),
            config: config.clone(),
        })
    }

    // ---- What it is asked.

    /// Bytes of records that it takes in now.
    pub(crate) fn room(&self) -> usize {
        if !self.later.is_empty() {
            return 0;
        }
        match &self.spool {
            Some(spool) if self.spool_failed.is_none() => {
                usize::try_from(spool.room()).unwrap_or(usize::MAX)
            }
            _ if self.is_feed_read() && self.has_window_room() => {
                self.window_bytes - self.window.bytes()
            }
            _ => 0,
        }
    }

    /// Why it takes nothing in, when it does not.
    pub(crate) fn why_full(&self) -> Reason {
        match &self.spool {
            Some(_) if self.spool_failed.is_none() && self.later.is_empty() => Reason::SpoolFull,
            _ => Reason::QueueFull,
        }
    }

    /// Whether every record that it was given is acknowledged or refused.
    pub(crate) fn is_settled(&self) -> bool {
        self.undone == 0
    }

    /// Whether nothing is left that was not sent, and the broker hears.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.link.welcome().is_some()
            && self.later.is_empty()
            && self.is_feed_read()
            && self.window.next_unsent().is_none()
    }

    /// Whether there is nothing that an answer is awaited for.
    pub(crate) fn is_idle(&self) -> bool {
        self.window.is_empty() && self.later.is_empty() && self.is_feed_read()
    }

    /// Whether a message of this topic has no answer yet.
    pub(crate) fn has_any(&self, sender: u64, topic: &Topic) -> bool {
        self.window.has_any(sender, topic)
    }

    /// Bytes of the largest message that the broker takes, once it has said so.
    pub(crate) fn max_message(&self) -> Option<u64> {
        let most = self.link.welcome()?.max_message;
        (most > 0).then_some(most)
    }

    /// Spools of the dead that are not done.
    pub(crate) fn adopted(&self) -> usize {
        self.adopted.len()
    }

    pub(crate) fn poll<'a>(&'a self, set: &mut PollSet<'a>) {
        self.link.poll(set, self.window.sent() > 0);
        let spools = self.adopted.iter().chain(&self.spool);
        spools
            .filter_map(Spool::sync_by)
            .for_each(|by| set.wake_by(by));
        if let Some(failed) = self.spool_failed {
            set.wake_by(failed + RETRY);
        }
    }

    fn is_feed_read(&self) -> bool {
        self.adopted
            .iter()
            .chain(&self.spool)
            .all(|spool| spool.unread() == 0)
    }

    fn has_window_room(&self) -> bool {
        self.has_room_behind(0, 0)
    }

    /// Whether there would be room behind so many messages more.
    fn has_room_behind(&self, messages: usize, bytes: usize) -> bool {
        let credit = self.link.welcome().map(|welcome| welcome.credit as usize);
        let most = self
            .window_messages
            .min(credit.unwrap_or(usize::MAX).max(1));
        self.window.len() + messages < most && self.window.bytes() + bytes < self.window_bytes
    }

    // ---- Taking in.

    /// Takes a message in; [`Courier::commit`] follows.
    pub(crate) fn put(&mut self, item: Item) {
        self.undone += item.records();
        self.batch.push(item);
    }

    /// Takes in a heartbeat that is of use only now.
    pub(crate) fn pass(&mut self, item: Item) {
        self.window.push(item);
    }

    /// Writes what was put since the last call, all at once.
    pub(crate) fn commit(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return;
        }
        let is_direct = self.is_feed_read() && self.later.is_empty();
        let can_write = self.spool_failed.is_none() && self.later.is_empty();
        match self.spool.take_if(|_| can_write) {
            Some(mut spool) => {
                let written = self.write(&mut spool, &mut batch, is_direct);
                self.spool = Some(spool);
                self.keep(batch, written);
            }
            None => self.later.extend(batch),
        }
        self.fill_window();
    }

    /// Keeps in memory what was written and has room in the window, or could not be written.
    fn keep(&mut self, mut batch: Vec<Item>, written: io::Result<usize>) {
        match written {
            Ok(kept) => batch.drain(..kept).for_each(|item| self.window.push(item)),
            Err(error) => {
                self.fail(&error);
                batch.iter_mut().for_each(|item| item.place = None);
                self.later.extend(batch);
            }
        }
    }

    /// Writes the batch to the spool; says how many from the first on the window has room for.
    fn write(&self, spool: &mut Spool, batch: &mut [Item], is_direct: bool) -> io::Result<usize> {
        let (mut kept, mut bytes) = (0, 0);
        for (at, item) in batch.iter_mut().enumerate() {
            let is_held = is_direct && kept == at && self.has_room_behind(kept, bytes);
            let segment = spool.append(&item.topic, &item.header, &item.payload, is_held)?;
            item.place = Some(Place {
                spool: spool.id(),
                segment,
            });
            kept += usize::from(is_held);
            bytes += item.payload.len();
        }
        spool.commit()?;
        Ok(kept)
    }

    fn fail(&mut self, error: &io::Error) {
        self.spool_failed = Some(Instant::now());
        let place = self
            .spool
            .as_ref()
            .map(|spool| spool.path().display().to_string());
        let place = place.unwrap_or_default();
        let line = format!("cannot write the spool {place}: {error}; what follows waits in memory");
        self.tell_once("spool", &line);
    }

    // ---- A turn.

    /// Hears what came, and sends what there is credit for.
    pub(crate) fn turn(&mut self, counters: &Counters) {
        for heard in self.link.hear(self.window.sent() > 0) {
            match heard {
                Heard::Welcome => self.window.begin_again(),
                Heard::Ack(ack) => self.acknowledge(&ack, counters),
                Heard::Refused(refused) => self.refuse(&refused, counters),
                Heard::NotLetIn => self.tell_once("key", NOT_LET_IN),
            }
        }
        if self
            .spool_failed
            .is_some_and(|failed| failed.elapsed() >= RETRY)
        {
            self.spool_failed = None;
        }
        self.tidy();
        self.fill_window();
        self.send(counters);
    }

    /// Sends what there is credit for.
    pub(crate) fn send(&mut self, counters: &Counters) {
        let Some(welcome) = self.link.welcome() else {
            return;
        };
        let credit = match self.window.is_again() || self.is_inherited() {
            // The answer to the first that comes again speaks for all that the broker has, while the
            // others are still on their way: they are left some of the credit.
            true => welcome.credit as usize / 2,
            false => welcome.credit as usize,
        };
        let credit = credit.max(1);
        let most = self.max_message();
        while self.window.sent() < credit
            && let Some(item) = self.window.next_unsent()
        {
            let bytes = (item.topic.as_str().len() + item.payload.len() + OVERHEAD) as u64;
            if most.is_some_and(|most| bytes > most) {
                self.withdraw(bytes, most.unwrap_or_default(), counters);
                continue;
            }
            if !self.link.send(item) {
                return;
            }
            self.window.mark_sent();
        }
    }

    /// Whether what is sent next was a dead publisher's, who may have sent it before.
    fn is_inherited(&self) -> bool {
        let place = self.window.items().next().and_then(|item| item.place);
        place.is_some_and(|place| {
            self.spool
                .as_ref()
                .is_none_or(|own| own.id() != place.spool)
        })
    }

    /// Says a line, unless one of this kind was said.
    fn tell_once(&mut self, kind: &str, line: &str) {
        if self.told.insert(kind.to_owned()) {
            self.config.tell.say(line);
        }
    }

    // ---- The end.

    /// Records that are in memory and nowhere else.
    fn unwritten(&self) -> u64 {
        let in_memory = self.window.items().chain(&self.later).chain(&self.batch);
        let unwritten = in_memory.filter(|item| item.place.is_none());
        unwritten.map(Item::records).sum()
    }

    /// Ends: own records that are lost with this process, and those that stay in the spool.
    pub(crate) fn close(mut self, linger: Duration) -> (u64, u64) {
        let lost = match self.spool {
            Some(_) => self.unwritten(),
            None => self.undone,
        };
        // A goodbye without an answer is kept, too: it has the totals of what was discarded.
        let is_done = self.undone == 0 && self.spool.as_ref().is_none_or(Spool::is_done);
        let kept = self.undone.saturating_sub(lost);
        self.tidy();
        self.link.close(linger);
        let adopted = self.adopted.drain(..).map(|spool| (spool, false));
        for (spool, is_done) in adopted.chain(self.spool.take().map(|spool| (spool, is_done))) {
            let end = match is_done {
                true => spool.remove(),
                false => spool.leave(),
            };
            if let Err(error) = end {
                let line = format!("cannot close a spool: {error}");
                self.config.tell.say(&line);
            }
        }
        (lost, kept)
    }
}
