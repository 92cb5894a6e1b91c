//! Whose key a caller has, and what that may look at: where callers have keys.
//!
//! It asks the rights each time, so that a change of them counts at once. What may be published is the
//! guard's to say (`bus-broker/src/rights/guard.rs`).

use logbus_schemas::TopicFilter;
use logbus_transport::{Peer, PublicKey};

use super::reading::Desk;
use crate::rights::Rights;

/// A caller that has a key, and what it may look at.
pub(super) struct Client {
    /// As its file is called.
    pub(super) name: String,
    /// Whether it may read anything; if not, why.
    pub(super) reads: Result<(), String>,
    /// Whether it may read everything.
    pub(super) is_all: bool,
}

impl Desk<'_> {
    /// Who somebody is, where callers have keys.
    pub(super) fn client(&self, peer: &Peer) -> Option<Client> {
        let (rights, key) = (self.rights?, key_of(peer));
        Some(Client {
            name: rights.name_of(&key),
            reads: rights.readable(&key, &[]).map(|_| ()),
            is_all: rights.may_subscribe_all(&key),
        })
    }

    /// Whether somebody may have an entry of this topic now.
    pub(super) fn may_read(&self, peer: &Peer, topic: &str) -> bool {
        self.rights
            .is_none_or(|rights| rights.may_subscribe(&key_of(peer), topic))
    }
}

/// The key of a caller. One without is nobody's: where callers have keys, there is no such caller.
fn key_of(peer: &Peer) -> PublicKey {
    peer.user()
        .map_or(PublicKey::from_bytes([0; 32]), |user| user.key)
}

/// What somebody who asks for these topics is given.
pub(super) fn given(
    peer: &Peer,
    asked: &[TopicFilter],
    rights: Option<&Rights>,
) -> Result<Vec<TopicFilter>, String> {
    match rights {
        Some(rights) => rights.readable(&key_of(peer), asked),
        None => Ok(asked.to_vec()),
    }
}
