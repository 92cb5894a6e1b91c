//! Whose sender ids are: the first key that uses one has it for as long as the sender lives.
//!
//! Sender ids are random, so two honest senders do not meet. Whoever copies another's id could forge
//! its records, or make readers believe that records were lost. A sender speaks once a second, if
//! only by a heartbeat; an id that was not heard of for a minute is free again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use logbus_schemas::wire::SenderId;
use logbus_transport::PublicKey;

/// How long a silent sender's id is kept for it.
const KEPT: Duration = Duration::from_secs(60);
/// Sender ids of one key at a time.
const MAX_OF_ONE: usize = 10_000;

/// Who uses an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// The owner of a key.
    Key(PublicKey),
    /// Somebody who came in without one.
    Nobody,
    /// The broker itself.
    Broker,
}

/// Which id is whose.
#[derive(Debug, Default)]
pub(super) struct Senders {
    owners: HashMap<u64, (Owner, Instant)>,
    of_each: HashMap<Owner, usize>,
}

/// Why an id may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotYours {
    /// It is another's.
    Taken,
    /// The owner has so many already.
    TooMany,
}

impl Senders {
    /// Whether `owner` may use this id now; from now on nobody else may.
    pub(super) fn claim(
        &mut self,
        sender: SenderId,
        owner: Owner,
        now: Instant,
    ) -> Result<(), NotYours> {
        if let Some((known, heard)) = self.owners.get_mut(&sender.0) {
            if *known != owner {
                return Err(NotYours::Taken);
            }
            *heard = now;
            return Ok(());
        }
        let count = self.of_each.entry(owner).or_default();
        if *count >= MAX_OF_ONE {
            return Err(NotYours::TooMany);
        }
        *count += 1;
        self.owners.insert(sender.0, (owner, now));
        Ok(())
    }

    /// Frees the ids of those who were silent for too long.
    pub(super) fn forget(&mut self, now: Instant) {
        let of_each = &mut self.of_each;
        self.owners.retain(|_, (owner, heard)| {
            let is_kept = now.saturating_duration_since(*heard) < KEPT;
            if !is_kept && let Some(count) = of_each.get_mut(owner) {
                *count -= 1;
            }
            is_kept
        });
        of_each.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_first_ones_until_it_falls_silent() {
        let mut senders = Senders::default();
        let (a, b) = (
            Owner::Key(PublicKey::from_bytes([1; 32])),
            Owner::Key(PublicKey::from_bytes([2; 32])),
        );
        let start = Instant::now();
        assert_eq!(senders.claim(SenderId(7), a, start), Ok(()));
        for thief in [b, Owner::Nobody, Owner::Broker] {
            assert_eq!(
                senders.claim(SenderId(7), thief, start),
                Err(NotYours::Taken)
            );
        }
        let later = start + KEPT / 2;
        assert_eq!(senders.claim(SenderId(7), a, later), Ok(()));
        senders.forget(start + KEPT);
        assert_eq!(
            senders.claim(SenderId(7), b, start + KEPT),
            Err(NotYours::Taken)
        );
        senders.forget(later + KEPT);
        assert_eq!(senders.claim(SenderId(7), b, later + KEPT), Ok(()));
    }

    #[test]
    fn nobody_has_ids_without_end() {
        let mut senders = Senders::default();
        let now = Instant::now();
        for id in 0..MAX_OF_ONE as u64 {
            assert_eq!(senders.claim(SenderId(id), Owner::Nobody, now), Ok(()));
        }
        assert_eq!(
            senders.claim(SenderId(u64::MAX), Owner::Nobody, now),
            Err(NotYours::TooMany)
        );
        senders.forget(now + KEPT);
        assert_eq!(
            senders.claim(SenderId(u64::MAX), Owner::Nobody, now),
            Ok(())
        );
    }
}
