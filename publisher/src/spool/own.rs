//! Which spools are this process's own: their locks must not be touched a second time.
//!
//! A lock of this kind (`process/src/lock.rs`) is given up when the process closes the file
//! anywhere, and a second attempt in the same process succeeds. So every spool that is locked here
//! is entered into a list, with the generation of the process: a forked child finds its parent's
//! entries there and knows that they are not its own. The list only grows, by a few words for each
//! publisher, and is read and written without a lock, which a fork could leave held.

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
    if is_own(spool) {
        return false;
    }
    let mut own = Box::new(Own {
        spool,
        generation: process::generation(),
        is_over: AtomicBool::new(false),
        next: OnceBox::new(),
    });
    let mut place = &FIRST;
    loop {
        match place.set(own) {
            Ok(()) => return true,
            Err(again) => own = again,
        }
        match place.get() {
            // Another thread was quicker with the same one.
            Some(other) if other.is(spool) => return false,
            Some(other) => place = &other.next,
            None => return false,
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
    std::iter::successors(FIRST.get(), |own| own.next.get()).find(|own| own.is(spool))
}

impl Own {
    fn is(&self, spool: u64) -> bool {
        self.spool == spool
            && self.generation == process::generation()
            && !self.is_over.load(Ordering::Acquire)
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
}
