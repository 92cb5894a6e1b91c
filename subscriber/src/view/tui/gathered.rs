//! What has come, as the interactive view shares it between the thread that takes it in and the one
//! that draws: the buffer, the senders' names and accounts, and who has news for whom.

use std::sync::{Mutex, MutexGuard, PoisonError};

use logbus_schemas::wire::ledger;

use super::choice::Choice;
use super::store::{Store, Thing};
use super::wake::Waker;
use crate::item::{Item, Notice};
use crate::view::badge::{Badges, Source};
use crate::view::census::{Census, TopBy};
use crate::view::config::Config;
use crate::view::moment::TimeBase;
use crate::view::style::Theme;
use crate::view::styled::Styled;
use crate::view::teller::{Teller, Weight};
use crate::view::weight;

/// What both threads hold; the lock is held briefly.
pub(crate) struct Shared {
    gathered: Mutex<Gathered>,
    /// For telling the one that draws.
    pub(crate) waker: Waker,
}

impl Shared {
    /// Shares what is gathered.
    pub(crate) fn new(gathered: Gathered, waker: Waker) -> Self {
        Self {
            gathered: Mutex::new(gathered),
            waker,
        }
    }

    /// What has come so far.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has come.
pub(crate) struct Gathered {
    /// Records and notices.
    pub(crate) store: Store,
    /// The senders' names and colours.
    pub(crate) badges: Badges,
    /// The senders' accounts.
    pub(crate) census: Census,
    /// Records that came too late for their place.
    pub(crate) late: u64,
    teller: Teller,
    theme: Theme,
    base: TimeBase,
    tells_routine: bool,
}

impl Gathered {
    /// Nothing yet.
    pub(crate) fn new(config: &Config) -> Self {
        let choice = Choice::new(config.filters.clone());
        Self {
            store: Store::new(config.tui.buffer, choice),
            badges: Badges::new(config.look.theme.senders),
            census: Census::new(TopBy::Sender),
            late: 0,
            teller: Teller::default(),
            theme: config.look.theme.clone(),
            base: config.look.base,
            tells_routine: config.tells_routine,
        }
    }

    /// Takes in what is next in order; `now` is in ns of any clock that does not go back.
    pub(crate) fn take(&mut self, item: Item, is_late: bool, now: u64) {
        match item {
            Item::Record(delivered) => {
                self.late += u64::from(is_late);
                self.badges.of(&delivered);
                self.census.record(&delivered);
                let (time, bytes) = (self.base.place(&delivered), weight::of(&delivered));
                self.store
                    .push(Thing::Record(delivered), time, is_late, bytes);
            }
            Item::Notice(notice) => self.notice(&notice, now),
        }
    }

    fn notice(&mut self, notice: &Notice, now: u64) {
        self.census.notice(notice);
        let mut told = Styled::default();
        let weight = self
            .teller
            .tell(notice, &mut self.badges, &self.theme, now, &mut told);
        if let Notice::Ledger(ledger::Notice::Restarted { sender, previous }) = notice {
            self.succeed(Source::Publisher(previous.id), Source::Publisher(sender.id));
        }
        let is_routine = weight == Weight::Routine;
        if !is_routine || self.tells_routine {
            let bytes = 2 * told.text().len();
            let thing = Thing::Notice(told, is_routine);
            self.store.push(thing, i64::MIN, false, bytes);
        }
    }

    /// Whoever was muted, or alone, stays so when it begins anew.
    fn succeed(&mut self, previous: Source, source: Source) {
        let mut choice = self.store.choice().clone();
        if choice.succeed(previous, source) {
            self.store.choose(choice);
        }
    }
}
