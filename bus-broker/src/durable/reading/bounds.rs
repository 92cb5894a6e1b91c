//! What one caller may claim: reads at once, topics of a read, and names of durable subscriptions, which
//! the journal keeps until somebody has them forgotten.

use std::collections::BTreeMap;

use logbus_schemas::wire::durable::Read;
use logbus_transport::Peer;

use super::{Desk, Readers};
use crate::journal::JournalError;

/// Reads of one caller at once.
const MAX_READS: usize = 16;
/// Topics of one read, and the bytes of all of them.
const MAX_TOPICS: usize = 1000;
const MAX_TOPIC_BYTES: usize = 16 << 10;
/// Durable subscriptions of one client; where clients have no keys, of all together.
const MAX_NAMES: usize = 1000;

/// The durable subscriptions that there are, and whose each is; `None` before that was looked up.
pub(super) type Names = Option<BTreeMap<String, Option<String>>>;

impl Readers {
    /// Why a read that has not begun is more than a caller may have, if so.
    pub(super) fn is_too_much(&self, peer: &Peer, read: &Read) -> Option<String> {
        let begun = self.reads.keys().filter(|(other, _)| other == peer);
        let later = self.later.iter().filter(|later| later.peer == *peer);
        if begun.count() + later.count() >= MAX_READS {
            return Some(format!("a caller has at most {MAX_READS} reads at once"));
        }
        let bytes: usize = read.topics.iter().map(String::len).sum();
        (read.topics.len() > MAX_TOPICS || bytes > MAX_TOPIC_BYTES).then(|| {
            format!("a read names at most {MAX_TOPICS} topics, of {MAX_TOPIC_BYTES} bytes together")
        })
    }

    /// Why a client may not begin another durable subscription, if so.
    pub(super) fn is_one_too_many(
        &mut self,
        peer: &Peer,
        name: &str,
        desk: &Desk,
    ) -> Result<Option<String>, JournalError> {
        let names = match self.names.take() {
            Some(names) => names,
            None => {
                let noted = desk.journal.consumers()?.into_iter();
                noted.map(|(name, noted)| (name, noted.owner)).collect()
            }
        };
        let names = self.names.insert(names);
        let owner = desk.client(peer).map(|client| client.name);
        let mine = names.values().filter(|whose| **whose == owner);
        let is_new = !names.contains_key(name);
        Ok((is_new && mine.count() >= MAX_NAMES).then(|| {
            format!(
                "there are {MAX_NAMES} durable subscriptions, which is the most; have one forgotten that \
                 nobody reads any more (bus-broker consumers rm)"
            )
        }))
    }

    /// A durable subscription has begun, or goes on.
    pub(super) fn enter_name(&mut self, name: &str, owner: Option<String>) {
        if let Some(names) = &mut self.names {
            names.insert(name.to_owned(), owner);
        }
    }
}
