//! Durable delivery: what a broker's durable endpoint and its clients say to one another.
//!
//! ```text
//! DEALER <-> ROUTER     command | topic | header (48 bytes) | payload
//! ```
//!
//! A message is a command frame, and behind a command that carries records the three frames of a
//! native message, unchanged. A command frame is the magic, a letter and one msgpack map with the
//! command's fields; readers ignore keys that they do not know. WIRE.md has the normative text.
//!
//! A publisher that has had its welcome sends [`Command::Publish`] and keeps what it sent until an
//! [`Command::Ack`] says that it is on disk; at most `credit` messages are without an answer. A
//! reader asks for a part of the journal with [`Command::Read`], is sent [`Command::Entry`]s as far
//! as its credit goes, and gives more with [`Command::More`].

use serde::{Deserialize, Serialize};

use super::{MAGIC, SenderId, VERSION};

/// Everything that is said at a durable endpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Client: who it is. The first thing it says.
    Hello(Hello),
    /// Broker: it may begin.
    Welcome(Welcome),
    /// Broker: something was refused. What carried a number keeps it.
    Refused(Refused),
    /// Publisher: a native message follows.
    Publish,
    /// Broker: these records are on disk, or were before.
    Ack(Ack),
    /// Reader: wants a part of the journal.
    Read(Read),
    /// Reader: so many more entries may be sent.
    More(More),
    /// Reader: wants no more of that.
    Stop(Stop),
    /// Broker: an entry of the journal; a native message follows. Where a reader asked for a level
    /// that no record of it has, its payload is empty.
    Entry(Entry),
    /// Broker: entries that a reader should have had are gone.
    Gone(Gone),
    /// Broker: the reader has everything that there is; what comes now is live.
    Live(At),
    /// Broker: nothing more comes.
    End(At),
    /// Reader of a durable subscription: these entries are done.
    Done(Done),
    /// Broker: they are noted, on disk.
    Noted(At),
}

/// Who a client is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// Its program's name, for people.
    pub program: String,
    /// Its host's name.
    pub host: String,
    /// Its process id.
    pub pid: u32,
}

/// What a broker grants.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Welcome {
    /// The broker's name, for people.
    pub program: String,
    /// Random for each journal: offsets of another one mean nothing.
    pub journal: u64,
    /// Messages that may be without an answer.
    pub credit: u32,
    /// Bytes of the largest message that is taken.
    pub max_message: u64,
    /// What an acknowledgement means: `always`, `interval` or `never` (synced to disk).
    pub fsync: String,
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// What kind of refusal: `right`, `size`, `form`, `full`, `name`, `version`, and `sender`, which
    /// alone is not for good.
    pub code: String,
    /// Why, and what to do, in a line.
    pub reason: String,
    /// Of a published message: its sender.
    pub sender: u64,
    /// Its topic.
    pub topic: String,
    /// The number of its first record.
    pub sequence: u64,
    /// How many records it has.
    pub records: u32,
    /// Of a read: its number.
    pub read: u32,
}

/// Records that are on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ack {
    /// Whose.
    pub sender: u64,
    /// Under which topic.
    pub topic: String,
    /// All of it below this number.
    pub next: u64,
}

/// A part of the journal that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Read {
    /// The reader's number for it; it comes back in every answer.
    pub read: u32,
    /// Topic filters, as `--topics` has them; none is all.
    pub topics: Vec<String>,
    /// Messages without a record of this level or above come without their payload.
    pub level: Option<i64>,
    /// Where to begin.
    pub from: From,
    /// Where to end; without it the end of the journal.
    pub until: Option<Until>,
    /// Whether to go on, at the end of the journal, with what comes.
    pub follow: bool,
    /// Entries that may be sent before more credit is given.
    pub credit: u32,
    /// The name of a durable subscription, which remembers where it was.
    pub name: Option<String>,
    /// Whether others of that name share the work.
    pub share: bool,
}

/// Where a read begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// With what comes from now on.
    #[default]
    Now,
    /// At the oldest entry.
    Begin,
    /// At this entry.
    Offset(u64),
    /// At the first entry that came then or later, in ns since 1970-01-01 00:00 UTC.
    Time(u64),
    /// So that this many records that fit the topics come before the end.
    Last(u64),
}

/// Where a read ends, exclusively.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// Before this entry.
    Offset(u64),
    /// Before the first entry that came then or later, in ns since 1970-01-01 00:00 UTC.
    Time(u64),
}

/// More credit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct More {
    /// For which read.
    pub read: u32,
    /// So many entries more.
    pub credit: u32,
}

/// The end of a reader's interest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stop {
    /// In which read.
    pub read: u32,
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// For which read.
    pub read: u32,
    /// Its place in the journal.
    pub offset: u64,
    /// When the broker had it, in ns since 1970-01-01 00:00 UTC.
    pub received: u64,
    /// Whether it was handed out before, and may have been worked on.
    pub again: bool,
}

/// Entries that are gone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Gone {
    /// For which read.
    pub read: u32,
    /// The first of them.
    pub from: u64,
    /// Behind the last of them.
    pub to: u64,
    /// How many records they held, of the topics that were asked for; 0 where that is not known.
    pub records: u64,
    /// Why: `retention` or `damage`.
    pub reason: String,
}

/// A place in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct At {
    /// For which read.
    pub read: u32,
    /// The next entry's.
    pub offset: u64,
}

/// Entries of a durable subscription that are done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Done {
    /// In which read.
    pub read: u32,
    /// All below this one.
    pub below: u64,
    /// And these, where the work is shared.
    pub also: Vec<u64>,
}

/// A command frame that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError(pub String);

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no command of a durable endpoint: {}", self.0)
    }
}

