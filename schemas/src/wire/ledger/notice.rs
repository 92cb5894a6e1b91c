//! What a ledger has to say, in sentences and in words for programs.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::topic::Topic;
use crate::wire::{Identity, SenderId};

/// A sender as notices show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sender {
    /// Its id on the wire.
    pub id: SenderId,
    /// Who it is, once a heartbeat has said so.
    pub identity: Option<Identity>,
}

impl Sender {
    /// What it is called where there are many: `alpha/web-3:613`, host, program and process id,
    /// without what it has not said; its id in hex when it has said nothing.
    pub fn name(&self) -> String {
        let mut name = String::new();
        if let Some(identity) = &self.identity {
            if !identity.host.is_empty() {
                name = format!("{}/", identity.host);
            }
            name.push_str(&identity.program);
            if identity.pid != 0 {
                name.push_str(&format!(":{}", identity.pid));
            }
        }
        if name.is_empty() {
            return self.id.to_string();
        }
        name
    }

    /// Whether one could have taken the other's place: the same program on the same host.
    pub(super) fn is_same_service(&self, other: &Sender) -> bool {
        match (&self.identity, &other.identity) {
            (Some(a), Some(b)) => self.id != other.id && a.host == b.host && a.program == b.program,
            _ => false,
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.identity {
            Some(identity) => identity.fmt(f),
            None => write!(f, "sender {}", self.id),
        }
    }
}

/// Something a reader of the stream should know besides the records.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// A sender was heard for the first time and said who it is.
    Joined(Arc<Sender>),
    /// A sender began that takes the place of one that fell silent: same host and program.
    Restarted {
        /// The new one.
        sender: Arc<Sender>,
        /// The one that fell silent.
        previous: Arc<Sender>,
    },
    /// A sender said goodbye.
    Ended(Arc<Sender>),
    /// A sender is silent: it was killed, or the network is down. What it sent last is unknown.
    Silent(Arc<Sender>),
    /// A silent sender is heard again.
    Returned(Arc<Sender>),
    /// Records were sent and have not come.
    Lost {
        /// Who sent them.
        sender: Arc<Sender>,
        /// Under which topic.
        topic: Topic,
        /// Their sequence numbers.
        records: Range<u64>,
    },
    /// Records that were reported lost have come after all.
    Late {
        /// Who sent them.
        sender: Arc<Sender>,
        /// Under which topic.
        topic: Topic,
        /// Their sequence numbers.
        records: Range<u64>,
    },
    /// The sender itself threw records away before sending them.
    Discarded {
        /// Who threw them away.
        sender: Arc<Sender>,
        /// Of which topic.
        topic: Topic,
        /// How many since the last such notice.
        count: u64,
        /// Why, with the sender's totals by reason, where it has said so.
        reasons: Vec<(String, u64)>,
    },
}

/// `web-3 (pid 613) lost 17 records of myapp.db, 1041..1057`: both numbers included.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&mut |sender| sender.to_string()))
    }
}

impl Notice {
    /// Whether this tells of records that a reader will not see.
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Notice::Lost { .. } | Notice::Discarded { .. } | Notice::Silent(_)
        )
    }

    /// Whether this is part of an orderly day.
    pub fn is_routine(&self) -> bool {
        matches!(self, Notice::Joined(_) | Notice::Ended(_))
    }

    /// The notice as a sentence, with other names for senders.
    pub fn told(&self, name: &mut dyn FnMut(&Sender) -> String) -> String {
        let who = name(self.sender());
        match self {
            Notice::Joined(_) => format!("{who} joined"),
            Notice::Restarted { previous, .. } => {
                format!("{who} takes the place of {}", name(previous))
            }
            Notice::Ended(_) => format!("{who} ended"),
            Notice::Silent(_) => {
                format!("{who} went silent without goodbye: its last records may be lost")
            }
            Notice::Returned(_) => format!("{who} is heard again"),
            Notice::Lost { topic, records, .. } => {
                format!("{who} lost {} of {topic}, {}", many(records), span(records))
            }
            Notice::Late { topic, records, .. } => {
                let (many, span) = (many(records), span(records));
                format!("{who}: {many} of {topic} came late, {span}")
            }
            Notice::Discarded {
                topic,
                count,
                reasons,
                ..
            } => {
                let reasons: Vec<String> = reasons
                    .iter()
                    .map(|(reason, total)| format!("{reason}: {total}"))
                    .collect();
                let reasons = match reasons.is_empty() {
                    true => String::new(),
                    false => format!(" (in all {})", reasons.join(", ")),
                };
                let many = plural(*count);
                format!("{who} discarded {many} of {topic} before sending{reasons}")
            }
        }
    }

    /// Whom it is about.
    pub fn sender(&self) -> &Arc<Sender> {
        match self {
            Notice::Joined(sender)
            | Notice::Ended(sender)
            | Notice::Silent(sender)
            | Notice::Returned(sender)
            | Notice::Restarted { sender, .. }
            | Notice::Lost { sender, .. }
            | Notice::Late { sender, .. }
            | Notice::Discarded { sender, .. } => sender,
        }
    }

    /// Which topic it is about, where it is about one.
    pub fn topic(&self) -> Option<&Topic> {
        match self {
            Notice::Lost { topic, .. }
            | Notice::Late { topic, .. }
            | Notice::Discarded { topic, .. } => Some(topic),
            _ => None,
        }
    }

    /// What kind of notice it is, in a word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Notice::Joined(_) => "joined",
            Notice::Restarted { .. } => "restarted",
            Notice::Ended(_) => "ended",
            Notice::Silent(_) => "silent",
            Notice::Returned(_) => "returned",
            Notice::Lost { .. } => "lost",
            Notice::Late { .. } => "late",
            Notice::Discarded { .. } => "discarded",
        }
    }

    /// How many records it is about.
    pub fn count(&self) -> u64 {
        match self {
            Notice::Lost { records, .. } | Notice::Late { records, .. } => {
                records.end - records.start
            }
            Notice::Discarded { count, .. } => *count,
            _ => 0,
        }
    }
}

fn many(records: &Range<u64>) -> String {
    plural(records.end - records.start)
}

fn plural(count: u64) -> String {
    format!("{count} record{}", if count == 1 { "" } else { "s" })
}

fn span(records: &Range<u64>) -> String {
    match records.end - records.start {
        1 => records.start.to_string(),
        _ => format!("{}..{}", records.start, records.end - 1),
    }
}
