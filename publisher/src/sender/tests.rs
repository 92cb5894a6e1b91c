//! What batching promises; the rest of the sender is tested on real sockets, in `tests/promises`.

use super::*;

fn entry(topic: &str, text: &str) -> Entry {
    Entry {
        topic: Topic::new(topic).unwrap(),
        bytes: text.as_bytes().to_vec(),
    }
}

fn shown(batches: &[Batch]) -> Vec<(String, String, u32)> {
    let text = |batch: &'_ Batch| std::str::from_utf8(&batch.payload).unwrap().to_owned();
    batches
        .iter()
        .map(|batch| (batch.topic.to_string(), text(batch), batch.count))
        .collect()
}

fn of(topic: &str, payload: &str, count: u32) -> (String, String, u32) {
    (topic.to_owned(), payload.to_owned(), count)
}

#[test]
fn a_backlog_of_a_topic_goes_in_one_message_in_order() {
    let entries = vec![entry("a", "1"), entry("b", "2"), entry("a", "3")];
    assert_eq!(
        shown(&batches(entries, 100)),
        [of("a", "13", 2), of("b", "2", 1)]
    );
}

#[test]
fn a_message_is_closed_when_it_is_large_enough_and_a_larger_record_goes_alone() {
    let entries = vec![
        entry("a", "12"),
        entry("a", "34"),
        entry("a", "56789"),
        entry("a", "0"),
    ];
    let batches = batches(entries, 4);
    assert_eq!(
        shown(&batches),
        [of("a", "1234", 2), of("a", "56789", 1), of("a", "0", 1)]
    );
    assert_eq!(
        batches.iter().map(|batch| batch.taken_bytes).sum::<usize>(),
        10
    );
}