impl std::error::Error for CommandError {}

impl Ack {
    /// Whose records they are.
    pub fn sender(&self) -> SenderId {
        SenderId(self.sender)
    }
}

impl Command {
    /// The command frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut frame = [&MAGIC[..], &[VERSION]].concat();
        match self {
            Command::Hello(fields) => write(&mut frame, b'H', fields),
            Command::Welcome(fields) => write(&mut frame, b'W', fields),
            Command::Refused(fields) => write(&mut frame, b'X', fields),
            Command::Publish => frame.push(b'P'),
            Command::Ack(fields) => write(&mut frame, b'A', fields),
            Command::Read(fields) => write(&mut frame, b'R', fields),
            Command::More(fields) => write(&mut frame, b'M', fields),
            Command::Stop(fields) => write(&mut frame, b'S', fields),
            Command::Entry(fields) => write(&mut frame, b'E', fields),
            Command::Gone(fields) => write(&mut frame, b'G', fields),
            Command::Live(fields) => write(&mut frame, b'L', fields),
            Command::End(fields) => write(&mut frame, b'Z', fields),
            Command::Done(fields) => write(&mut frame, b'D', fields),
            Command::Noted(fields) => write(&mut frame, b'N', fields),
        }
        frame
    }

    /// Reads a command frame.
    pub fn decode(frame: &[u8]) -> Result<Self, CommandError> {
        let rest = frame
            .strip_prefix(&MAGIC)
            .ok_or_else(|| CommandError("it does not begin with the magic".to_owned()))?;
        let [version, letter, fields @ ..] = rest else {
            return Err(CommandError("it is too short".to_owned()));
        };
        if *version != VERSION {
            let text = format!("version {version}, this program speaks version {VERSION}");
            return Err(CommandError(text));
        }
        Ok(match letter {
            b'H' => Command::Hello(read(fields)?),
            b'W' => Command::Welcome(read(fields)?),
            b'X' => Command::Refused(read(fields)?),
            b'P' => Command::Publish,
            b'A' => Command::Ack(read(fields)?),
            b'R' => Command::Read(read(fields)?),
            b'M' => Command::More(read(fields)?),
            b'S' => Command::Stop(read(fields)?),
            b'E' => Command::Entry(read(fields)?),
            b'G' => Command::Gone(read(fields)?),
            b'L' => Command::Live(read(fields)?),
            b'Z' => Command::End(read(fields)?),
            b'D' => Command::Done(read(fields)?),
            b'N' => Command::Noted(read(fields)?),
            other => {
                let text = format!("it has the unknown letter {:?}", char::from(*other));
                return Err(CommandError(text));
            }
        })
    }
}

fn write(frame: &mut Vec<u8>, letter: u8, fields: &impl Serialize) {
    frame.push(letter);
    // Writing to memory does not fail, and every key is text.
    frame.extend(rmp_serde::to_vec_named(fields).unwrap_or_default());
}

fn read<'a, T: Deserialize<'a>>(fields: &'a [u8]) -> Result<T, CommandError> {
    rmp_serde::from_slice(fields).map_err(|error| CommandError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn commands() -> Vec<Command> {
        vec![
            Command::Hello(Hello {
                program: "web".into(),
                host: "alpha".into(),
                pid: 613,
            }),
            Command::Welcome(Welcome {
                program: "bus-broker".into(),
                journal: u64::MAX,
                credit: 1000,
                max_message: 1 << 24,
                fsync: "always".into(),
            }),
            Command::Refused(Refused {
                code: "right".into(),
                sequence: 7,
                ..Refused::default()
            }),
            Command::Publish,
            Command::Ack(Ack {
                sender: u64::MAX,
                topic: "myapp.db".into(),
                next: 1 << 40,
            }),
            Command::Read(Read {
                read: 3,
                topics: vec!["myapp".into()],
                level: Some(30),
                from: From::Time(u64::MAX),
                until: Some(Until::Offset(9)),
                follow: true,
                credit: 64,
                name: Some("audit".into()),
                share: true,
            }),
            Command::Read(Read {
                from: From::Begin,
                ..Read::default()
            }),
            Command::More(More {
                read: 3,
                credit: 10,
            }),
            Command::Stop(Stop { read: 3 }),
            Command::Entry(Entry {
                read: 3,
                offset: 17,
                received: 5,
                again: true,
            }),
            Command::Gone(Gone {
                read: 3,
                from: 1,
                to: 5,
                records: 40,
                reason: "retention".into(),
            }),
            Command::Live(At {
                read: 3,
                offset: 18,
            }),
            Command::End(At {
                read: 3,
                offset: 18,
            }),
            Command::Done(Done {
                read: 3,
                below: 12,
                also: vec![14, 15],
            }),
            Command::Noted(At {
                read: 3,
                offset: 12,
            }),
        ]
    }

    #[test]
    fn every_command_is_understood_as_it_was_said() {
        for command in commands() {
            assert_eq!(Command::decode(&command.encode()), Ok(command));
        }
    }

    #[test]
    fn a_newer_program_may_say_more() {
        let mut frame = b"\xC1LB\x01M".to_vec();
        let fields = serde_json::json!({"read": 3, "credit": 4, "colour": "green"});
        frame.extend(rmp_serde::to_vec_named(&fields).unwrap());
        let expected = Command::More(More { read: 3, credit: 4 });
        assert_eq!(Command::decode(&frame), Ok(expected));
    }

    proptest! {
        #[test]
        fn no_bytes_are_worse_than_an_error(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let framed = [&b"\xC1LB\x01"[..], &bytes].concat();
            drop((Command::decode(&bytes), Command::decode(&framed)));
        }
    }
}
