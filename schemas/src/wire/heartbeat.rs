//! A heartbeat's payload: one dict that names the sender.
//!
//! It is written in the header's codec, like a record. Unknown keys are ignored and missing ones
//! read as empty, so that senders may say more, or less, than this version knows.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::{self, Codec};

/// Who a sender is, by its own word.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// The host's name.
    pub host: String,
    /// The process id.
    pub pid: u32,
    /// The program's name, as people should see it.
    pub program: String,
    /// When this incarnation of the publisher started, in ns since 1970-01-01 00:00 UTC.
    pub started: u64,
    /// The publisher's name and version, e.g. `logbus 0.1.0`.
    pub version: String,
    /// Records of this topic discarded since then, by reason, e.g. `queue full`.
    pub discarded: BTreeMap<String, u64>,
}

impl Identity {
    /// The payload.
    pub fn encode(&self, codec: Codec) -> Vec<u8> {
        // Neither writer can fail: there is no I/O, and every key is text.
        if codec == codec::JSON {
            serde_json::to_vec(self).unwrap_or_default()
        } else {
            rmp_serde::to_vec_named(self).unwrap_or_default()
        }
    }

    /// Reads a payload; `None` when it is not such a dict.
    pub fn decode(codec: Codec, payload: &[u8]) -> Option<Self> {
        if codec == codec::JSON {
            serde_json::from_slice(payload).ok()
        } else {
            rmp_serde::from_slice(payload).ok()
        }
    }
}

/// `web-3 (pid 613)`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = if self.program.is_empty() {
            "a sender"
        } else {
            &self.program
        };
        write!(f, "{program} (pid {})", self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_named_alike_in_both_codecs() {
        let identity = Identity {
            host: "alpha".into(),
            pid: 613,
            program: "web-3".into(),
            started: 1,
            version: "logbus 0.1.0".into(),
            discarded: BTreeMap::from([("queue full".into(), 3)]),
        };
        for codec in codec::CODECS {
            let payload = identity.encode(*codec);
            assert_eq!(
                Identity::decode(*codec, &payload),
                Some(identity.clone()),
                "{codec:?}"
            );
        }
        assert_eq!(identity.to_string(), "web-3 (pid 613)");
    }

    #[test]
    fn a_sender_may_say_more_or_less() {
        let said = br#"{"program":"web","colour":"green"}"#;
        let identity = Identity::decode(codec::JSON, said).unwrap();
        assert_eq!((identity.program.as_str(), identity.pid), ("web", 0));
        assert_eq!(Identity::decode(codec::JSON, b"[1]"), None);
    }
}
