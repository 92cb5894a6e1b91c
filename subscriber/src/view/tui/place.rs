//! Where one looks: which record the cursor is on, which is the first on the screen, and whether
//! the view follows what comes.
//!
//! Places are numbers of entries, so they stay when others come, go or are filtered out.

use super::store::Store;

/// What is visible, up to where the view stands still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible<'a> {
    store: &'a Store,
    len: usize,
}

impl<'a> Visible<'a> {
    /// The visible entries below the number `until`.
    pub(crate) fn new(store: &'a Store, until: Option<u64>) -> Self {
        let len = match until {
            Some(until) => store.position(until),
            None => store.index().shown().len(),
        };
        Self { store, len }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.len
    }

    /// The number of the one that stands there.
    pub(crate) fn number(&self, at: usize) -> u64 {
        self.store.index().shown()[at]
    }

    /// The place of an entry, or of the nearest one behind it, or of the last.
    pub(crate) fn nearest(&self, number: u64) -> Option<usize> {
        let last = self.len.checked_sub(1)?;
        Some(self.store.position(number).min(last))
    }

    /// The buffer.
    pub(crate) fn store(&self) -> &'a Store {
        self.store
    }
}

/// Where one looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    follows: bool,
    cursor: u64,
    top: u64,
}

impl Default for Place {
    fn default() -> Self {
        Self {
            follows: true,
            cursor: 0,
            top: 0,
        }
    }
}

impl Place {
    /// Whether the view goes on with what comes.
    pub(crate) fn follows(&self) -> bool {
        self.follows
    }

    /// Where the cursor stands.
    pub(crate) fn cursor(&self, visible: &Visible<'_>) -> Option<usize> {
        match self.follows {
            true => visible.count().checked_sub(1),
            false => visible.nearest(self.cursor),
        }
    }

    /// The number of the entry that the cursor is on.
    pub(crate) fn number(&self, visible: &Visible<'_>) -> Option<u64> {
        Some(visible.number(self.cursor(visible)?))
    }

    /// Goes to an entry, and stands still there.
    pub(crate) fn go_to(&mut self, number: u64) {
        self.follows = false;
        self.cursor = number;
    }

    /// Moves by so many entries; up stops following.
    pub(crate) fn move_by(&mut self, rows: isize, visible: &Visible<'_>) {
        let Some(at) = self.cursor(visible) else {
            return;
        };
        if self.follows && rows > 0 {
            return;
        }
        let at = at.saturating_add_signed(rows).min(visible.count() - 1);
        self.go_to(visible.number(at));
    }

    /// Follows what comes.
    pub(crate) fn follow(&mut self) {
        self.follows = true;
    }

    /// Stands still where the cursor is.
    pub(crate) fn stand(&mut self, visible: &Visible<'_>) {
        if let Some(number) = self.number(visible) {
            self.go_to(number);
        }
    }

    /// Where the screen of so many lines begins, so that the cursor is on it and nothing is empty
    /// that need not be. `lines` says how many lines an entry takes.
    pub(crate) fn settle(
        &mut self,
        visible: &Visible<'_>,
        height: usize,
        lines: &mut dyn FnMut(u64) -> usize,
    ) -> Option<usize> {
        let cursor = self.cursor(visible)?;
        let wanted = match self.follows {
            true => 0,
            false => visible.nearest(self.top)?.min(cursor),
        };
        let mut used = lines(visible.number(cursor)).min(height);
        let mut top = cursor;
        while top > wanted {
            used += lines(visible.number(top - 1));
            if used > height {
                break;
            }
            top -= 1;
        }
        if used <= height {
            top = fill(visible, top, cursor, height - used, lines);
        }
        if visible.store().is_complete() {
            self.top = visible.number(top);
        }
        Some(top)
    }
}

/// Moves the first line up where there is room for so many lines more than from `top` to `cursor`.
fn fill(
    visible: &Visible<'_>,
    mut top: usize,
    cursor: usize,
    mut room: usize,
    lines: &mut dyn FnMut(u64) -> usize,
) -> usize {
    for at in cursor + 1..visible.count() {
        room = room.saturating_sub(lines(visible.number(at)));
        if room == 0 {
            return top;
        }
    }
    while top > 0 {
        let more = lines(visible.number(top - 1));
        if more > room {
            break;
        }
        room -= more;
        top -= 1;
    }
    top
}
