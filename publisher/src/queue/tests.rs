//! What the queue promises its callers and the sender.

use super::*;
use proptest::prelude::*;

fn queue(records: usize, overflow: Overflow) -> Queue {
    let config = Config {
        queue_records: records,
        overflow,
        ..Config::default()
    };
    Queue::new(&config, None)
}

fn push(queue: &Queue, name: &str, text: &str) {
    queue.push(name, text.as_bytes());
}

fn texts(chunks: &[Chunk]) -> Vec<&str> {
    let records = chunks
        .iter()
        .flat_map(Chunk::runs)
        .flat_map(|(_, records)| records);
    records
        .map(|record| std::str::from_utf8(record).unwrap())
        .collect()
}

fn take_all(queue: &Queue) -> Taken {
    queue.take(usize::MAX, true, |_| Fate::Send)
}

fn discard_all(queue: &Queue) {
    let taken = queue.take(usize::MAX, true, |_| Fate::Discard);
    assert!(taken.chunks.is_empty());
}

#[test]
fn a_full_queue_discards_the_newest_and_counts_it_by_topic() {
    let queue = queue(2, Overflow::DiscardNewest);
    for text in ["1", "2", "3"] {
        push(&queue, "a", text);
    }
    let taken = take_all(&queue);
    assert_eq!(texts(&taken.chunks), ["1", "2"]);
    assert_eq!(
        taken.discards,
        [(Topic::new("a").unwrap(), Reason::QueueFull, 1)]
    );
}

#[test]
fn what_nobody_wants_makes_room_for_what_somebody_may_want() {
    for overflow in [Overflow::DiscardNewest, Overflow::Block(Duration::MAX)] {
        let queue = queue(3, overflow);
        for text in ["1", "2", "3"] {
            push(&queue, "unwanted", text);
        }
        queue.take(usize::MAX, true, |_| Fate::Hold);
        queue.note_heard(true);
        push(&queue, "wanted", "4");
        push(&queue, "wanted", "5");
        assert_eq!(texts(&take_all(&queue).chunks), ["3", "4", "5"]);
        assert_eq!(queue.counters.discarded()[&Reason::NoSubscriber], 2);
    }
}

#[test]
fn while_nobody_wants_anything_the_first_records_are_kept() {
    let queue = queue(2, Overflow::DiscardNewest);
    push(&queue, "a", "1");
    push(&queue, "a", "2");
    queue.take(usize::MAX, true, |_| Fate::Hold);
    push(&queue, "a", "3");
    assert_eq!(texts(&take_all(&queue).chunks), ["1", "2"]);
}

#[test]
fn a_full_queue_discards_the_oldest_when_told_to() {
    let queue = queue(2, Overflow::DiscardOldest);
    for text in ["1", "2", "3"] {
        push(&queue, "a", text);
    }
    assert_eq!(texts(&take_all(&queue).chunks), ["2", "3"]);
    assert_eq!(queue.counters.discarded()[&Reason::QueueFull], 1);
}

#[test]
fn a_caller_that_may_wait_goes_on_when_there_is_room() {
    let queue = queue(1, Overflow::Block(Duration::from_secs(60)));
    push(&queue, "a", "1");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| push(&queue, "a", "2"));
        let first = take_all(&queue);
        queue.handed_over(texts(&first.chunks).len(), 1, true);
        waiter.join().unwrap();
    });
    assert_eq!(texts(&take_all(&queue).chunks), ["2"]);
    assert!(queue.counters.discarded().is_empty());
}

#[test]
fn a_caller_that_may_wait_goes_on_when_what_nobody_wants_is_discarded() {
    let queue = queue(1, Overflow::Block(Duration::from_secs(3600)));
    // In some of the rounds the caller waits already.
    for _ in 0..500 {
        push(&queue, "a", "1");
        std::thread::scope(|scope| {
            scope.spawn(|| push(&queue, "a", "2"));
            std::thread::yield_now();
            discard_all(&queue);
        });
        discard_all(&queue);
    }
}

