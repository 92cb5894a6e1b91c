//! The way to the writer: a queue that is bounded in bytes, apart for those who may wait and those
//! who may not.
//!
//! A durable publisher's messages wait with their publisher when the queue is full; PUB/SUB traffic
//! does not, and what finds no room is counted. What became of a message comes back as an
//! [`Outcome`], in the order in which messages were put in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, unbounded};
use logbus_schemas::TopicFilter;
use logbus_schemas::wire::Native;

use super::book::{Arrival, Placed, Refusal};
use super::entry::Draft;
use super::rows::Consumer;

/// Bytes that may wait, of each of the two kinds.
const MAX_BYTES: usize = 64 << 20;
/// What a message costs besides its bytes, about.
const OVERHEAD: usize = 256;

/// Something for the writer to do.
#[derive(Debug)]
pub(super) enum Job {
    Append(Arrival),
    Note(String, Slot),
    /// A durable subscription is to be forgotten.
    Forget(String),
    /// Nothing comes after it that anybody awaits.
    End,
}

/// A durable subscription as it is to be noted; nothing where it was noted or forgotten meanwhile.
pub(super) type Slot = Arc<Mutex<Option<Consumer>>>;

/// What became of something that was put in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// A durable publisher's message.
    Placed(Placed),
    /// A durable publisher's message that is not kept.
    Refused(Refusal),
    /// A durable subscription was noted, as far as this; below the other it may have been handed out.
    Noted(String, u64, u64),
}

/// The end into which things are put.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    queue: Sender<Job>,
    gauge: Arc<Gauge>,
    topics: Option<Arc<[TopicFilter]>>,
    /// By name, what was put in last to be noted: a disk that refuses makes none of them wait twice.
    notes: Arc<Mutex<BTreeMap<String, Slot>>>,
}

#[derive(Debug, Default)]
pub(super) struct Gauge {
    durable: AtomicUsize,
    live: AtomicUsize,
    /// Messages of PUB/SUB traffic that were put in so far, and those that the writer is done with.
    offered: AtomicU64,
    passed: AtomicU64,
    /// Records of PUB/SUB traffic that found no room.
    lost: AtomicU64,
}

pub(super) fn intake(topics: Option<&[TopicFilter]>) -> (Intake, Receiver<Job>, Arc<Gauge>) {
    let (sender, receiver) = unbounded();
    let gauge = Arc::<Gauge>::default();
    let intake = Intake {
        queue: sender,
        gauge: gauge.clone(),
        topics: topics.map(Into::into),
        notes: Arc::default(),
    };
    (intake, receiver, gauge)
}

impl Intake {
    /// What of the PUB/SUB traffic is journalled, as what a socket subscribes to.
    pub(crate) fn prefixes(&self) -> Vec<Vec<u8>> {
        match self.topics.as_deref() {
            None => Vec::new(),
            Some([]) => vec![Vec::new()],
            Some(topics) => topics.iter().map(|topic| topic.prefix().to_vec()).collect(),
        }
    }

    /// Offers a message of the PUB/SUB traffic, with a number for its sender's key where there is
    /// one. Never waits.
    pub(crate) fn offer(&self, frames: &[&[u8]], owner: Option<u64>) {
        let Some(topics) = self.topics.as_deref() else {
            return;
        };
        let Some(native) = Native::split(frames) else {
            return;
        };
        let Ok((topic, header)) = native.parse() else {
            return;
        };
        let wants = topics.is_empty() || topics.iter().any(|t| t.matches(topic.as_str()));
        if !wants {
            return;
        }
        let size = native.payload.len() + OVERHEAD;
        if self.gauge.live.load(Ordering::Relaxed) + size > MAX_BYTES {
            let records = u64::from(header.count);
            self.gauge.lost.fetch_add(records, Ordering::Relaxed);
            return;
        }
        let draft = Draft::new(topic, header, native.header, native.payload);
        self.put(Arrival {
            draft,
            is_durable: false,
            refusal: None,
            owner,
            first: None,
        });
    }

    /// How far PUB/SUB traffic was offered up to now.
    pub(crate) fn offered(&self) -> u64 {
        self.gauge.offered.load(Ordering::Acquire)
    }

    /// Whether readers may see all that was offered so far, as [`Self::offered`] said it.
    pub(crate) fn has_passed(&self, offered: u64) -> bool {
        self.gauge.passed.load(Ordering::Acquire) >= offered
    }

    /// Whether a durable publisher's message may be put in now.
    pub(crate) fn has_room(&self) -> bool {
        self.gauge.durable.load(Ordering::Relaxed) < MAX_BYTES
    }

    /// Puts a durable publisher's message in.
    pub(crate) fn append(&self, draft: Draft) {
        self.put(Arrival {
            draft,
            is_durable: true,
            refusal: None,
            owner: None,
            first: None,
        });
    }

    /// Has it noted where a durable subscription is.
    pub(crate) fn note(&self, name: &str, consumer: Consumer) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = notes.entry(name.to_owned()).or_default();
        let before = slot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(consumer);
        if before.is_none() {
            // The writer is gone only when all is over.
            let job = Job::Note(name.to_owned(), slot.clone());
            self.queue.send(job).ok();
        }
    }

    /// Has a durable subscription forgotten.
    pub(crate) fn forget(&self, name: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = notes.remove(name) {
            slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
        self.queue.send(Job::Forget(name.to_owned())).ok();
    }

    /// Says that nothing comes any more.
    pub(super) fn end(&self) {
        self.queue.send(Job::End).ok();
    }

    fn put(&self, arrival: Arrival) {
        self.gauge
            .of(&arrival)
            .fetch_add(arrival.draft.len() + OVERHEAD, Ordering::Relaxed);
        if !arrival.is_durable {
            self.gauge.offered.fetch_add(1, Ordering::Release);
        }
        self.queue.send(Job::Append(arrival)).ok();
    }
}

impl Gauge {
    fn of(&self, arrival: &Arrival) -> &AtomicUsize {
        if arrival.is_durable {
            &self.durable
        } else {
            &self.live
        }
    }

    /// A message has left the queue, and readers may see what became of it.
    pub(super) fn left(&self, arrival: &Arrival) {
        let size = arrival.draft.len() + OVERHEAD;
        self.of(arrival).fetch_sub(size, Ordering::Relaxed);
        if !arrival.is_durable {
            self.passed.fetch_add(1, Ordering::Release);
        }
    }

    /// Records of PUB/SUB traffic that found no room so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Batch;
    use super::*;

    fn at(below: u64) -> Consumer {
        Consumer {
            below,
            ..Consumer::default()
        }
    }

    #[test]
    fn of_a_durable_subscription_only_the_latest_waits_to_be_noted() {
        let (intake, queue, _) = intake(None);
        let batch = || {
            let mut batch = Batch::default();
            queue.try_iter().for_each(|job| batch.add(job));
            batch
        };
        for below in 0..1000 {
            intake.note("audit", at(below));
        }
        intake.note("web", at(7));
        assert_eq!(queue.len(), 2, "while the disk refuses");
        let noted = batch().notes;
        assert_eq!((noted["audit"].below, noted["web"].below), (999, 7));
        intake.note("audit", at(1000));
        intake.forget("audit");
        intake.note("audit", at(1));
        let later = batch();
        assert!(later.forgotten.contains("audit"));
        assert_eq!(later.notes["audit"].below, 1, "it began anew");
    }
}
