//! Whether a journal that opens can be worked with.
//!
//! A damaged place in one of the tables stops whoever comes by it: retention, a note, or one of the
//! database's own threads, which says only that it ended. Opening it again does not help then, and
//! what is whole must move to a new database, as where it does not open at all (`anew.rs`).

use std::time::{Duration, Instant};

use super::store::{JournalError, Store};

/// Damage that was met so often, with the journal opened anew in between, is there.
const CERTAIN: u32 = 2;
/// All of a journal is read at most so often: a disk that is full ends the database's threads, too.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// What the last errors say of the files.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    met: u32,
    /// Whether the database ended without a reason.
    has_ended: bool,
    looked: Option<Instant>,
}

impl Doubt {
    /// Notes why a journal must be opened again.
    pub(super) fn meet(&mut self, error: &JournalError) {
        match error {
            JournalError::Damaged(_) => self.met += 1,
            JournalError::Closed => self.has_ended = true,
            JournalError::Disk(_) | JournalError::Locked(_) => {}
        }
    }

    /// The journal works.
    pub(super) fn is_over(&mut self) {
        self.met = 0;
    }

    /// Whether the database is damaged, as far as is known.
    pub(super) fn is_certain(&self) -> bool {
        self.met >= CERTAIN
    }

    /// Looks for damage where there may be some that nobody told of; says whether there is.
    pub(super) fn finds_damage(&mut self, store: &Store, now: Instant) -> bool {
        let is_new = self.looked.is_none_or(|looked| now - looked >= LOOK_EVERY);
        if !std::mem::take(&mut self.has_ended) || !is_new {
            return false;
        }
        self.looked = Some(now);
        matches!(store.read_through(), Err(JournalError::Damaged(_)))
    }
}