#[test]
fn a_caller_that_waits_for_room_while_the_publisher_closes_has_its_record_counted() {
    let queue = queue(1, Overflow::Block(Duration::from_secs(3600)));
    push(&queue, "a", "1");
    std::thread::scope(|scope| {
        scope.spawn(|| push(&queue, "a", "2"));
        // It is counted by one who has the lock, and gives that up only to wait.
        while queue.counters.stats(0).published < 2 {
            std::thread::yield_now();
        }
        // The sender was quicker than the caller, who now finds room that nobody will look into.
        let mut state = queue.lock();
        state.deadline = Some(Deadline::within(Duration::ZERO));
        assert!(state.pop_oldest().is_some());
        drop(state);
        queue.end(true);
    });
    assert_eq!(queue.len(), 0);
    assert_eq!(queue.counters.discarded().values().sum::<u64>(), 1);
}

#[test]
fn what_the_sender_has_in_its_hands_still_takes_room() {
    let queue = queue(1, Overflow::DiscardNewest);
    push(&queue, "a", "1");
    let _in_hand = take_all(&queue);
    push(&queue, "a", "2");
    assert_eq!(queue.counters.discarded()[&Reason::QueueFull], 1);
}

#[test]
fn a_record_that_is_too_large_costs_only_itself() {
    let config = Config {
        max_record: 3,
        ..Config::default()
    };
    let queue = Queue::new(&config, None);
    push(&queue, "a", "long");
    push(&queue, "a", "ok");
    assert_eq!(texts(&take_all(&queue).chunks), ["ok"]);
    assert_eq!(queue.counters.discarded()[&Reason::TooLarge], 1);
}

#[test]
fn callers_wait_only_for_a_part_of_what_nobody_wants() {
    let queue = queue(100_000, Overflow::DiscardNewest);
    let numbers: Vec<String> = (0..50_000).map(|at| format!("{at:0100}")).collect();
    for text in &numbers {
        push(&queue, "a", text);
    }
    let looks = |fate: Fate| {
        let (mut looks, mut again, mut sent) = (0, true, Vec::new());
        loop {
            let taken = queue.take(usize::MAX, std::mem::take(&mut again), |_| fate);
            assert!(taken.seen < 2 * LONGEST_LOOK);
            sent.extend(texts(&taken.chunks).into_iter().map(str::to_owned));
            looks += 1;
            if !taken.has_more {
                return (looks, sent);
            }
        }
    };
    assert!(looks(Fate::Hold).0 > 10);
    let (times, sent) = looks(Fate::Send);
    assert!(times > 10 && sent == numbers, "all of them come, in order");
    for text in &numbers {
        push(&queue, "a", text);
    }
    assert!(looks(Fate::Discard).0 > 10);
    assert_eq!(queue.counters.discarded()[&Reason::NoSubscriber], 50_000);
}

/// A queue for three bytes.
fn narrow(overflow: Overflow) -> Queue {
    let config = Config {
        queue_bytes: 3,
        overflow,
        ..Config::default()
    };
    Queue::new(&config, None)
}

#[test]
fn a_record_that_no_queue_has_room_for_costs_only_itself_and_is_not_waited_for() {
    let forever = Overflow::Block(Duration::MAX);
    for overflow in [Overflow::DiscardNewest, Overflow::DiscardOldest, forever] {
        let queue = narrow(overflow);
        push(&queue, "a", "1");
        push(&queue, "a", "long");
        assert_eq!(texts(&take_all(&queue).chunks), ["1"]);
        assert_eq!(queue.counters.discarded()[&Reason::TooLarge], 1);
    }
}

#[test]
fn what_waits_is_not_discarded_for_a_record_that_would_find_no_room_even_so() {
    let queue = narrow(Overflow::DiscardOldest);
    push(&queue, "a", "1");
    let in_hand = take_all(&queue);
    push(&queue, "a", "2");
    push(&queue, "a", "345");
    assert_eq!(texts(&in_hand.chunks), ["1"]);
    assert_eq!(texts(&take_all(&queue).chunks), ["2"]);
    assert_eq!(queue.counters.discarded()[&Reason::QueueFull], 1);
}

