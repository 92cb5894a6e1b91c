//! Who may publish what, and who may read what: by public key, and by topic.
//!
//! The keys and their rights are files in a directory (`clients.rs`), which is read again when it
//! changes. A right to `shop` is one to the topic `shop` and to everything below `shop.`; a right to
//! the empty text is one to everything. Publishing is checked message by message, subscribing by
//! what a subscription can match.

mod clients;
mod guard;
mod senders;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use logbus_schemas::TopicFilter;
use logbus_transport::{Gate, Notices, PublicKey};

pub use clients::ClientsError;
pub(crate) use guard::{Guard, Refusal};

use clients::Directory;

/// Stands behind the topic where a message is one frame (`schemas/WIRE.md`).
const END: &str = "\0";
/// Between the segments of a topic.
const BELOW: &str = ".";

/// One key with its name and its rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) publish: Vec<String>,
    pub(crate) subscribe: Vec<String>,
}

impl Client {
    fn readable(&self, asked: &[TopicFilter]) -> Result<Vec<TopicFilter>, String> {
        if self.subscribe.is_empty() {
            return Err(format!("{} may subscribe to nothing", self.name));
        }
        if self.subscribe.iter().any(String::is_empty) {
            return Ok(asked.to_vec());
        }
        // In a right a star stands for itself; in a filter it would stand for everything.
        let exact = |text: &String| {
            let filter = TopicFilter::parse(text).ok()?;
            (filter.to_string() == *text && filter != TopicFilter::ALL).then_some(filter)
        };
        let mine: Vec<TopicFilter> = self.subscribe.iter().filter_map(exact).collect();
        if mine.is_empty() {
            return Err(format!("{} may subscribe to no topic", self.name));
        }
        // Whoever names everything asks for no prefix.
        if asked.is_empty() || asked.contains(&TopicFilter::ALL) {
            return Ok(mine);
        }
        let beyond = asked.iter().find(|filter| {
            let topic = filter.to_string();
            !covers(&self.subscribe, &topic)
        });
        match beyond {
            None => Ok(asked.to_vec()),
            Some(beyond) => Err(format!(
                "{} has no right to subscribe to {:?}; it has one to {}",
                self.name,
                beyond.to_string(),
                self.subscribe.join(", ")
            )),
        }
    }
}

/// The keys of everybody who may come in, and what each may do.
#[derive(Debug)]
pub struct Rights {
    directory: RwLock<Directory>,
    clients: RwLock<HashMap<PublicKey, Client>>,
    /// How often any right has changed.
    changes: AtomicU64,
    notices: Notices,
}

impl Rights {
    /// Reads the directory; everything in it must be right.
    pub fn open(path: &Path) -> Result<Arc<Self>, ClientsError> {
        let mut directory = Directory::new(path);
        let clients = directory.read()?;
        Ok(Arc::new(Self {
            directory: RwLock::new(directory),
            clients: RwLock::new(clients),
            changes: AtomicU64::new(0),
            notices: Notices::default(),
        }))
    }

    /// Reads the directory again if it has changed; says whether any right has. What cannot be read
    /// stays as it was, and is told.
    pub fn refresh(&self) -> bool {
        let Ok(mut directory) = self.directory.write() else {
            return false;
        };
        if !directory.has_changed() {
            return false;
        }
        let (clients, problems) = directory.read_again();
        for problem in problems {
            self.notices.tell("client files that cannot be read", || {
                format!("{problem}; it counts as it was before")
            });
        }
        let Ok(mut known) = self.clients.write() else {
            return false;
        };
        let is_changed = *known != clients;
        if is_changed {
            self.notices.tell("changes of rights", || {
                format!("rights of {} clients read again", clients.len())
            });
        }
        *known = clients;
        drop(known);
        self.changes
            .fetch_add(u64::from(is_changed), Ordering::Release);
        is_changed
    }

    /// How often any right has changed: whoever saw another number before must look again.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether the owner of this key may publish under this topic.
    pub fn may_publish(&self, key: &PublicKey, topic: &str) -> bool {
        self.ask(key, |client| covers(&client.publish, topic))
    }

