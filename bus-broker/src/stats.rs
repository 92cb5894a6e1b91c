//! What a broker counts, and its one-line summary.

use std::collections::BTreeMap;
use std::fmt;

use logbus_schemas::dialect::MalformedKind;

use crate::journal::JournalCounts;
use crate::listen::Trouble;

/// What a broker did from start to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages that came in.
    pub messages: u64,
    /// Records they held.
    pub received: u64,
    /// Of those: records of foreign senders.
    pub foreign: u64,
    /// Records handed to the subscribers' side.
    pub sent: u64,
    /// Messages that a receiver in this process had no room for.
    pub tap_overflow: u64,
    /// Messages that could not be read, by kind.
    pub malformed: BTreeMap<MalformedKind, u64>,
    /// What listeners had trouble with, by kind.
    pub troubles: BTreeMap<Trouble, u64>,
    /// What its journal did, where it has one.
    pub journal: Option<JournalCounts>,
    /// Messages that their senders had no right to, by the senders' names.
    pub refused: BTreeMap<String, u64>,
    /// What sockets told of, by kind.
    pub notices: BTreeMap<&'static str, u64>,
}

/// `received 1000 records in 20 messages, sent 1000, discarded 2 messages (unrecognised 2)`.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.refused.values().sum::<u64>();
        let discarded = self.malformed.values().sum::<u64>() + self.tap_overflow + refused;
        write!(
            f,
            "received {} records in {} messages, sent {}, discarded {discarded} messages",
            self.received, self.messages, self.sent
        )?;
        let mut reasons: Vec<String> = self
            .malformed
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        if self.tap_overflow > 0 {
            reasons.push(format!("receiver full {}", self.tap_overflow));
        }
        let refused = self.refused.iter();
        reasons.extend(refused.map(|(name, count)| format!("no right: {name} {count}")));
        if !reasons.is_empty() {
            write!(f, " ({})", reasons.join(", "))?;
        }
        for (trouble, count) in &self.troubles {
            write!(f, ", {trouble} {count}")?;
        }
        for (notice, count) in &self.notices {
            write!(f, ", {notice} {count}")?;
        }
        if let Some(journal) = &self.journal {
            write!(f, "; {journal}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_every_reason() {
        let mut summary = Summary {
            messages: 3,
            received: 7,
            sent: 7,
            ..Summary::default()
        };
        assert_eq!(
            summary.to_string(),
            "received 7 records in 3 messages, sent 7, discarded 0 messages"
        );
        summary.malformed.insert(MalformedKind::Dict, 2);
        summary.tap_overflow = 1;
        assert!(
            summary
                .to_string()
                .ends_with("discarded 3 messages (bad dict 2, receiver full 1)")
        );
        summary.troubles.insert(Trouble::BrokenFrame, 4);
        assert!(summary.to_string().ends_with("), broken frames 4"));
    }
}
