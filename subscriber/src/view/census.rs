//! Who says how much: an account for each sender, topic, level or logger, as it grows.

use std::collections::HashMap;

use clap::ValueEnum;
use compact_str::{CompactString, format_compact};
use logbus_schemas::Level;
use logbus_schemas::wire::ledger;
use unicode_width::UnicodeWidthChar;

use super::badge::Source;
use super::line::level_tag;
use crate::format::visible;
use crate::item::{Delivered, Notice};

/// Accounts at most; what is beyond is one account.
const MAX_ACCOUNTS: usize = 4096;
/// The widest name of a topic or a logger, in columns; longer ones lose their end.
const WIDEST: usize = 60;
/// Seconds over which a rate is taken.
const RATE_OVER: u64 = 5;
const SECOND: u64 = 1_000_000_000;

/// What an account is kept for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TopBy {
    /// Each sender
    Sender,
    /// Each topic
    Topic,
    /// Each level
    Level,
    /// Each logger
    Logger,
}

/// Whose account it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A sender's.
    Sender(Source),
    /// A topic's or logger's.
    Name(CompactString),
    /// A level's.
    Level(i64),
    /// Of all for whom there was no room.
    Others,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Records that came.
    pub records: u64,
    /// Of those: errors and worse.
    pub errors: u64,
    /// Records that were lost on the way.
    pub lost: u64,
    /// Records that their sender discarded.
    pub discarded: u64,
    /// When something was last heard, in ns since 1970.
    pub heard: u64,
    /// By how much the clock is behind ours, in ns, where that is known.
    pub offset: Option<i64>,
    /// Whether the sender has ended, or fallen silent.
    pub has_ended: bool,
    /// What to call it, where that is not a sender.
    pub name: CompactString,
    /// Records in each of the last seconds.
    recent: [u32; RATE_OVER as usize],
    /// The second of the last one.
    second: u64,
}

/// The accounts.
#[derive(Debug)]
pub struct Census {
    by: TopBy,
    accounts: HashMap<Key, Account>,
    /// The sum of them.
    all: Account,
}

impl Census {
    /// No account yet.
    pub fn new(by: TopBy) -> Self {
        Self {
            by,
            accounts: HashMap::new(),
            all: Account::default(),
        }
    }

    /// What the accounts are kept for.
    pub fn by(&self) -> TopBy {
        self.by
    }

    /// The accounts.
    pub fn accounts(&self) -> impl Iterator<Item = (&Key, &Account)> {
        self.accounts.iter()
    }

    /// The sum of all.
    pub fn all(&self) -> &Account {
        &self.all
    }

    /// The account of a sender.
    pub fn sender(&self, source: Source) -> Option<&Account> {
        self.accounts.get(&Key::Sender(source))
    }

    /// Enters a record.
    pub fn record(&mut self, delivered: &Delivered) {
        let record = &delivered.record;
        let key = match self.by {
            TopBy::Sender => Key::Sender(Source::of(delivered)),
            TopBy::Topic => Key::Name(delivered.topic.as_str().into()),
            TopBy::Level => Key::Level(record.level().unwrap_or(Level::NOTSET).0),
            TopBy::Logger => Key::Name(record.name().unwrap_or_default().into()),
        };
        let is_level = self.by == TopBy::Level;
        // What is known is the clock of whoever numbered it, not of a process whose records were
        // passed on; and where many senders are in one account there is no clock that is its own.
        let has_clock = matches!(key, Key::Sender(Source::Publisher(_)));
        let account = self.account(key);
        if is_level && account.records == 0 {
            account.name = shown(&level_tag(record));
        }
        account.enter(delivered);
        if !has_clock {
            account.offset = None;
        }
        self.all.enter(delivered);
        self.all.offset = None;
    }

    /// Enters what a notice says of losses, of who comes and of who goes.
    pub fn notice(&mut self, notice: &Notice) {
        let Notice::Ledger(notice) = notice else {
            return;
        };
        self.all.note(notice);
        let key = match self.by {
            TopBy::Sender => Key::Sender(Source::Publisher(notice.sender().id)),
            TopBy::Topic => match notice.topic() {
                Some(topic) => Key::Name(topic.as_str().into()),
                None => return,
            },
            TopBy::Level | TopBy::Logger => return,
        };
        let is_end = matches!(notice, ledger::Notice::Ended(_) | ledger::Notice::Silent(_));
        let account = self.account(key);
        account.note(notice);
        account.has_ended = is_end;
    }

    fn account(&mut self, key: Key) -> &mut Account {
        let has_room = self.accounts.len() < MAX_ACCOUNTS || self.accounts.contains_key(&key);
        let key = if has_room { key } else { Key::Others };
        let account = self.accounts.entry(key.clone()).or_default();
        if let (true, Key::Name(name)) = (account.name.is_empty(), &key) {
            account.name = if name.is_empty() {
                "-".into()
            } else {
                shown(name)
            };
        }
        account
    }
}

/// A sender's word as a table may show it.
fn shown(name: &str) -> CompactString {
    // No more than has room is looked at: a name may be of any length.
    let end = name.char_indices().nth(WIDEST + 1).map(|(at, _)| at);
    let mut text = String::new();
    visible::on_one_line(&name[..end.unwrap_or(name.len())], &mut text);
    let mut columns = 0;
    let end = text.char_indices().find(|(_, c)| {
        columns += c.width().unwrap_or(1);
        columns > WIDEST
    });
    match end {
        Some((end, _)) => format_compact!("{}…", text[..end].replace('\t', " ")),
        None => text.replace('\t', " ").into(),
    }
}

