//! What flows from decoding to the handlers: records and notices, in one stream.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use logbus_schemas::dialect::MalformedKind;
use logbus_schemas::python::str_of;
use logbus_schemas::wire::{Identity, SenderId, ledger};
use logbus_schemas::{Level, Map, Record, Topic, Value, ValueRef};

/// One thing in the stream.
#[derive(Debug, Clone)]
pub enum Item {
    /// A record.
    Record(Arc<Delivered>),
    /// Something a reader should know besides.
    Notice(Notice),
}

/// Some items, shared by every handler's queue.
pub type Batch = Arc<[Item]>;

/// A record with what is known of its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// The record.
    pub record: Record,
    /// What it was published under.
    pub topic: Topic,
    /// Who numbered it, and how; nobody where it came straight from a foreign sender.
    pub origin: Option<(SenderId, u64)>,
    /// Who that is, as far as it was known when the record came.
    pub sender: Option<Arc<ledger::Sender>>,
    /// By how many ns the clock of whoever numbered it is behind ours, as far as that was known
    /// when the record came; below 0 when it is ahead.
    pub offset: Option<i64>,
    /// When it came, in ns since 1970-01-01 00:00 UTC.
    pub received: u64,
}

impl Delivered {
    /// The host that the sender runs on, where it has said so.
    pub fn host(&self) -> Option<&str> {
        let host = self.identity()?.host.as_str();
        Some(host).filter(|host| !host.is_empty())
    }

    /// The process that a record is from where its sender only passed it on: its name and its id,
    /// 0 where that is not said.
    ///
    /// A bus numbers foreign senders' records as its own, and then their `process` is another than
    /// its own. Who such a process is says its `processName`, unless that is Python's usual one, else
    /// the first part of the topic.
    pub fn passed_on(&self) -> Option<(&str, i64)> {
        let process = self.process();
        let own = self.identity().map(|identity| i64::from(identity.pid));
        let is_own = match (self.origin, own, process) {
            (None, ..) => false,
            (Some(_), Some(own), Some(process)) => own == 0 || own == process,
            (Some(_), ..) => true,
        };
        if is_own {
            return None;
        }
        let named = self.record.text("processName");
        let named = named.filter(|name| !name.is_empty() && *name != "MainProcess");
        let topic = self.topic.as_str();
        let first = topic.split_once('.').map_or(topic, |(first, _)| first);
        Some((named.unwrap_or(first), process.unwrap_or(0)))
    }

    /// The id of the process that sent it, where that is known.
    pub fn pid(&self) -> Option<i64> {
        match self.passed_on() {
            Some((_, pid)) => Some(pid).filter(|pid| *pid != 0),
            None => {
                let pid = self.identity().map(|identity| i64::from(identity.pid));
                pid.filter(|pid| *pid != 0).or_else(|| self.process())
            }
        }
    }

    /// Who sent it: `host/program:pid` without what is not known of these. A sender that has not
    /// said who it is has its id in hex, and a process whose record was passed on its name and id.
    pub fn sender_name(&self) -> Cow<'_, str> {
        match (self.passed_on(), &self.sender, self.origin) {
            (Some((name, 0)), ..) => name.into(),
            (Some((name, pid)), ..) => format!("{name}:{pid}").into(),
            (None, Some(sender), _) => sender.name().into(),
            (None, None, Some((id, _))) => id.to_string().into(),
            (None, None, None) => "".into(),
        }
    }

    /// By what its sender may be called: its whole name, its program with and without the process
    /// id, its id in hex; and the process alike whose record was passed on.
    pub fn sender_names(&self) -> Vec<Cow<'_, str>> {
        let mut names = vec![self.sender_name()];
        names.extend(self.passed_on().map(|(name, _)| name.into()));
        if let (Some(_), Some(sender)) = (self.passed_on(), &self.sender) {
            names.push(sender.name().into());
        }
        if let Some(Identity { program, pid, .. }) = self.identity() {
            names.push(program.as_str().into());
            names.push(format!("{program}:{pid}").into());
        }
        names.extend(self.origin.map(|(id, _)| id.to_string().into()));
        names
    }

    /// The record's own word of its process.
    fn process(&self) -> Option<i64> {
        match self.record.look("process")? {
            ValueRef::Int(process) => Some(process),
            process => process.into_text()?.parse().ok(),
        }
    }

    /// All that a reader sees of it: the message, the extras as ` key=value`, and on lines of their
    /// own the traceback and the stack.
    pub fn text(&self) -> String {
        let mut text = self.record.get_message().into_owned();
        for (key, value) in self.record.extras() {
            text.push_str(&format!(" {key}="));
            str_of(value, &mut text);
        }
        for below in ["exc_text", "stack_info"] {
            if let Some(lines) = self.record.text(below).filter(|lines| !lines.is_empty()) {
                text.push('\n');
                text.push_str(lines);
            }
        }
        text
    }

    fn identity(&self) -> Option<&Identity> {
        self.sender.as_ref()?.identity.as_ref()
    }
}

