//! What a sender said just before and after a record that was asked for.
//!
//! Context is counted in records and belongs to one sender: what others said meanwhile explains
//! nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::badge::Source;
use crate::item::Delivered;

/// Senders whose last records are remembered.
const MAX_SENDERS: usize = 4096;

/// How many records before and after one are shown with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// Before it.
    pub before: usize,
    /// After it.
    pub after: usize,
}

/// What may become context, and what must.
#[derive(Debug)]
pub struct Context {
    extent: Extent,
    senders: HashMap<Source, Near>,
}

#[derive(Debug, Default)]
struct Near {
    before: VecDeque<(Arc<Delivered>, bool)>,
    /// How many of those that come are context.
    left: usize,
}

impl Context {
    /// Context of this extent.
    pub fn new(extent: Extent) -> Self {
        Self {
            extent,
            senders: HashMap::new(),
        }
    }

    /// Takes a record in order, with whether it came late and whether it was asked for; calls
    /// `show` with what is to be shown now: the record, whether it came late, whether it is context.
    pub fn sift(
        &mut self,
        delivered: Arc<Delivered>,
        is_late: bool,
        is_asked_for: bool,
        mut show: impl FnMut(Arc<Delivered>, bool, bool),
    ) {
        if self.extent == Extent::default() {
            if is_asked_for {
                show(delivered, is_late, false);
            }
            return;
        }
        let source = Source::of(&delivered);
        if self.senders.len() >= MAX_SENDERS && !self.senders.contains_key(&source) {
            self.senders.clear();
        }
        let near = self.senders.entry(source).or_default();
        if is_asked_for {
            for (before, was_late) in near.before.drain(..) {
                show(before, was_late, true);
            }
            near.left = self.extent.after;
            return show(delivered, is_late, false);
        }
        if near.left > 0 {
            near.left -= 1;
            return show(delivered, is_late, true);
        }
        near.before.push_back((delivered, is_late));
        if near.before.len() > self.extent.before {
            near.before.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use logbus_schemas::{Record, Topic};

    use super::*;

    fn check(before: usize, after: usize, expected: &str) {
        let mut context = Context::new(Extent { before, after });
        let mut shown = Vec::new();
        // Capitals were asked for; process 1 and 2 take turns, as a word of two letters each.
        for word in [
            "a1", "k2", "b1", "l2", "C1", "m2", "d1", "n2", "e1", "F1", "G1", "o2", "h1",
        ] {
            let mut record = Record::new("a", 20, &word[..1]);
            record.set("process", word[1..].parse::<i64>().unwrap());
            let delivered = Arc::new(Delivered {
                record,
                topic: Topic::for_name("a"),
                origin: None,
                sender: None,
                received: 1,
                offset: None,
            });
            let is_asked_for = word.starts_with(char::is_uppercase);
            context.sift(
                delivered,
                false,
                is_asked_for,
                |delivered, _, is_context| {
                    let message = delivered.record.get_message().into_owned();
                    assert_eq!(is_context, !message.starts_with(char::is_uppercase));
                    shown.push(message);
                },
            );
        }
        assert_eq!(shown.concat(), expected);
    }

    #[test]
    fn a_record_comes_with_what_its_sender_said_around_it_and_nothing_comes_twice() {
        check(0, 0, "CFG");
        check(1, 0, "bCeFG");
        check(0, 1, "CdFGh");
        check(9, 9, "abCdeFGh");
    }
}
