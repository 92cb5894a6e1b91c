//! What holds for any bytes at all where this crate reads some: a spool's.
//!
//! A promise panics where it is broken. `fuzz/` looks for bytes that do so, and the test here holds
//! the promise against the files that once did, and against seeds. Compiled for these two alone.

pub use crate::spool::fuzzing::spool;

#[cfg(test)]
#[path = "../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_spool_is_adopted_with_what_is_whole_in_it() {
        replay::replay("spool", spool);
    }
}
