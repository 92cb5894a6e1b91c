//! A journal held against a simple model of it: random appends, messages sent again, limits,
//! subscriptions, and crashes at every step. A crash is a copy of the files as the system has them
//! at that moment, opened in place of the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use logbus_schemas::{Topic, TopicFilter};
use proptest::prelude::*;

use super::book::{Arrival, Book, Placed, Refusal};
use super::entry::tests::draft;
use super::limits::{Classes, Fsync, Limits};
use super::read::{Cause, Item, Wanted};
use super::rescue;
use super::retain::Retention;
use super::rows::Consumer;
use super::store::Watch;

mod damage;
mod loss;
mod work;
mod space;

const TOPICS: [&str; 4] = ["audit", "shop", "shop.stock", "web"];
const OVERHEAD: u64 = 160;

#[derive(Debug, Clone)]
enum Action {
    /// Messages: topic, sender, records, and whether it is the last one of them again.
    Append(Vec<(usize, u64, u32, bool)>),
    Note(u64),
    Trim(u64),
    Reopen,
}

/// What a journal should hold.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    entries: BTreeMap<u64, Held>,
    positions: BTreeMap<(u64, usize), u64>,
    next: u64,
    below: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Held {
    topic: usize,
    sender: u64,
    sequence: u64,
    records: u32,
    bytes: u64,
    is_gone: bool,
}

impl Model {
    fn append(&mut self, messages: &[(usize, u64, u32, bool)]) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for &(topic, sender, records, is_again) in messages {
            let next = self.positions.entry((sender, topic)).or_default();
            let again = self
                .entries
                .values()
                .rfind(|held| held.sender == sender && held.topic == topic);
            let (sequence, records) = match again.filter(|_| is_again) {
                Some(held) => (held.sequence, held.records),
                None => (*next, records),
            };
            let draft = draft(TOPICS[topic], sender, sequence, records);
            if sequence == *next {
                *next += u64::from(records);
                let bytes = draft.len() as u64;
                let held = Held {
                    topic,
                    sender,
                    sequence,
                    records,
                    bytes,
                    is_gone: false,
                };
                self.entries.insert(self.next, held);
                self.next += 1;
            }
            arrivals.push(Arrival {
                draft,
                is_durable: true,
                refusal: None,
                owner: None,
                first: None,
            });
        }
        arrivals
    }

    /// One class for `audit`, one for the rest.
    fn trim(&mut self, max: u64) {
        for is_audit in [true, false] {
            let mine = |held: &Held| (held.topic == 0) == is_audit && !held.is_gone;
            let size = |held: &Held| held.bytes + OVERHEAD;
            let mut used: u64 = self.entries.values().filter(|h| mine(h)).map(size).sum();
            for held in self.entries.values_mut().filter(|held| mine(held)) {
                if used <= max {
                    break;
                }
                used -= size(held);
                held.is_gone = true;
            }
        }
    }

    fn items(&self, at: u64, topics: &[usize]) -> Vec<(u64, u64, u64)> {
        let mut items: Vec<(u64, u64, u64)> = Vec::new();
        for (offset, held) in self.entries.range(at..) {
            if !topics.is_empty() && !topics.contains(&held.topic) {
                continue;
            }
            match items.last_mut() {
                Some((_, to, records)) if held.is_gone && *to > 0 => {
                    (*to, *records) = (offset + 1, *records + u64::from(held.records));
                }
                _ if held.is_gone => items.push((*offset, offset + 1, u64::from(held.records))),
                _ => items.push((*offset, 0, held.sequence)),
            }
        }
        items
    }
}

/// A folder, in memory where there is such a place: syncing a disk thousands of times takes long.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// When to copy the files, and where to.
type Plan = Arc<Mutex<Option<(usize, PathBuf)>>>;

struct World {
    root: tempfile::TempDir,
    dir: PathBuf,
    copies: usize,
    plan: Plan,
    book: Option<Book>,
}

impl World {
    fn new() -> Self {
        let root = scratch();
        let dir = root.path().join("0");
        let mut world = Self {
            root,
            dir,
            copies: 0,
            plan: Plan::default(),
            book: None,
        };
        world.open();
        world
    }

    fn open(&mut self) {
        let (plan, dir) = (self.plan.clone(), self.dir.clone());
        let watch: Watch = Arc::new(move |_| {
            let mut plan = plan.lock().unwrap();
            match plan.take() {
                Some((0, to)) => copy(&dir, &to),
                Some((left, to)) => *plan = Some((left - 1, to)),
                None => {}
            }
            Ok(())
        });
        self.book = Some(
            rescue::open(&self.dir, Fsync::Always, Some(watch))
                .unwrap()
                .0,
        );
    }

    fn book(&mut self) -> &mut Book {
        self.book.as_mut().unwrap()
    }

