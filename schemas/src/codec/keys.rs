//! The keys that nearly every record has, ready-made: a hit costs one comparison and no checking.
//!
//! Both codecs ask here first. A key that is not here is read in the ordinary way; whether it is
//! found makes no difference to what is read.

use std::sync::LazyLock;

use compact_str::CompactString;

use crate::record::ATTRIBUTES;

/// Finds a record's keys among [`ATTRIBUTES`], which stand in the order in which Python sets them:
/// the next key is most often the next attribute.
pub(super) struct Keys {
    ready: &'static [CompactString],
    next: usize,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            ready: &*READY,
            next: 0,
        }
    }

    /// The key, when these bytes are an attribute's name.
    pub(super) fn known(&mut self, bytes: &[u8]) -> Option<&'static CompactString> {
        let (before, after) = self.ready.split_at(self.next);
        let is_it = |key: &CompactString| key.as_bytes() == bytes;
        let at = match after.iter().position(is_it) {
            Some(at) => self.next + at,
            None => before.iter().position(is_it)?,
        };
        self.next = at + 1;
        self.ready.get(at)
    }
}

static READY: LazyLock<[CompactString; ATTRIBUTES.len()]> =
    LazyLock::new(|| std::array::from_fn(|at| CompactString::const_new(ATTRIBUTES[at])));
