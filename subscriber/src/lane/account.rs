//! What a lane owes to a durable subscription: to say which entries its handler has safe.
//!
//! Entries are numbered (`history/progress.rs`). A number is said when the handler has been flushed and
//! says itself that everything would survive; not any more when it had to drop something, and not
//! of what it took when it had enough already. A lane of the live stream owes nothing.

use crate::handler::{Fault, Handler, Say};
use crate::history::progress::Mark;

/// The account; see the head of this file.
pub(super) struct Account {
    mark: Option<Mark>,
    /// The last number that was handed over.
    number: u64,
    /// Whether the handler had to drop something, so that what came with it cannot be done.
    is_short: bool,
}

impl Account {
    pub(super) fn new(mark: Option<Mark>) -> Self {
        Self {
            mark,
            number: 0,
            is_short: false,
        }
    }

    /// Whether anything is owed.
    pub(super) fn is_open(&self) -> bool {
        self.mark.is_some()
    }

    /// Everything up to this number has been emitted.
    pub(super) fn note(&mut self, number: Option<u64>, handler: &dyn Handler) {
        if !handler.has_left_some() {
            self.number = number.unwrap_or(self.number);
        }
    }

    /// Says what a handler has safe that has just been flushed.
    pub(super) fn settle(&mut self, handler: &mut dyn Handler, say: &Say) -> Result<(), Fault> {
        let Some(mark) = &mut self.mark else {
            return Ok(());
        };
        if mark.reached() >= self.number || self.is_short {
            return Ok(());
        }
        if handler.dropped() > 0 {
            self.is_short = true;
            say(&format!(
                "{}: records could not be kept; they and what follows come again at the next start",
                handler.name()
            ));
            return Ok(());
        }
        if handler.secure()? {
            mark.reach(self.number);
        }
        Ok(())
    }

    /// Holds nothing up any more, unless something is missing: who has closed a pipe misses nothing.
    pub(super) fn close(&mut self, handler: &dyn Handler, has_ended: bool) {
        let number = self.number;
        let is_even = |mark: &Mark| mark.reached() >= number && !handler.has_left_some();
        if let Some(mark) = self.mark.take()
            && (has_ended || is_even(&mark))
        {
            mark.leave();
        }
    }
}
