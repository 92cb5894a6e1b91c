//! What a journal counts, and its part of the broker's one-line summary.

use std::collections::BTreeMap;
use std::fmt;

use super::book::Arrival;

/// What a journal did from start to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalCounts {
    /// Messages that were kept.
    pub entries: u64,
    /// Records in them.
    pub records: u64,
    /// Messages that were there before.
    pub known: u64,
    /// Records of PUB/SUB traffic for which it was too slow.
    pub not_kept: u64,
    /// Records beyond their publishers' shares, which were not kept.
    pub over_share: u64,
    /// Entries that were found damaged after the start.
    pub found_damaged: u64,
    /// Damaged entries that readers came by, each as often as they did.
    pub damaged: u64,
    /// Records that retention deleted, by prefix.
    pub deleted: BTreeMap<String, u64>,
}

impl JournalCounts {
    /// Counts a message that was written, or was there before.
    pub(super) fn count(&mut self, arrival: &Arrival, is_new: bool) {
        if is_new {
            self.entries += 1;
            self.records += u64::from(arrival.draft.header.count);
        } else {
            self.known += 1;
        }
    }
}

/// `journalled 1000 records in 20 messages, 3 messages sent again`.
impl fmt::Display for JournalCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "journalled {} records in {} messages",
            self.records, self.entries
        )?;
        for (count, what) in [
            (self.known, "messages sent again"),
            (self.not_kept, "records not journalled"),
            (self.over_share, "records beyond their publishers' shares"),
            (self.found_damaged, "messages found damaged"),
            (self.damaged, "damaged messages met by readers"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        for (prefix, count) in &self.deleted {
            write!(f, ", {count} records of {prefix} deleted")?;
        }
        Ok(())
    }
}
