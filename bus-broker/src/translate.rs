//! From any dialect to the native one.
//!
//! A native message passes as it came: its topic and header are looked at, its records are not. A
//! foreign record becomes a native message under the broker's own sender id, numbered from here
//! on, so that what is lost behind the broker is counted for these senders, too.

use logbus_process as process;
use logbus_schemas::Topic;
use logbus_schemas::codec::{self, Codec};
use logbus_schemas::dialect::{self, Dialect, Malformed, Reading};
use logbus_schemas::wire::sequence::{Moment, Numbering};
use logbus_schemas::wire::{Flags, Header, Identity, SenderId};

/// A message as it goes on.
#[allow(
    clippy::large_enum_variant,
    reason = "lives for one call, and the large one is the rare one"
)]
pub(crate) enum Translated {
    /// It was native: send it as it came.
    AsItIs {
        /// How many records it holds.
        records: u32,
    },
    /// It may not go on.
    Refused,
    /// It was foreign, and this is what it says.
    Native {
        /// Goes first: names the broker to whoever hears of this topic for the first time.
        introduction: Option<NativeMessage>,
        /// The record.
        message: NativeMessage,
    },
}

/// A message in its three parts.
#[derive(Debug)]
pub(crate) struct NativeMessage {
    pub(crate) topic: Topic,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

/// The sender under whose id foreign records go on.
pub(crate) struct Translator {
    numbers: Numbering,
    identity: Identity,
}

impl Translator {
    pub(crate) fn new(program: &str) -> Self {
        Self {
            numbers: Numbering::new(SenderId(process::random()), codec::JSON),
            identity: Identity {
                host: process::host_name(),
                pid: std::process::id(),
                program: program.to_owned(),
                started: process::now(),
                version: concat!("logbus ", env!("CARGO_PKG_VERSION")).to_owned(),
                ..Identity::default()
            },
        }
    }

    /// The id of this sender.
    pub(crate) fn sender(&self) -> SenderId {
        self.numbers.sender()
    }

    /// Reads a message, in `dialect` where that is known, and says how it goes on; `may` says whether
    /// it does, by its topic and, where it is native, its sender.
    pub(crate) fn translate(
        &mut self,
        frames: &[&[u8]],
        dialect: Option<&Dialect>,
        may: impl FnOnce(&Topic, Option<SenderId>) -> bool,
    ) -> Result<Translated, Malformed> {
        match dialect::read_in(dialect, frames)? {
            Reading::Native { topic, header, .. } => Ok(match may(&topic, Some(header.sender)) {
                true => Translated::AsItIs {
                    records: header.count,
                },
                false => Translated::Refused,
            }),
            Reading::Foreign { topic, .. } if !may(&topic, None) => Ok(Translated::Refused),
            Reading::Foreign {
                topic,
                record,
                dict,
            } => {
                let (codec, payload) = match dict {
                    Some((codec, dict)) => (codec, as_payload(codec, dict)),
                    None => {
                        let mut payload = Vec::new();
                        codec::JSON.encode(&record, &mut payload);
                        (codec::JSON, payload)
                    }
                };
                let introduction = self
                    .numbers
                    .is_new(topic.as_str())
                    .then(|| self.heartbeat(topic.clone(), Flags::HEARTBEAT));
                let header = self.numbers.number_as(codec, &topic, 1, now());
                let message = NativeMessage {
                    topic,
                    header,
                    payload,
                };
                Ok(Translated::Native {
                    introduction,
                    message,
                })
            }
        }
    }

    /// Whether so many topics were used that another sender must take over.
    pub(crate) fn is_full(&self) -> bool {
        self.numbers.is_full()
    }

    /// The heartbeats that are due now.
    pub(crate) fn heartbeats(&mut self) -> Vec<NativeMessage> {
        let due = self.numbers.due(now());
        due.into_iter()
            .map(|topic| self.heartbeat(topic, Flags::HEARTBEAT))
            .collect()
    }