    /// Does something, and a crash at one of its steps. Says whether that step came.
    fn crash_in(&mut self, step: usize, act: impl FnOnce(&mut Book)) -> bool {
        self.copies += 1;
        let to = self.root.path().join(self.copies.to_string());
        *self.plan.lock().unwrap() = Some((step, to.clone()));
        act(self.book());
        let has_come = self.plan.lock().unwrap().take().is_none();
        if has_come {
            self.book = None;
            self.dir = to;
            self.open();
        }
        has_come
    }

    fn act(&mut self, action: &Action, model: &mut Model) {
        match action {
            Action::Append(messages) => {
                let mut arrivals = model.append(messages);
                let book = self.book();
                let placed = book.append(&mut arrivals, 1_000).unwrap();
                book.store.sync().unwrap();
                for (arrival, placed) in arrivals.iter().zip(placed) {
                    let header = arrival.draft.header;
                    assert!(placed.next >= header.sequence + u64::from(header.count));
                }
            }
            Action::Note(below) => {
                model.below = model.next.min(*below);
                note(self.book(), model.below);
            }
            Action::Trim(max) => {
                model.trim(*max);
                trim(self.book(), *max);
            }
            Action::Reopen => {
                self.book = None;
                rescue::closed(&self.dir);
                self.open();
            }
        }
    }

    fn is(&mut self, model: &Model) -> bool {
        let book = self.book();
        let known: Vec<Topic> = book.totals.keys().cloned().collect();
        let has_all = [&[][..], &[0], &[1, 2]]
            .into_iter()
            .all(|topics: &[usize]| {
                let read = items(book, topics, &known, model.next + 5);
                read == model.items(0, topics)
            });
        let consumer = book.store.consumer("reader").unwrap().unwrap_or_default();
        has_all && consumer.below == model.below && book.next == model.next
    }
}

fn note(book: &mut Book, below: u64) {
    let consumer = Consumer {
        below,
        ..Consumer::default()
    };
    book.note(&BTreeMap::from([("reader".to_owned(), consumer)]))
        .unwrap();
}

fn trim(book: &mut Book, max: u64) {
    let limits = Limits {
        max_bytes: Some(max),
        ..Limits::default()
    };
    let keep = format!("audit={max}").parse().unwrap();
    let mut retention = Retention::new(Classes::new(vec![keep], limits));
    while retention.trim(book, 1_000).unwrap().is_more {}
}

/// What a reader gets: an entry is (offset, 0, sequence), a gap (from, to, records).
fn items(book: &Book, topics: &[usize], known: &[Topic], until: u64) -> Vec<(u64, u64, u64)> {
    let topics = topics
        .iter()
        .map(|topic| Topic::new(TOPICS[*topic]).unwrap());
    // A filter is a topic and what is below it, which two of the topics are to one another.
    let filters = topics.map(|topic| TopicFilter::parse(topic.as_str()).unwrap());
    let wanted = Wanted {
        topics: filters.collect(),
        until,
        since: 0,
        most: 3,
    };
    let (mut at, mut all) = (0, Vec::<(u64, u64, u64)>::new());
    while at < until {
        let chunk = book.store.read(at, &wanted, known).unwrap();
        for item in chunk.items {
            match (item, all.last_mut()) {
                (Item::Entry(entry), _) => all.push((entry.offset, 0, entry.header.sequence)),
                (Item::Gone(gap), Some((_, to, records))) if *to > 0 => {
                    (*to, *records) = (gap.to, *records + gap.records);
                }
                (Item::Gone(gap), _) => {
                    all.push((gap.from, gap.to, gap.records));
                }
            }
        }
        assert!(chunk.next > at, "reading goes on");
        at = chunk.next;
    }
    all
}

/// Files as they are; what the system gave a file in advance, but nobody wrote, is a hole again.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&target, &bytes[..rescue::used(&bytes)]).unwrap();
            let file = std::fs::File::options().write(true).open(&target).unwrap();
            file.set_len(bytes.len() as u64).unwrap();
        }
    }
}

