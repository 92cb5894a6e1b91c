//! The memory handler: holds records back, and hands them on when something makes them matter.
//!
//! ```yaml
//! around-errors: {type: memory, target: file, flush_level: ERROR, by: [request_id], when_full: discard-oldest, at_end: discard}
//! ```
//!
//! A record of the flush level or above makes it hand on what it holds, oldest first, to another
//! handler. With `by`, each value of those fields, a request's id for example, has a buffer of its
//! own: then one request's error writes what that request did before it, and nothing else. What is
//! held when there is no room is handed on, as in Python, or its oldest discarded; what is held at
//! the end, or too long, is handed on or discarded (the Logging Cookbook's "Buffering logging
//! messages and outputting them conditionally"). What is discarded so counts as filtered.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use logbus_process as process;
use logbus_schemas::{Level, Record};

use super::{Fault, Handler, Opener, Row, Setting};
use crate::config::options::{Form, Kind, Options, parameter};
use crate::filter::key_of;
use crate::item::Item;
use crate::lane::Outlet;

/// Records that are held when nothing else is said.
const CAPACITY: u64 = 1000;

pub(super) const ROW: Row = Row {
    name: "memory",
    summary: "holds records back and hands them to another handler when one of them matters",
    forms: &[
        Form {
            class: "memory",
            parameters: &[
                parameter("target", Kind::Handler, "the handler that gets the records"),
                parameter("capacity", Kind::Count, "records that are held; 1000"),
                parameter(
                    "flush_level",
                    Kind::Level,
                    "a record of this level or above hands all on; ERROR",
                ),
                parameter(
                    "by",
                    Kind::Texts,
                    "fields whose values have a buffer each, as request_id",
                ),
                parameter(
                    "when_full",
                    Kind::OneOf(&["hand-on", "discard-oldest"]),
                    "what happens at the capacity; hand-on",
                ),
                parameter(
                    "at_end",
                    Kind::OneOf(&["hand-on", "discard"]),
                    "what happens to records that are held too long or at the end; hand-on",
                ),
                parameter(
                    "hold_for",
                    Kind::Seconds,
                    "how long a buffer is held after its last record; for ever",
                ),
            ],
            read: |options| {
                let policy = Policy {
                    capacity: capacity(options),
                    flush_level: options.level("flush_level").unwrap_or(Level::ERROR),
                    by: options.texts("by").unwrap_or_default(),
                    hands_on_when_full: options.one_of("when_full") != Some("discard-oldest"),
                    hands_on_at_end: options.one_of("at_end") != Some("discard"),
                    hold_for: options.seconds("hold_for"),
                };
                opener(options, policy)
            },
        },
        Form {
            class: "logging.handlers.MemoryHandler",
            parameters: &[
                parameter("capacity", Kind::Count, "records that are held"),
                parameter(
                    "flushLevel",
                    Kind::Level,
                    "a record of this level or above hands all on; ERROR",
                ),
                parameter("target", Kind::Handler, "the handler that gets the records"),
                parameter(
                    "flushOnClose",
                    Kind::Bool,
                    "whether what is held at the end is handed on; true",
                ),
            ],
            read: |options| {
                if !options.has("capacity") {
                    options.missing("capacity");
                }
                let policy = Policy {
                    capacity: capacity(options),
                    flush_level: options.level("flushLevel").unwrap_or(Level::ERROR),
                    hands_on_at_end: options.bool("flushOnClose").unwrap_or(true),
                    ..Policy::default()
                };
                opener(options, policy)
            },
        },
    ],
};

fn capacity(options: &mut Options<'_>) -> usize {
    let capacity = options.count("capacity").unwrap_or(CAPACITY);
    // Python, too, hands on at once what it may not hold.
    usize::try_from(capacity.max(1)).unwrap_or(usize::MAX)
}

fn opener(options: &mut Options<'_>, policy: Policy) -> Option<Opener> {
    // Which handler that is, the whole configuration says.
    options.required_text("target")?;
    Some(Box::new(move |setting: Setting| {
        Ok(Box::new(Memory::new(&setting.name, policy, setting.target)) as Box<dyn Handler>)
    }))
}

