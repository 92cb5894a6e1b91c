//! A native message: topic, header, payload.
//!
//! ```text
//! ZeroMQ   three frames      topic | header (48 bytes) | payload
//! NNG      one body          topic 0x00 header payload
//! ```
//!
//! WIRE.md, beside this crate, is the normative text. What holds for every message:
//!
//! - a topic has no control characters, so the first 0x00 of a body ends it;
//! - 0xC1, the header's first byte, begins neither JSON nor msgpack nor UTF-8 text, so a native
//!   message is never taken for a foreign one;
//! - sequence numbers count the records that were really sent, per (sender, topic), from 0;
//! - the total of discarded records only grows, so a lost message loses no count.
//!
//! [`sequence`] is the sender's half of the loss account, [`ledger`] the receiver's, which has a
//! [`clock`] for every sender. [`durable`] is what is said where nothing may be lost.

use std::fmt;

use crate::codec::CodecError;
use crate::topic::{Topic, TopicError};

pub mod header;
pub mod heartbeat;
pub mod sequence;
pub mod clock;
pub mod ledger;
pub mod durable;

pub use header::{Flags, HEADER_LEN, Header, MAGIC, SenderId, VERSION};
pub use heartbeat::Identity;

/// The first bytes a broker sends to a new ZeroMQ subscriber that subscribed to them before it
/// connected: one frame, these bytes and then the name of the program that answers, as UTF-8.
pub const WELCOME: &[u8] = b"\xC1LB\x01welcome ";

/// A native message, split but not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Native<'a> {
    /// What it was published under, not yet checked.
    pub topic: &'a [u8],
    /// The 48 bytes (or as many as there are).
    pub header: &'a [u8],
    /// The records, in the codec that the header names.
    pub payload: &'a [u8],
}

impl<'a> Native<'a> {
    /// Splits a message that claims to be native; `None` when it makes no such claim.
    pub fn split(frames: &[&'a [u8]]) -> Option<Self> {
        match *frames {
            [topic, header, payload] if header.starts_with(&MAGIC) => Some(Self {
                topic,
                header,
                payload,
            }),
            [body] => Self::split_body(body),
            _ => None,
        }
    }

    fn split_body(body: &'a [u8]) -> Option<Self> {
        let searched = &body[..body.len().min(crate::topic::MAX_TOPIC + 1)];
        let end = memchr::memchr(0, searched)?;
        let rest = &body[end + 1..];
        if !rest.starts_with(&MAGIC) {
            return None;
        }
        let (header, payload) = rest.split_at(rest.len().min(HEADER_LEN));
        Some(Self {
            topic: &body[..end],
            header,
            payload,
        })
    }

    /// Checks topic and header.
    pub fn parse(&self) -> Result<(Topic, Header), WireError> {
        let topic = Topic::from_bytes(self.topic).map_err(WireError::Topic)?;
        Ok((topic, Header::parse(self.header)?))
    }
}

/// The body of a native message where a message is one frame.
pub fn join(topic: &[u8], header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(topic.len() + 1 + header.len() + payload.len());
    body.extend_from_slice(topic);
    body.push(0);
    body.extend_from_slice(header);
    body.extend_from_slice(payload);
    body
}

/// Why a message that claims to be native is none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// The header is not 48 bytes long.
    HeaderLength(usize),
    /// A version that this program does not know.
    Version(u8),
    /// A codec that this program does not know.
    Codec(u8),
    /// Sequence numbers that leave the range of u64.
    Sequence(u64),
    /// The topic is none.
    Topic(TopicError),
    /// The payload is not what the header says.
    Payload(CodecError),
    /// The payload holds another number of records than the header says.
    Count {
        /// What the header says.
        said: u32,
        /// How many there are.
        found: u32,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::HeaderLength(length) => {
                write!(f, "native header of {length} bytes, not {HEADER_LEN}")
            }
            WireError::Version(version) => {
                write!(
                    f,
                    "native message of version {version}; this program knows {VERSION}"
                )
            }
            WireError::Codec(id) => write!(f, "native message with unknown codec {id}"),
            WireError::Sequence(first) => {
                write!(
                    f,
                    "native message whose sequence numbers, from {first}, leave their range"
                )
            }
            WireError::Topic(error) => write!(f, "native message with a bad topic: {error}"),
            WireError::Payload(error) => write!(f, "native payload: {error}"),
            WireError::Count { said, found } => {
                write!(
                    f,
                    "native header says {said} records, the payload holds {found}"
                )
            }
        }
    }
}

impl std::error::Error for WireError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            count: 1,
            ..Header::new(codec::MSGPACK, SenderId(7))
        }
    }

    #[test]
    fn a_message_is_the_same_in_three_frames_and_in_one_body() {
        let header = header().to_bytes();
        let frames: [&[u8]; 3] = [b"myapp", &header, b"\x80"];
        let body = join(frames[0], frames[1], frames[2]);
        assert_eq!(Native::split(&frames), Native::split(&[&body]));
        assert_eq!(
            Native::split(&frames).unwrap().parse().unwrap().0.as_str(),
            "myapp"
        );
    }

    #[test]
    fn a_foreign_message_makes_no_claim_to_be_native() {
        for frames in [
            &[b"{\"name\":\"myapp\"}".as_slice()] as &[&[u8]],
            &[b"myapp", b"{}"],
            &[b"a", b"b", b"c"],
            &[],
        ] {
            assert_eq!(Native::split(frames), None);
        }
    }

    #[test]
    fn a_version_from_the_future_is_named() {
        let mut bytes = header().to_bytes();
        bytes[3] = 9;
        let error = Native::split(&[b"t", &bytes, b""])
            .unwrap()
            .parse()
            .unwrap_err();
        assert_eq!(error, WireError::Version(9));
    }

    proptest! {
        #[test]
        fn any_bytes_split_and_parse_or_do_not(
            topic in proptest::collection::vec(any::<u8>(), 0..8),
            rest in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut body = topic;
            body.push(0);
            body.extend_from_slice(&MAGIC);
            body.extend_from_slice(&rest);
            if let Some(native) = Native::split(&[&body]) {
                // Either answer is right; what counts is that there is one.
                prop_assert!(native.parse().is_ok() || native.parse().is_err());
            }
        }
    }
}
