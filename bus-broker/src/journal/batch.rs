//! What the writer takes from its queue and writes together: bounded, so that nobody waits long for
//! the first of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use super::book::Arrival;
use super::intake::Job;
use super::rows::Consumer;

/// The most that is written as one batch.
const BATCH_MESSAGES: usize = 2048;
const BATCH_BYTES: usize = 8 << 20;

/// What is written together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) notes: BTreeMap<String, Consumer>,
    /// Before the notes are written: who is forgotten and comes back begins anew.
    pub(super) forgotten: BTreeSet<String>,
    pub(super) bytes: usize,
    /// Whether nothing comes after it.
    pub(super) is_last: bool,
}

impl Batch {
    pub(super) fn add(&mut self, job: Job) {
        match job {
            Job::Append(arrival) => {
                self.bytes += arrival.draft.len();
                self.arrivals.push(arrival);
            }
            Job::Note(name, slot) => {
                let latest = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.notes.extend(latest.map(|consumer| (name, consumer)));
            }
            Job::Forget(name) => {
                self.notes.remove(&name);
                self.forgotten.insert(name);
            }
            Job::End => self.is_last = true,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_last || self.arrivals.len() >= BATCH_MESSAGES || self.bytes >= BATCH_BYTES
    }
}