    /// Whether the owner of this key may read this topic.
    pub fn may_subscribe(&self, key: &PublicKey, topic: &str) -> bool {
        self.ask(key, |client| covers(&client.subscribe, topic))
    }

    /// Whether the owner of this key may read every topic.
    pub fn may_subscribe_all(&self, key: &PublicKey) -> bool {
        self.ask(key, |client| client.subscribe.iter().any(String::is_empty))
    }

    /// What of the journal the owner of this key is given when it asks for these topics: those, if
    /// it may read all of each; where it names none, what it may read. An error says why nothing.
    pub(crate) fn readable(
        &self,
        key: &PublicKey,
        asked: &[TopicFilter],
    ) -> Result<Vec<TopicFilter>, String> {
        let clients = self.clients.read();
        let clients = clients.map_err(|_| "the rights are not known".to_owned())?;
        let Some(client) = clients.get(key) else {
            return Err(format!("the key {key} is unknown"));
        };
        client.readable(asked)
    }

    /// The name of this key's file, for people.
    pub fn name_of(&self, key: &PublicKey) -> String {
        let clients = self.clients.read().ok();
        let client = clients.as_ref().and_then(|clients| clients.get(key));
        client.map_or_else(|| key.to_string(), |client| client.name.clone())
    }

    /// Where what is to be said is put down.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    fn ask(&self, key: &PublicKey, question: impl FnOnce(&Client) -> bool) -> bool {
        let clients = self.clients.read();
        clients.is_ok_and(|clients| clients.get(key).is_some_and(question))
    }
}

/// Whether a topic is one of these or below one of these.
fn covers(rights: &[String], topic: &str) -> bool {
    let is_covered = |right: &String| match topic.strip_prefix(right.as_str()) {
        Some(rest) => right.is_empty() || rest.is_empty() || rest.starts_with(BELOW),
        None => false,
    };
    rights.iter().any(is_covered)
}

/// What of `prefix` is covered by these rights, as prefixes of messages of one frame.
fn granted(rights: &[String], prefix: &[u8]) -> Vec<Vec<u8>> {
    let mut granted = Vec::new();
    for right in rights {
        let parts = match right.as_str() {
            "" => vec![String::new()],
            right => vec![format!("{right}{END}"), format!("{right}{BELOW}")],
        };
        for part in parts {
            let part = part.into_bytes();
            if prefix.starts_with(&part) {
                granted.push(prefix.to_vec());
            } else if part.starts_with(prefix) {
                granted.push(part);
            }
        }
    }
    granted.sort();
    granted.dedup();
    granted
}

/// Which side of the bus a gate is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where publishers come in.
    Publishers,
    /// Where subscribers come in.
    Subscribers,
    /// Where both do.
    Both,
}

/// The gate of one side.
#[derive(Debug)]
pub struct SideGate {
    rights: Arc<Rights>,
    side: Side,
}

impl SideGate {
    /// The gate at this side.
    pub fn new(rights: &Arc<Rights>, side: Side) -> Arc<Self> {
        Arc::new(Self {
            rights: rights.clone(),
            side,
        })
    }
}

impl Gate for SideGate {
    fn admit(&self, key: &PublicKey) -> Result<(), String> {
        let clients = self.rights.clients.read();
        let clients = clients.map_err(|_| "the rights are not known".to_owned())?;
        let Some(client) = clients.get(key) else {
            return Err(format!("the key {key} is unknown"));
        };
        let (publishes, reads) = (!client.publish.is_empty(), !client.subscribe.is_empty());
        let (is_in, what) = match self.side {
            Side::Publishers => (publishes, "publish"),
            Side::Subscribers => (reads, "subscribe to"),
            Side::Both => (publishes || reads, "do"),
        };
        match is_in {
            true => Ok(()),
            false => Err(format!("{} may {what} nothing", client.name)),
        }
    }

    fn grant(&self, key: &PublicKey, prefix: &[u8]) -> Vec<Vec<u8>> {
        let Ok(clients) = self.rights.clients.read() else {
            return Vec::new();
        };
        let rights = clients.get(key).map(|client| client.subscribe.as_slice());
        granted(rights.unwrap_or_default(), prefix)
    }
}

#[cfg(test)]
mod tests;
