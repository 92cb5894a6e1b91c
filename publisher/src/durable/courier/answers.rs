//! What a broker answered, and what that settles: counted, and noted in the spool it concerns.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use logbus_schemas::Topic;
use logbus_schemas::wire::durable::{Ack, Refused};

use super::Courier;
use crate::durable::window::{Item, Place};
use crate::spool::Spool;
use crate::stats::{Counters, Reason};

/// The one code of a refusal that is not for good: somebody else has the sender id, as this program
/// may have had it just now under another key.
const NOT_NOW: &str = "sender";

impl Courier {
    pub(super) fn acknowledge(&mut self, ack: &Ack, counters: &Counters) {
        let Ok(topic) = Topic::new(&ack.topic) else {
            return;
        };
        let settled = self.window.acknowledge(ack.sender, &topic, ack.next);
        let mut noted = HashSet::new();
        for item in settled {
            if self.settle(&item) {
                self.undone -= item.records();
                counters
                    .acknowledged
                    .fetch_add(item.records(), Ordering::Relaxed);
            } else {
                let counter = &counters.adopted_acknowledged;
                counter.fetch_add(item.records(), Ordering::Relaxed);
            }
            if let Some(place) = item.place
                && noted.insert(place.spool)
                && let Some(spool) = self.spool_of(place)
                && let Err(error) = spool.note_acked(ack.sender, &topic, ack.next)
            {
                self.tell_once("note", &format!("cannot write a spool: {error}"));
            }
        }
    }

    pub(super) fn refuse(&mut self, refused: &Refused, counters: &Counters) {
        if refused.code == NOT_NOW {
            let line = format!(
                "the broker does not take this now: {}; it is sent again",
                refused.reason
            );
            self.tell_once(NOT_NOW, &line);
            return self.link.hold_off();
        }
        let line = format!(
            "the broker refuses ({}): {}; what it refuses is counted as discarded",
            refused.code, refused.reason
        );
        self.tell_once(&refused.code, &line);
        let Ok(topic) = Topic::new(&refused.topic) else {
            return;
        };
        if let Some(item) =
            self.window
                .refuse(refused.sender, &topic, refused.sequence, refused.records)
        {
            self.give_up(&item, Reason::of_refusal(&refused.code), counters);
        }
    }

    /// A message that the broker would refuse for its size.
    pub(super) fn withdraw(&mut self, bytes: u64, most: u64, counters: &Counters) {
        let line = format!(
            "a message of {bytes} bytes is larger than the {most} that the broker takes; \
             such records are counted as discarded"
        );
        self.tell_once("size", &line);
        if let Some(item) = self.window.withdraw() {
            self.give_up(&item, Reason::RefusedSize, counters);
        }
    }

    fn give_up(&mut self, item: &Item, reason: Reason, counters: &Counters) {
        if self.settle(item) {
            self.undone -= item.records();
            counters.discard(reason, item.records());
        } else {
            counters
                .adopted_refused
                .fetch_add(item.records(), Ordering::Relaxed);
        }
        if let Some(place) = item.place
            && let Some(spool) = self.spool_of(place)
            && let Err(error) = spool.note_refused(&item.header, &item.topic)
        {
            self.tell_once("note", &format!("cannot write a spool: {error}"));
        }
    }

    /// Says that a message is done; whether it was this publisher's own.
    fn settle(&mut self, item: &Item) -> bool {
        let Some(place) = item.place else { return true };
        if let Some(spool) = self.spool_of(place) {
            spool.settle(place.segment);
        }
        self.spool
            .as_ref()
            .is_some_and(|own| own.id() == place.spool)
    }

    fn spool_of(&mut self, place: Place) -> Option<&mut Spool> {
        let mut spools = self.adopted.iter_mut().chain(&mut self.spool);
        spools.find(|spool| spool.id() == place.spool)
    }
}
