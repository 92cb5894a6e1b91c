//! Items in the order in which a view shows them: the window that orders (`reorder.rs`), with what
//! places, weighs and times the items of this program.

use std::time::{Duration, Instant};

use logbus_schemas::Topic;
use logbus_schemas::wire::ledger;

use super::badge::Source;
use super::moment::TimeBase;
use super::reorder::Reorder;
use super::weight;
use crate::item::{Item, Notice};

/// Bytes that the window may hold.
const MAX_BYTES: usize = 64 << 20;
/// What a notice counts for there.
const NOTICE_BYTES: usize = 256;

/// The window.
pub(crate) struct Window {
    begun: Instant,
    base: TimeBase,
    order: Reorder<Item, (Source, Topic)>,
}

impl Window {
    /// A window of so many ns, by these times.
    pub(crate) fn new(base: TimeBase, length: u64) -> Self {
        Self {
            begun: Instant::now(),
            base,
            order: Reorder::new(length, MAX_BYTES),
        }
    }

    /// The window's own clock, in ns.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Takes an item in.
    pub(crate) fn push(&mut self, item: &Item, now: u64) {
        match item {
            Item::Record(delivered) => {
                let source = (Source::of(delivered), delivered.topic.clone());
                let (place, bytes) = (self.base.place(delivered), weight::of(delivered));
                self.order.push(item.clone(), place, source, bytes, now);
            }
            // Who joins is told of before its records, which were created before that.
            Item::Notice(Notice::Ledger(
                ledger::Notice::Joined(_) | ledger::Notice::Restarted { .. },
            )) => self.order.push_before(item.clone(), NOTICE_BYTES, now),
            Item::Notice(notice) => {
                let source = match notice {
                    Notice::Ledger(notice) => notice
                        .topic()
                        .map(|topic| (Source::Publisher(notice.sender().id), topic.clone())),
                    _ => None,
                };
                self.order
                    .push_behind(item.clone(), source, NOTICE_BYTES, now);
            }
        }
    }

    /// What is due, in order, each with whether it is late.
    pub(crate) fn release(&mut self, until: u64) -> Vec<(Item, bool)> {
        let mut due = Vec::new();
        self.order
            .release(until, |item, is_late| due.push((item, is_late)));
        due
    }

    /// When something is due next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = self.order.next_due()?;
        self.begun.checked_add(Duration::from_nanos(due))
    }
}
