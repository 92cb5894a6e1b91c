//! What the buffer promises: its bound, exact counts, and an index that is as if it were made anew.

use logbus_schemas::{Record, Topic};
use proptest::prelude::*;

use super::*;
use crate::view::filters::{Filter, Filters, Kind};

fn record(level: i64, message: &str) -> Thing {
    Thing::Record(Arc::new(Delivered {
        record: Record::new("a", level, message),
        topic: Topic::for_name("a"),
        origin: None,
        sender: None,
        received: 1,
        offset: None,
    }))
}

fn choice(number: u8) -> Choice {
    let mut filters = match number % 4 {
        0 => Filters::default(),
        1 => Filters::new(vec![Filter::new(Kind::Include, "1").unwrap()]),
        2 => Filters::new(vec![Filter::new(Kind::Exclude, "[2-5]").unwrap()]),
        _ => Filters::new(vec![Filter::new(Kind::Query, "level >= warn").unwrap()]),
    };
    if number >= 4 {
        filters.set_least(Some(logbus_schemas::Level::INFO));
    }
    Choice::new(filters)
}

#[test]
fn the_oldest_go_when_there_is_no_more_room_and_are_counted() {
    let mut store = Store::new(100 * (400 + OVERHEAD), Choice::default());
    for number in 0..1000_u32 {
        store.push(record(20, &number.to_string()), number.into(), false, 400);
    }
    let (used, most) = store.room();
    assert!(used <= most);
    assert_eq!(
        (store.dropped(), store.first(), store.next()),
        (900, 900, 1000)
    );
    assert_eq!(store.index().records(), 100);
    assert!(store.entry(899).is_none() && store.entry(900).is_some());
}

#[test]
fn an_entry_that_is_larger_than_the_buffer_is_there_alone() {
    let mut store = Store::new(1000, Choice::default());
    store.push(record(20, "a"), 1, false, 10);
    store.push(record(20, "b"), 2, false, 5000);
    assert_eq!((store.first(), store.next(), store.dropped()), (1, 2, 1));
}

#[test]
fn what_is_newest_is_asked_first_and_in_slices() {
    let mut store = Store::new(usize::MAX, Choice::default());
    for number in 0..1000 {
        store.push(record(20, &number.to_string()), number, false, 1);
    }
    store.choose(choice(1));
    let mut slices = 0;
    assert!(!store.work(&mut || {
        slices += 1;
        slices == 2
    }));
    assert_eq!(store.progress(), 6);
    assert_eq!(*store.index().covered(), 1000 - 2 * STRIDE as u64..1000);
    store.push(record(20, "11"), 2000, false, 1);
    assert_eq!(store.index().shown().back(), Some(&1000));
    assert!(store.work(&mut || false) && store.is_complete());
}

#[derive(Debug, Clone)]
enum Step {
    Record(i64, u32),
    Notice(bool),
    Choose(u8),
    Work(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6_i64, 0..99_u32).prop_map(|(level, number)| Step::Record(level * 10, number)),
        1 => any::<bool>().prop_map(Step::Notice),
        1 => (0..8_u8).prop_map(Step::Choose),
        2 => (0..3_u8).prop_map(Step::Work),
    ]
}

proptest! {
    #[test]
    fn the_index_is_as_if_it_were_made_anew(steps in prop::collection::vec(step(), 1..200), room in 1..60_usize) {
        let mut store = Store::new(room * (10 + OVERHEAD), Choice::default());
        let mut came = 0;
        for (at, step) in (0_i64..).zip(steps) {
            match step {
                Step::Record(level, number) => {
                    came += 1;
                    store.push(record(level, &number.to_string()), at * 500_000_000, false, 10);
                }
                Step::Notice(is_routine) => {
                    store.push(Thing::Notice(Styled::default(), is_routine), i64::MIN, false, 10);
                }
                Step::Choose(number) => store.choose(choice(number)),
                Step::Work(slices) => {
                    let mut left = slices;
                    store.work(&mut || { left = left.saturating_sub(1); left == 0 });
                }
            }
            let (used, most) = store.room();
            prop_assert!(used <= most.max(10 + OVERHEAD));
        }
        store.work(&mut || false);
        let index = store.index().clone();
        prop_assert_eq!(index.records() + index.hidden() + store.dropped(), came);
        prop_assert_eq!(index.seconds().values().flatten().sum::<u64>(), index.records());
        let choice = store.choice().clone();
        store.choose(choice);
        store.work(&mut || false);
        prop_assert_eq!(&index, store.index());
    }
}