impl Account {
    fn enter(&mut self, delivered: &Delivered) {
        let is_error = delivered
            .record
            .level()
            .is_some_and(|level| level >= Level::ERROR);
        self.records += 1;
        self.errors += u64::from(is_error);
        self.heard = self.heard.max(delivered.received);
        self.offset = delivered.offset.or(self.offset);
        self.has_ended = false;
        self.turn_to(delivered.received / SECOND);
        self.recent[(self.second % RATE_OVER) as usize] += 1;
    }

    fn note(&mut self, notice: &ledger::Notice) {
        match notice {
            ledger::Notice::Lost { .. } => self.lost = self.lost.saturating_add(notice.count()),
            ledger::Notice::Late { .. } => self.lost = self.lost.saturating_sub(notice.count()),
            ledger::Notice::Discarded { .. } => {
                self.discarded = self.discarded.saturating_add(notice.count());
            }
            _ => {}
        }
    }

    /// Records a second, over the last five that are over; `now` is in ns since 1970.
    pub fn rate(&self, now: u64) -> f64 {
        let second = now / SECOND;
        let age =
            |at: u64| (at < second && at + RATE_OVER >= second && at <= self.second).then_some(at);
        let seconds = second.saturating_sub(RATE_OVER)..second;
        let first = self.second.saturating_sub(RATE_OVER - 1);
        let count: u32 = seconds
            .filter_map(age)
            .filter(|at| *at >= first)
            .map(|at| self.recent[(at % RATE_OVER) as usize])
            .sum();
        f64::from(count) / RATE_OVER as f64
    }

    /// Goes on to a second, and forgets those that are too long ago.
    fn turn_to(&mut self, second: u64) {
        let passed = second.saturating_sub(self.second).min(RATE_OVER);
        for later in 0..passed {
            self.recent[((second - later) % RATE_OVER) as usize] = 0;
        }
        self.second = self.second.max(second);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use logbus_schemas::wire::ledger::Sender;
    use logbus_schemas::wire::{Identity, SenderId};
    use logbus_schemas::{Record, Topic};

    use super::*;

    fn delivered(topic: &str, level: i64, at: u64) -> Delivered {
        Delivered {
            record: Record::new(topic, level, "m"),
            topic: Topic::for_name(topic),
            origin: None,
            sender: None,
            received: at * SECOND,
            offset: None,
        }
    }

    #[test]
    fn every_record_is_in_one_account_and_in_the_sum() {
        let mut census = Census::new(TopBy::Topic);
        for (topic, level) in [("a", 20), ("a", 40), ("b", 50)] {
            census.record(&delivered(topic, level, 1));
        }
        let mut accounts: Vec<_> = census
            .accounts()
            .map(|(_, account)| (account.name.as_str(), account.records, account.errors))
            .collect();
        accounts.sort_unstable();
        assert_eq!(accounts, [("a", 2, 1), ("b", 1, 1)]);
        assert_eq!((census.all().records, census.all().errors), (3, 2));
    }

    fn names(by: TopBy, delivered: &Delivered) -> Vec<String> {
        let mut census = Census::new(by);
        census.record(delivered);
        let names = census
            .accounts()
            .map(|(_, account)| account.name.to_string());
        names.collect()
    }

    #[test]
    fn no_name_of_an_account_can_steer_the_terminal_or_is_too_wide_for_a_table() {
        for name in ["\x1bc", "\u{9b}2J", "\u{202e}ab"] {
            let mut delivered = delivered("a", 77, 1);
            delivered.record.set("levelname", name);
            delivered.record.set("name", name);
            for by in [TopBy::Level, TopBy::Logger] {
                let shown = names(by, &delivered).concat();
                assert!(shown.is_ascii() && !shown.contains('\x1b'), "{shown:?}");
            }
        }
        let mut delivered = delivered("a", 20, 1);
        for (name, expected) in [
            ("a\tb", "a b".to_owned()),
            (&"東".repeat(1 << 20), "東".repeat(30) + "…"),
        ] {
            delivered.record.set("name", name);
            assert_eq!(names(TopBy::Logger, &delivered), [expected]);
        }
    }

    #[test]
    fn only_a_senders_account_has_a_clock() {
        let mut own = delivered("a", 20, 1);
        own.offset = Some(7);
        own.origin = Some((SenderId(1), 0));
        own.record.set("process", 613);
        own.sender = Some(Arc::new(Sender {
            id: SenderId(1),
            identity: Some(Identity {
                pid: 613,
                ..Identity::default()
            }),
        }));
        let mut passed_on = own.clone();
        passed_on.record.set("process", 77);
        for (delivered, by, expected) in [
            (&own, TopBy::Sender, Some(7)),
            (&passed_on, TopBy::Sender, None),
            (&own, TopBy::Topic, None),
            (&own, TopBy::Level, None),
            (&own, TopBy::Logger, None),
        ] {
            let mut census = Census::new(by);
            census.record(delivered);
            let clocks = census.accounts().map(|(_, account)| account.offset);
            assert_eq!(clocks.collect::<Vec<_>>(), [expected], "{by:?}");
            assert_eq!(census.all().offset, None);
        }
    }

    #[test]
    fn a_rate_is_that_of_the_last_five_seconds_that_are_over() {
        let mut census = Census::new(TopBy::Level);
        for second in 100..110 {
            for _ in 0..30 {
                census.record(&delivered("a", 20, second));
            }
        }
        let rate = |second: u64| census.all().rate(second * SECOND);
        assert_eq!(
            [rate(110), rate(112), rate(114), rate(115), rate(900)],
            [30.0, 18.0, 6.0, 0.0, 0.0]
        );
        // Four seconds that are over are known while the fifth goes on.
        assert_eq!(rate(109), 24.0);
    }
}