/// When what is handed on.
#[derive(Debug, Clone)]
struct Policy {
    capacity: usize,
    flush_level: Level,
    by: Vec<String>,
    hands_on_when_full: bool,
    hands_on_at_end: bool,
    hold_for: Option<Duration>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            capacity: CAPACITY as usize,
            flush_level: Level::ERROR,
            by: Vec::new(),
            hands_on_when_full: true,
            hands_on_at_end: true,
            hold_for: None,
        }
    }
}

/// The handler; see the head of this file.
pub struct Memory {
    name: String,
    policy: Policy,
    target: Arc<OnceLock<Outlet>>,
    /// What is held, by the values of the fields.
    buffers: HashMap<String, Buffer>,
    /// The keys of what is held, in the order in which records came.
    order: VecDeque<String>,
    discarded: u64,
    /// Records that had no handler to go to.
    lost: u64,
}

#[derive(Default)]
struct Buffer {
    items: VecDeque<Item>,
    /// When its last record came, in ns since 1970-01-01 00:00 UTC.
    touched: u64,
}

impl Memory {
    fn new(name: &str, policy: Policy, target: Arc<OnceLock<Outlet>>) -> Self {
        Self {
            name: name.to_owned(),
            policy,
            target,
            buffers: HashMap::new(),
            order: VecDeque::new(),
            discarded: 0,
            lost: 0,
        }
    }

    fn hold(&mut self, item: &Item, record: &Record) {
        let key = key_of(record, &self.policy.by);
        let buffer = self.buffers.entry(key.clone()).or_default();
        buffer.items.push_back(item.clone());
        buffer.touched = process::now();
        self.order.push_back(key.clone());
        let is_trigger = record
            .level()
            .is_some_and(|level| level >= self.policy.flush_level);
        if is_trigger {
            self.hand_on(&key);
        } else if self.order.len() >= self.policy.capacity && self.policy.hands_on_when_full {
            self.hand_on_all();
        } else if self.order.len() > self.policy.capacity {
            self.discard_oldest();
        }
    }

    fn hand_on(&mut self, key: &str) {
        if let Some(buffer) = self.buffers.remove(key) {
            self.order.retain(|held| held != key);
            self.send(buffer.items.into());
        }
    }

    /// Hands everything on in the order in which it came.
    fn hand_on_all(&mut self) {
        let mut items = Vec::with_capacity(self.order.len());
        for key in std::mem::take(&mut self.order) {
            let buffer = self.buffers.get_mut(&key);
            items.extend(buffer.and_then(|buffer| buffer.items.pop_front()));
        }
        self.buffers.clear();
        self.send(items);
    }

    fn discard_oldest(&mut self) {
        let Some(key) = self.order.pop_front() else {
            return;
        };
        if let Some(buffer) = self.buffers.get_mut(&key) {
            self.discarded += u64::from(buffer.items.pop_front().is_some());
            if buffer.items.is_empty() {
                self.buffers.remove(&key);
            }
        }
    }

    /// Ends the buffers that were held too long.
    fn expire(&mut self) {
        let Some(longest) = self.policy.hold_for else {
            return;
        };
        let now = process::now();
        let is_old =
            |buffer: &Buffer| u128::from(now.saturating_sub(buffer.touched)) >= longest.as_nanos();
        let old = self.buffers.iter().filter(|(_, buffer)| is_old(buffer));
        let keys: Vec<String> = old.map(|(key, _)| key.clone()).collect();
        for key in keys {
            if self.policy.hands_on_at_end {
                self.hand_on(&key);
            } else if let Some(buffer) = self.buffers.remove(&key) {
                self.order.retain(|held| *held != key);
                self.discarded += buffer.items.len() as u64;
            }
        }
    }

    fn send(&mut self, items: Vec<Item>) {
        if items.is_empty() {
            return;
        }
        match self.target.get() {
            Some(target) => target.offer(&items.into()),
            None => self.lost += items.len() as u64,
        }
    }
}