/// A notice, from the account of losses or from this program.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// What the account of losses says.
    Ledger(ledger::Notice),
    /// A message that could not be read.
    Malformed {
        /// What kind of fault.
        kind: MalformedKind,
        /// How many since the last such notice, this one included.
        count: u64,
        /// The fault, the endpoint and the first bytes of one of them.
        detail: String,
    },
    /// Messages that came faster than they could be decoded.
    ReceiverFull {
        /// How many were dropped.
        messages: u64,
    },
    /// Entries that the journal no longer has.
    Gone {
        /// The first of them.
        from: u64,
        /// Behind the last of them.
        to: u64,
        /// Records that they held, of all topics.
        records: u64,
        /// Why, in a word or two.
        reason: String,
    },
    /// The journal was read to its end; what comes now is live.
    CaughtUp {
        /// The entry behind the last one.
        offset: u64,
    },
    /// Records that this handler had no room for.
    Behind {
        /// How many were skipped.
        records: u64,
    },
    /// Records that this handler could not write and had to drop.
    Unwritten {
        /// How many were dropped.
        records: u64,
    },
    /// Records that a filter held back to spare the reader.
    HeldBack {
        /// How many.
        records: u64,
        /// Why, as a reader should see it: `more than 100 a second of myapp.db`.
        why: String,
    },
}

impl Notice {
    /// Whether this is part of an orderly day.
    pub fn is_routine(&self) -> bool {
        match self {
            Notice::Ledger(notice) => notice.is_routine(),
            Notice::CaughtUp { .. } => true,
            _ => false,
        }
    }

    /// Whether this tells of records that a reader will not see.
    pub fn is_loss(&self) -> bool {
        match self {
            Notice::Ledger(notice) => notice.is_loss(),
            Notice::HeldBack { .. } | Notice::CaughtUp { .. } => false,
            _ => true,
        }
    }

    /// The notice as a record of the logger `logbus`, for handlers that have nothing but records:
    /// `notice` says which kind it is, `records`, `sender` and `topic` what it is about, `first` and
    /// `last` which numbers of the sender's are meant, `reasons` its totals by reason. `now` is in ns since
    /// 1970-01-01 00:00 UTC.
    pub fn to_record(&self, now: u64) -> Record {
        let level = if self.is_routine() {
            Level::INFO
        } else {
            Level::WARNING
        };
        let mut record = Record::new("logbus", level.0, &self.to_string());
        record.set("created", now as f64 / 1e9);
        record.set("args", Value::Null);
        record.set("notice", self.kind());
        if self.count() > 0 {
            record.set("records", self.count());
        }
        if let Notice::Ledger(notice) = self {
            record.set("sender", notice.sender().name());
            if let Some(topic) = notice.topic() {
                record.set("topic", topic.as_str());
            }
            match notice {
                ledger::Notice::Lost { records, .. } | ledger::Notice::Late { records, .. } => {
                    record.set("first", records.start);
                    record.set("last", records.end.saturating_sub(1));
                }
                ledger::Notice::Discarded { reasons, .. } if !reasons.is_empty() => {
                    let reasons = reasons
                        .iter()
                        .map(|(reason, total)| (reason.as_str(), *total));
                    record.set("reasons", Value::Map(Map::from_iter(reasons)));
                }
                _ => {}
            }
        }
        record
    }