fn actions() -> impl Strategy<Value = Vec<(Action, Option<usize>)>> {
    let message = (
        0..TOPICS.len(),
        1..3_u64,
        1..4_u32,
        prop::bool::weighted(0.3),
    );
    let action = prop_oneof![
        5 => prop::collection::vec(message, 1..6).prop_map(Action::Append),
        2 => (0..40_u64).prop_map(Action::Note),
        2 => (0..4_000_u64).prop_map(Action::Trim),
        1 => Just(Action::Reopen),
    ];
    prop::collection::vec((action, prop::option::weighted(0.3, 0..5_usize)), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_acknowledged_is_missing_and_nothing_is_there_twice(actions in actions()) {
        let mut world = World::new();
        let mut model = Model::default();
        for (action, crash) in actions {
            let before = model.clone();
            let step = crash.filter(|_| !matches!(action, Action::Reopen));
            let Some(step) = step else {
                world.act(&action, &mut model);
                prop_assert!(world.is(&model), "after {action:?}");
                continue;
            };
            let mut after = model.clone();
            let has_come = match &action {
                Action::Append(messages) => {
                    let mut arrivals = after.append(messages);
                    world.crash_in(step, |book| {
                        book.append(&mut arrivals, 1_000).unwrap();
                        book.store.sync().unwrap();
                    })
                }
                Action::Note(below) => {
                    after.below = after.next.min(*below);
                    world.crash_in(step, |book| note(book, after.below))
                }
                Action::Trim(max) => {
                    after.trim(*max);
                    world.crash_in(step, |book| trim(book, *max))
                }
                Action::Reopen => false,
            };
            // All of it is there or nothing: where it was not acknowledged both are right.
            let is_done = world.is(&after);
            let is_partly_trimmed = matches!(action, Action::Trim(_));
            prop_assert!(is_done || has_come, "after {action:?}");
            if !is_done && is_partly_trimmed {
                world.act(&action, &mut model);
                prop_assert!(world.is(&after), "after {action:?} was done again");
            } else {
                prop_assert!(is_done || world.is(&before), "after a crash in {action:?}");
            }
            model = if is_done || is_partly_trimmed { after } else { before };
        }
    }
}

#[test]
fn a_sender_is_recognized_when_memory_has_forgotten_it() {
    let mut world = World::new();
    let arrival = Arrival {
        draft: draft("web", 9, 0, 3),
        is_durable: true,
        refusal: None,
        owner: None,
        first: None,
    };
    let placed = world.book().append(&mut [arrival.clone()], 5).unwrap();
    assert_eq!((placed[0].offset, placed[0].next), (Some(0), 3));
    world.book = None;
    world.open();
    let placed = world.book().append(&mut [arrival], 6).unwrap();
    assert_eq!((placed[0].offset, placed[0].next), (None, 3));
    let offsets: BTreeSet<u64> = world
        .book()
        .lines_from(0)
        .map(|row| super::rows::number(&row.key().unwrap()).unwrap())
        .collect();
    assert_eq!(offsets, BTreeSet::from([0]));
}

fn offsets(placed: &[Placed]) -> Vec<Option<u64>> {
    placed.iter().map(|placed| placed.offset).collect()
}

#[test]
fn a_message_that_was_refused_is_not_acknowledged_when_it_is_sent_again_after_later_ones() {
    let mut world = World::new();
    let arrival = |sequence, refusal| Arrival {
        draft: draft("web", 9, sequence, 2),
        is_durable: true,
        refusal,
        owner: None,
        first: None,
    };
    let over = Some(Refusal::OverShare);
    let refusals = [over, None, over, None];
    let mut first = [0, 1, 2, 3].map(|number| arrival(number * 2, refusals[number as usize]));
    let placed = world.book().append(&mut first, 5).unwrap();
    assert_eq!(offsets(&placed), [None, Some(0), None, Some(1)]);
    for is_reopened in [false, true] {
        if is_reopened {
            world.book = None;
            world.open();
        }
        let mut again = [0, 2, 4, 6].map(|sequence| arrival(sequence, over));
        let placed = world.book().append(&mut again, 6).unwrap();
        assert_eq!(offsets(&placed), [None; 4]);
        let told = again.map(|arrival| arrival.refusal);
        assert_eq!(told, refusals, "what is here takes no room");
    }
    let mut room = [arrival(4, None), arrival(4, over)];
    let placed = world.book().append(&mut room, 7).unwrap();
    assert_eq!(offsets(&placed), [Some(2), None]);
    assert_eq!(
        (room[1].refusal, placed[1].next),
        (None, 8),
        "it is here now"
    );
}

/// A durable message of two records.
fn two_records(topic: &str, number: u64) -> Arrival {
    Arrival {
        draft: draft(topic, 9, number * 2, 2),
        is_durable: true,
        refusal: None,
        owner: None,
        first: None,
    }
}

#[test]
fn the_last_records_of_a_topic_are_found_whatever_came_since() {
    let mut world = World::new();
    for number in 0..200 {
        let topic = if number % 50 == 0 { "audit" } else { "web" };
        let mut arrivals = [two_records(topic, number)];
        world.book().append(&mut arrivals, 5).unwrap();
    }
    let known = ["audit", "web"].map(|topic| Topic::new(topic).unwrap());
    let store = world.book().store.clone();
    let at_last = |topics: &[&str], records, most| {
        let topics = topics
            .iter()
            .map(|topic| TopicFilter::parse(topic).unwrap());
        let wanted = Wanted {
            topics: topics.collect(),
            ..Wanted::default()
        };
        store
            .at_last(records, &wanted, &known, (most, 200))
            .unwrap()
    };
    assert_eq!(at_last(&[], 0, 1000), 200);
    assert_eq!(at_last(&[], 7, 1000), 196);
    assert_eq!(at_last(&[], 1000, 1000), 0);
    assert_eq!(at_last(&["audit"], 3, 10), 100, "others are not looked at");
    assert_eq!(at_last(&["audit", "web"], 102, 1000), 149);
    assert_eq!(at_last(&[], 100, 10), 190, "no further than it may look");
    assert_eq!(at_last(&["audit", "web"], 100, 20), 190);
    assert_eq!(at_last(&["nothing"], 1, 10), 200);
}
