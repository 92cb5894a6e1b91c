//! Which spools are this process's own: their locks must not be touched a second time.
//!
//! A lock of this kind (`process/src/lock.rs`) is given up when the process closes the file
//! anywhere, and a second attempt in the same process succeeds. So every spool that is locked here
//! is entered into a list, with the generation of the process: a forked child finds its parent's
//! entries there and knows that they are not its own. The list only grows, by a few words for each
//! spool that was ever tried here, however often: one that is entered again has its old entry. It is read
//! and written without a lock, which a fork could leave held.

use std::sync::atomic::{AtomicBool, Ordering};

use logbus_process as process;
use once_cell::race::OnceBox;

struct Own {
    spool: u64,
    generation: u64,
    is_over: AtomicBool,
    next: OnceBox<Own>,
}

static FIRST: OnceBox<Own> = OnceBox::new();

/// Whether this process has that spool.
pub(crate) fn is_own(spool: u64) -> bool {
    entry(spool).is_some()
}

/// Enters a spool, before it is locked; `false` when it is entered already.
pub(crate) fn enter(spool: u64) -> bool {
    let mut own = Box::new(Own {
        spool,
        generation: process::generation(),
        is_over: AtomicBool::new(false),
        next: OnceBox::new(),
    });
    let mut place = &FIRST;
    loop {
        match place.get() {
            Some(other) if other.is_of(spool) => return other.begin_again(),
            Some(other) => place = &other.next,
            None => match place.set(own) {
                Ok(()) => return true,
                // Another thread was quicker: with the same one, perhaps.
                Err(again) => own = again,
            },
        }
    }
}

/// Says that this process has the spool no longer.
pub(crate) fn leave(spool: u64) {
    if let Some(own) = entry(spool) {
        own.is_over.store(true, Ordering::Release);
    }
}

fn entry(spool: u64) -> Option<&'static Own> {
    let own = entries().find(|own| own.is_of(spool))?;
    (!own.is_over.load(Ordering::Acquire)).then_some(own)
}

fn entries() -> impl Iterator<Item = &'static Own> {
    std::iter::successors(FIRST.get(), |own| own.next.get())
}

impl Own {
    /// Whether it is this process's entry for a spool. There is one for each.
    fn is_of(&self, spool: u64) -> bool {
        self.spool == spool && self.generation == process::generation()
    }

    /// `false` when it is not over.
    fn begin_again(&self) -> bool {
        self.is_over
            .compare_exchange(true, false, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_is_ones_own_until_it_is_left() {
        assert!(enter(11) && enter(12));
        assert!(!enter(11) && is_own(12));
        leave(11);
        assert!(!is_own(11) && is_own(12));
        assert!(enter(11));
        leave(11);
        leave(12);
    }

    #[test]
    fn a_spool_that_is_tried_for_ever_takes_one_entry() {
        for _ in 0..100 {
            assert!(enter(13));
            leave(13);
        }
        assert_eq!(entries().filter(|own| own.is_of(13)).count(), 1);
    }

    #[test]
    fn of_threads_that_enter_a_spool_one_has_it() {
        for _ in 0..100 {
            let enter = || std::thread::spawn(|| enter(14));
            let threads = [enter(), enter(), enter(), enter()];
            let entered = threads.map(|thread| thread.join().unwrap());
            assert_eq!(entered.iter().filter(|entered| **entered).count(), 1);
            leave(14);
        }
    }
}