    /// What kind of notice it is, in a word for programs.
    fn kind(&self) -> &'static str {
        match self {
            Notice::Ledger(notice) => notice.kind(),
            Notice::Malformed { .. } => "malformed",
            Notice::ReceiverFull { .. } => "receiver-full",
            Notice::Gone { .. } => "gone",
            Notice::CaughtUp { .. } => "caught-up",
            Notice::Behind { .. } => "behind",
            Notice::Unwritten { .. } => "unwritten",
            Notice::HeldBack { .. } => "held-back",
        }
    }

    /// How many records, or messages, it is about.
    fn count(&self) -> u64 {
        match self {
            Notice::Ledger(notice) => notice.count(),
            Notice::Malformed { count, .. } => *count,
            Notice::ReceiverFull { messages } => *messages,
            Notice::CaughtUp { .. } => 0,
            Notice::Gone { records, .. }
            | Notice::Behind { records }
            | Notice::Unwritten { records }
            | Notice::HeldBack { records, .. } => *records,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Ledger(notice) => notice.fmt(f),
            Notice::Malformed {
                kind,
                count: 1,
                detail,
            } => write!(f, "message discarded: {kind}: {detail}"),
            Notice::Malformed {
                kind,
                count,
                detail,
            } => write!(f, "{count} messages discarded: {kind}, for one: {detail}"),
            Notice::ReceiverFull { messages } => write!(
                f,
                "this subscriber was too slow: {} dropped",
                plural(*messages, "message")
            ),
            Notice::Gone {
                from,
                to,
                records,
                reason,
            } => write!(
                f,
                "the journal no longer has the entries {from}..{}: {} gone ({reason})",
                to.saturating_sub(1),
                plural(*records, "record")
            ),
            Notice::CaughtUp { offset } => {
                write!(
                    f,
                    "the journal ends before entry {offset}, from here on it is live"
                )
            }
            Notice::Behind { records } => write!(
                f,
                "this handler was too slow: {} skipped",
                plural(*records, "record")
            ),
            Notice::Unwritten { records } => write!(
                f,
                "this file could not be written: {} dropped",
                plural(*records, "record")
            ),
            Notice::HeldBack { records, why } => {
                write!(f, "{} held back: {why}", plural(*records, "record"))
            }
        }
    }
}

fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record of the process 613 on alpha that calls itself web-3.
    pub(crate) fn sent_by_web_3(record: Record) -> Delivered {
        let id = SenderId(0xBEEF);
        let identity = Some(Identity {
            host: "alpha".into(),
            program: "web-3".into(),
            pid: 613,
            ..Identity::default()
        });
        Delivered {
            record,
            topic: Topic::new("a").unwrap(),
            origin: Some((id, 0)),
            sender: Some(Arc::new(ledger::Sender { id, identity })),
            offset: None,
            received: 0,
        }
    }

    fn known_as(host: &str, program: &str, pid: u32) -> String {
        let mut delivered = sent_by_web_3(Record::new("a", 20, "m"));
        let identity = Some(Identity {
            host: host.into(),
            program: program.into(),
            pid,
            ..Identity::default()
        });
        let id = SenderId(0xBEEF);
        delivered.sender = Some(Arc::new(ledger::Sender { id, identity }));
        delivered.sender_name().into_owned()
    }

    #[test]
    fn a_sender_is_called_by_what_is_known_of_it() {
        assert_eq!(known_as("alpha", "web-3", 613), "alpha/web-3:613");
        assert_eq!(known_as("", "web-3", 613), "web-3:613");
        assert_eq!(known_as("alpha", "web-3", 0), "alpha/web-3");
        assert_eq!(known_as("", "", 0), "000000000000beef");
    }

    #[test]
    fn a_sender_that_has_not_said_who_it_is_has_its_id_and_a_foreign_one_its_process() {
        let mut delivered = sent_by_web_3(Record::new("a", 20, "m"));
        delivered.sender = None;
        assert_eq!(delivered.sender_name(), "000000000000beef");
        delivered.origin = None;
        assert_eq!(
            (delivered.sender_name(), delivered.pid()),
            ("a".into(), None)
        );
        delivered.record.set("process", 77);
        let name = delivered.sender_name().into_owned();
        assert_eq!((name.as_str(), delivered.pid()), ("a:77", Some(77)));
    }

    #[test]
    fn a_record_that_was_passed_on_is_called_by_its_own_process_and_by_who_passed_it_on() {
        let mut delivered = sent_by_web_3(Record::new("a", 20, "m"));
        delivered.record.set("process", 613);
        assert_eq!(delivered.passed_on(), None);
        delivered.record.set("process", "77");
        delivered.record.set("processName", "Worker-2");
        let names = [
            "Worker-2:77",
            "Worker-2",
            "alpha/web-3:613",
            "web-3",
            "web-3:613",
            "000000000000beef",
        ];
        assert_eq!(delivered.sender_names(), names);
        delivered.record.set("processName", "MainProcess");
        assert_eq!(delivered.sender_name(), "a:77");
    }

    #[test]
    fn the_text_is_all_that_a_reader_sees() {
        let mut record = Record::new("a", 20, "took %d ms");
        record.set("args", vec![Value::from(7)]);
        record.set("exc_text", "Traceback\nKeyError: 'x'");
        record.set("stack_info", "");
        record.set("user", "ann lee");
        record.set("ids", vec![Value::from("a"), Value::Null]);
        assert_eq!(
            sent_by_web_3(record).text(),
            "took 7 ms user=ann lee ids=['a', None]\nTraceback\nKeyError: 'x'"
        );
    }
}
