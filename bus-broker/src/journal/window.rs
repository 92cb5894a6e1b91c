//! How far each sender has come on each topic: a bounded part in memory, all of it on disk.
//!
//! Two maps take turns: what is asked for goes into the young one, and when that is full it
//! becomes the old one and the old one is forgotten. What is in neither is looked up on disk.

use std::collections::HashMap;

use super::rows::{Position, unpack};
use super::store::{JournalError, Store};

/// Positions in one of the two maps; each takes about 150 bytes.
const CAPACITY: usize = 32_768;

/// The positions that were asked for last.
#[derive(Debug, Default)]
pub(crate) struct Window {
    young: HashMap<Vec<u8>, Position>,
    old: HashMap<Vec<u8>, Position>,
}

impl Window {
    /// The position under this key; one that nobody knows is the beginning.
    pub(crate) fn get(
        &mut self,
        store: &Store,
        key: &[u8],
    ) -> Result<Option<Position>, JournalError> {
        if let Some(position) = self.young.get(key).or_else(|| self.old.get(key)) {
            return Ok(Some(position.clone()));
        }
        let row = store.positions.get(key)?;
        let position: Option<Position> = row.as_deref().and_then(unpack);
        if let Some(position) = &position {
            self.put(key.to_vec(), position.clone());
        }
        Ok(position)
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, position: Position) {
        if self.young.len() >= CAPACITY {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, position);
    }
}