    /// A goodbye on every topic; the sender ends with it.
    pub(crate) fn goodbyes(mut self) -> Vec<NativeMessage> {
        let topics: Vec<Topic> = self.numbers.topics().cloned().collect();
        topics
            .into_iter()
            .map(|topic| self.heartbeat(topic, Flags::GOODBYE))
            .collect()
    }

    fn heartbeat(&mut self, topic: Topic, flags: Flags) -> NativeMessage {
        let header = self.numbers.heartbeat(&topic, flags, now());
        NativeMessage {
            header,
            payload: self.identity.encode(header.codec),
            topic,
        }
    }
}

/// Now, by both clocks.
fn now() -> Moment {
    Moment {
        clock: process::now(),
        steady: process::steady(),
    }
}

/// A dict as it stands in a payload: JSON on one line of its own. Outside of strings JSON needs no
/// line feed, and inside there is none unescaped that would still be JSON.
fn as_payload(codec: Codec, dict: &[u8]) -> Vec<u8> {
    if codec != codec::JSON {
        return dict.to_vec();
    }
    let mut line = Vec::with_capacity(dict.len() + 1);
    line.extend(dict.iter().map(|byte| {
        if matches!(byte, b'\n' | b'\r') {
            b' '
        } else {
            *byte
        }
    }));
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translate(translator: &mut Translator, frames: &[&[u8]]) -> NativeMessage {
        match translator.translate(frames, None, |_, _| true).unwrap() {
            Translated::Native { message, .. } => message,
            _ => panic!("a foreign message passed as it is"),
        }
    }

    #[test]
    fn foreign_records_are_numbered_under_the_brokers_name() {
        let mut broker = Translator::new("bus-broker");
        let first = translate(&mut broker, &[b"{\"name\":\"a\",\"msg\":\"x\"}"]);
        let second = translate(&mut broker, &[b"a", b"\x81\xa3msg\xa1x"]);
        assert_eq!(first.header.sender, second.header.sender);
        assert_eq!((first.header.sequence, second.header.sequence), (0, 1));
        assert_eq!(
            (first.header.codec, second.header.codec),
            (codec::JSON, codec::JSON)
        );
        assert_eq!(second.payload, b"{\"msg\":\"x\",\"name\":\"a\"}\n");
    }

    #[test]
    fn a_dict_over_several_lines_becomes_one_line() {
        let mut broker = Translator::new("bus-broker");
        let message = translate(&mut broker, &[b"{\n\"name\": \"a\",\r\n\"msg\": \"x\"\n}"]);
        assert_eq!(
            message
                .payload
                .iter()
                .filter(|byte| **byte == b'\n')
                .count(),
            1
        );
        let records: Vec<_> = codec::JSON.decode_all(&message.payload).collect();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].as_ref().unwrap().name(), Some("a"));
    }

    #[test]
    fn a_native_message_is_not_decoded() {
        let header = Header {
            count: 9,
            ..Header::new(codec::MSGPACK, SenderId(1))
        }
        .to_bytes();
        let result = Translator::new("b").translate(
            &[b"a", &header, b"not msgpack at all"],
            None,
            |_, _| true,
        );
        assert!(matches!(result, Ok(Translated::AsItIs { records: 9 })));
    }

    #[test]
    fn each_topic_is_introduced_and_at_the_end_said_goodbye_to() {
        let mut broker = Translator::new("bus-broker");
        let dict: &[&[u8]] = &[b"{\"name\":\"a\",\"msg\":\"x\"}"];
        let introduced = |translated| match translated {
            Ok(Translated::Native { introduction, .. }) => introduction.is_some(),
            _ => false,
        };
        assert!(introduced(broker.translate(dict, None, |_, _| true)));
        assert!(!introduced(broker.translate(dict, None, |_, _| true)));
        let goodbyes = broker.goodbyes();
        assert!(goodbyes[0].header.flags.is_goodbye());
        assert_eq!(goodbyes[0].header.sequence, 2);
    }
}
