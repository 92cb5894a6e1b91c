//! The keys of this program: what it shows where it dials, and what it asks for where it listens.
//!
//! With a directory of clients it can be a bus whose clients have keys; without one it can only join
//! such a bus. Where a bus is to be joined and no other key was named as the bus's, its key is this
//! program's own: the programs of one machine that may be the bus share one.

use std::path::PathBuf;

use anyhow::bail;
use logbus_broker::{Rights, Secured, exposed};
use logbus_transport::{KeyPair, PublicKey, Security};

/// Which files, as they were named.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The file with this program's secret key.
    pub key: Option<PathBuf>,
    /// The file with the bus's public key.
    pub server_key: Option<PathBuf>,
    /// The directory of clients.
    pub clients: Option<PathBuf>,
    /// Whether to listen where everybody who can connect is served.
    pub insecure: bool,
}

/// The keys themselves.
#[derive(Debug, Clone, Default)]
pub struct Ring {
    /// For where this program dials.
    pub dialling: Option<Security>,
    /// For where it listens.
    pub listening: Option<Secured>,
    is_insecure_wanted: bool,
}

impl Keys {
    /// Reads the files.
    pub fn read(&self) -> anyhow::Result<Ring> {
        let Some(clients) = &self.clients else {
            return Ok(Ring {
                dialling: Security::from_files(self.key.as_deref(), self.server_key.as_deref())?,
                listening: None,
                is_insecure_wanted: self.insecure,
            });
        };
        let Some(key) = &self.key else {
            bail!("--clients needs --key, the file with the bus's own key");
        };
        let own = KeyPair::read(key)?;
        let dialled = match &self.server_key {
            Some(path) => Some(PublicKey::read(path)?),
            None => None,
        };
        Ok(Ring {
            dialling: Some(Security::Client {
                own: own.clone(),
                server: dialled.unwrap_or(own.public()),
            }),
            listening: Some(Secured {
                own,
                rights: Rights::open(clients)?,
                dialled,
            }),
            is_insecure_wanted: self.insecure,
        })
    }
}

impl Ring {
    /// Says what a broker would let in that nobody asks for a key; an error unless that was wanted.
    pub fn check(&self, config: &logbus_broker::Config, say: &impl Fn(&str)) -> anyhow::Result<()> {
        let exposed = exposed(config);
        if let Some(first) = exposed.first().filter(|_| !self.is_insecure_wanted) {
            bail!(
                "{first}; give keys with --key and --clients (docs/security.md), or say --insecure"
            );
        }
        for place in exposed {
            say(&format!("warning: {place}"));
        }
        Ok(())
    }
}
