//! What decides which records are visible: the filters, and senders that are shown alone or not at
//! all.

use std::collections::HashSet;

use crate::item::Delivered;
use crate::view::badge::Source;
use crate::view::filters::Filters;

/// A choice of records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    /// The least level and the list of filters.
    pub(crate) filters: Filters,
    /// When there are any, nobody else is shown.
    solo: HashSet<Source>,
    muted: HashSet<Source>,
}

impl Choice {
    /// What these filters choose, of all senders.
    pub(crate) fn new(filters: Filters) -> Self {
        Self {
            filters,
            ..Self::default()
        }
    }

    /// Whether a record is visible.
    pub(crate) fn admits(&self, delivered: &Delivered) -> bool {
        self.hears(delivered) && self.filters.admit(delivered)
    }

    /// Whether every record is.
    pub(crate) fn is_open(&self) -> bool {
        self.filters.is_open() && self.solo.is_empty() && self.muted.is_empty()
    }

    /// Who is shown alone.
    pub(crate) fn solo(&self) -> &HashSet<Source> {
        &self.solo
    }

    /// Who is not shown.
    pub(crate) fn muted(&self) -> &HashSet<Source> {
        &self.muted
    }

    /// Shows a sender alone, beside others that are, or no longer; says whether it is now.
    pub(crate) fn toggle_solo(&mut self, source: Source) -> bool {
        self.muted.remove(&source);
        toggle(&mut self.solo, source)
    }

    /// Mutes a sender, or no longer; says whether it is now.
    pub(crate) fn toggle_muted(&mut self, source: Source) -> bool {
        self.solo.remove(&source);
        toggle(&mut self.muted, source)
    }

    /// Treats a sender as the one whose place it takes; says whether that changes anything.
    pub(crate) fn succeed(&mut self, previous: Source, source: Source) -> bool {
        let is_solo = self.solo.contains(&previous) && self.solo.insert(source);
        let is_muted = self.muted.contains(&previous) && self.muted.insert(source);
        is_solo || is_muted
    }

    fn hears(&self, delivered: &Delivered) -> bool {
        if self.solo.is_empty() && self.muted.is_empty() {
            return true;
        }
        let source = Source::of(delivered);
        !self.muted.contains(&source) && (self.solo.is_empty() || self.solo.contains(&source))
    }
}

fn toggle(set: &mut HashSet<Source>, source: Source) -> bool {
    let is_in = set.insert(source);
    if !is_in {
        set.remove(&source);
    }
    is_in
}