#[test]
fn records_that_nobody_wants_yet_wait_apart_and_keep_their_order() {
    let queue = queue(100, Overflow::DiscardNewest);
    for (name, text) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4")] {
        push(&queue, name, text);
    }
    let only_b = |topic: &Topic| {
        if topic.as_str() == "b" {
            Fate::Send
        } else {
            Fate::Hold
        }
    };
    let taken = queue.take(usize::MAX, false, only_b);
    assert_eq!(texts(&taken.chunks), ["2", "4"]);
    assert!(!taken.is_empty);

    push(&queue, "a", "5");
    assert_eq!(texts(&take_all(&queue).chunks), ["1", "3", "5"]);
}

#[test]
fn a_topic_is_the_records_name_below_the_prefix() {
    let prefix = Some(Topic::new("prod").unwrap());
    let queue = Queue::new(
        &Config {
            topic_prefix: prefix,
            ..Config::default()
        },
        None,
    );
    push(&queue, "myapp..db", "1");
    let taken = take_all(&queue);
    let (topic, _) = taken.chunks[0].first().unwrap();
    assert_eq!(topic.as_str(), "prod.myapp.db");
}

#[test]
fn after_closing_records_are_counted_and_not_kept() {
    let queue = queue(100, Overflow::DiscardNewest);
    push(&queue, "a", "1");
    queue.close(Duration::ZERO);
    push(&queue, "a", "2");
    assert_eq!(queue.len(), 1);
    assert_eq!(queue.counters.discarded().values().sum::<u64>(), 1);
    let topic = Topic::new("a").unwrap();
    let (left, mut discards) = queue.abandon();
    discards.sort();
    assert_eq!(left, 1);
    assert_eq!(
        discards,
        [
            (topic.clone(), Reason::AtExit, 1),
            (topic, Reason::NoSocket, 1)
        ]
    );
}

#[test]
fn a_queue_whose_sender_has_ended_keeps_no_memory_and_no_descriptor() {
    let queue = Queue::new(&Config::default(), Some(Waker::new().unwrap()));
    push(&queue, "a", "1");
    let taken = take_all(&queue);
    queue.handed_over(1, 1, true);
    queue.give_back(taken.chunks);
    queue.end(true);
    for name in ["a", "b"] {
        push(&queue, name, "2");
    }
    let state = queue.lock();
    assert!(state.spare.is_empty() && state.discards.is_empty());
    assert!(queue.waker().is_none());
    assert_eq!(queue.counters.discarded()[&Reason::AtExit], 2);
}

proptest! {
    /// Whatever callers and sender do, each record is somewhere: waiting, taken or counted.
    #[test]
    fn no_record_goes_unaccounted(
        steps in proptest::collection::vec((0..3u8, 0..3usize, 1..9usize), 0..80),
        oldest in any::<bool>(),
    ) {
        let overflow = if oldest { Overflow::DiscardOldest } else { Overflow::DiscardNewest };
        let queue = queue(10, overflow);
        let (mut pushed, mut taken, mut next) = (0u64, 0u64, [0u64; 3]);
        for (step, topic, size) in steps {
            if step < 2 {
                pushed += 1;
                push(&queue, ["a", "b", "c"][topic], &format!("{topic} {pushed:0size$}"));
                continue;
            }
            // The wanted topic changes from step to step, so what was held is looked at again.
            let got = queue.take(size * 4, true, |name| {
                if name.as_str() == ["a", "b", "c"][topic] { Fate::Send } else { Fate::Hold }
            });
            let texts = texts(&got.chunks);
            for text in &texts {
                let (of, number) = text.split_once(' ').unwrap();
                let (of, number): (usize, u64) = (of.parse().unwrap(), number.parse().unwrap());
                prop_assert!(number > next[of], "records of a topic keep their order");
                next[of] = number;
            }
            taken += texts.len() as u64;
            queue.handed_over(texts.len(), texts.iter().map(|text| text.len()).sum(), true);
        }
        let discarded: u64 = queue.counters.discarded().values().sum();
        prop_assert_eq!(pushed, taken + discarded + queue.len() as u64);
    }
}