impl Handler for Memory {
    fn name(&self) -> &str {
        &self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            match item {
                Item::Record(delivered) => self.hold(item, &delivered.record),
                // What readers should know is not held back.
                Item::Notice(_) => {
                    if let Some(target) = self.target.get() {
                        target.offer(&[item.clone()].into());
                    }
                }
            }
        }
        Ok(())
    }

    /// Hands nothing on: that is for a record to decide, or for time.
    fn flush(&mut self) -> Result<(), Fault> {
        self.expire();
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        if self.policy.hands_on_at_end {
            self.hand_on_all();
        } else {
            self.discarded += self.order.len() as u64;
            self.buffers.clear();
            self.order.clear();
        }
        Ok(())
    }

    fn dropped(&self) -> u64 {
        self.lost
    }

    fn held_back(&self) -> u64 {
        self.discarded
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::handler::Say;
    use crate::handler::conformance::{self, Look};
    use crate::lane::{Config, Lanes};

    /// A memory handler that holds nothing, before a console.
    pub(in crate::handler) fn through_memory(verbose: bool) -> (Box<dyn Handler>, Look) {
        let say: Say = Arc::new(|_| {});
        let (target, look) = conformance::on_screen(verbose);
        let mut lanes = Lanes::new(&say);
        let outlet = lanes.start(Config::from(target), None).unwrap();
        let way = Arc::<OnceLock<Outlet>>::default();
        assert!(way.set(outlet.clone()).is_ok());
        let policy = Policy {
            flush_level: Level(i64::MIN),
            ..Policy::default()
        };
        let look_when_written = move || {
            while !outlet.is_idle() {
                std::thread::yield_now();
            }
            look()
        };
        (
            Box::new(Memory::new("memory", policy, way)),
            Box::new(look_when_written),
        )
    }

    /// What a memory handler hands on when records `(request, level)` come, and what it discards.
    fn handed_on(policy: Policy, records: &[(&str, i64)]) -> (String, u64) {
        let say: Say = Arc::new(|_| {});
        let (target, look) = conformance::on_screen(false);
        let mut lanes = Lanes::new(&say);
        let way = Arc::<OnceLock<Outlet>>::default();
        let outlet = lanes.start(Config::from(target), None).unwrap();
        assert!(way.set(outlet).is_ok());
        let mut memory = Memory::new("memory", policy, way);
        for (at, (request, level)) in records.iter().enumerate() {
            let mut record = Record::new("a", *level, &format!("{at}"));
            record.set("request", *request);
            memory.emit(&[conformance::item(record)]).unwrap();
        }
        memory.close().unwrap();
        let discarded = memory.held_back();
        drop(memory);
        lanes.close();
        (look().replace('\n', " "), discarded)
    }

    #[test]
    fn an_error_brings_what_was_before_it() {
        let policy = Policy {
            hands_on_at_end: false,
            ..Policy::default()
        };
        let records = [("r", 10), ("r", 20), ("r", 40), ("r", 20)];
        assert_eq!(handed_on(policy, &records), ("0 1 2 ".to_owned(), 1));
    }

    #[test]
    fn one_requests_error_brings_what_that_request_did_and_nothing_else() {
        let policy = Policy {
            by: vec!["request".to_owned()],
            hands_on_at_end: false,
            ..Policy::default()
        };
        let records = [("r1", 10), ("r2", 10), ("r1", 20), ("r2", 40), ("r1", 20)];
        assert_eq!(handed_on(policy, &records), ("1 3 ".to_owned(), 3));
    }

    #[test]
    fn what_is_full_is_handed_on_in_the_order_in_which_it_came() {
        let policy = Policy {
            capacity: 3,
            by: vec!["request".to_owned()],
            ..Policy::default()
        };
        let records = [("r1", 10), ("r2", 10), ("r1", 10), ("r2", 10)];
        assert_eq!(handed_on(policy, &records), ("0 1 2 3 ".to_owned(), 0));
    }

    #[test]
    fn or_the_oldest_make_room() {
        let policy = Policy {
            capacity: 2,
            hands_on_when_full: false,
            ..Policy::default()
        };
        let records = [("r", 10), ("r", 10), ("r", 10)];
        assert_eq!(handed_on(policy, &records), ("1 2 ".to_owned(), 1));
    }

    #[test]
    fn what_is_held_too_long_is_let_go() {
        let policy = Policy {
            hold_for: Some(Duration::ZERO),
            hands_on_at_end: false,
            ..Policy::default()
        };
        let mut memory = Memory::new("memory", policy, Arc::default());
        memory
            .emit(&[conformance::item(Record::new("a", 20, "m"))])
            .unwrap();
        memory.flush().unwrap();
        assert_eq!((memory.held_back(), memory.order.len()), (1, 0));
    }
}
