//! The header of a native message: 48 bytes, little-endian.
//!
//! ```text
//!  0  C1 4C 42 01   magic ("LB") and version
//!  4  u8            codec: 0 JSON, 1 msgpack
//!  5  u8            flags: 1 heartbeat, 2 last message of this sender on this topic
//!  6  u16           0
//!  8  u64           sender id, random for each incarnation of a publisher
//! 16  u64           sequence number of the first record (heartbeat: of the next one)
//! 24  u32           records in the payload (heartbeat: 0)
//! 28  u32           ms since record 0 of this topic was sent, plus 1; 0 = not said
//! 32  u64           records of this topic that the publisher discarded since it started
//! 40  u64           send time, ns since 1970-01-01 00:00 UTC
//! ```

use std::fmt;

use super::WireError;
use crate::codec::Codec;

/// How long a header is.
pub const HEADER_LEN: usize = 48;
/// How every native header begins, whatever its version.
pub const MAGIC: [u8; 3] = [0xC1, b'L', b'B'];
/// The version that this program speaks.
pub const VERSION: u8 = 1;

/// Who sent a message: a random number for each incarnation of a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderId(pub u64);

impl fmt::Display for SenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// The payload names the sender and holds no records.
    pub const HEARTBEAT: Flags = Flags(1);
    /// A heartbeat after which this sender sends nothing more on this topic.
    pub const GOODBYE: Flags = Flags(1 | 2);

    /// Whether this is a heartbeat.
    pub fn is_heartbeat(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether the sender says that it ends.
    pub fn is_goodbye(self) -> bool {
        self.0 & 2 != 0
    }
}

/// The header's fields.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// How the payload is written.
    pub codec: Codec,
    /// What kind of message it is.
    pub flags: Flags,
    /// Who sends.
    pub sender: SenderId,
    /// Number of the first record, counted per sender and topic from 0.
    pub sequence: u64,
    /// How many records the payload holds.
    pub count: u32,
    /// Milliseconds since record 0 of this topic was sent, plus one; 0 when not said.
    pub age: u32,
    /// How many records of this topic the publisher has discarded since it started.
    pub discarded: u64,
    /// When the message was sent, in ns since 1970-01-01 00:00 UTC.
    pub sent: u64,
}

impl Header {
    /// A header that counts nothing yet.
    pub fn new(codec: Codec, sender: SenderId) -> Self {
        Self {
            codec,
            flags: Flags::default(),
            sender,
            sequence: 0,
            count: 0,
            age: 0,
            discarded: 0,
            sent: 0,
        }
    }

    /// When record 0 of this topic was sent, by the sender's clock, where the sender says so.
    pub fn first_sent(&self) -> Option<u64> {
        let age = u64::from(self.age.checked_sub(1)?);
        Some(self.sent.saturating_sub(age * 1_000_000))
    }

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..3].copy_from_slice(&MAGIC);
        bytes[3] = VERSION;
        bytes[4] = self.codec.id;
        bytes[5] = self.flags.0;
        bytes[8..16].copy_from_slice(&self.sender.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.count.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.age.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.discarded.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.sent.to_le_bytes());
        bytes
    }

    /// Reads the bytes. Bits that have no meaning yet are ignored, so that they can get one.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        if let Some(version) = bytes.get(3).filter(|version| **version != VERSION) {
            return Err(WireError::Version(*version));
        }
        let bytes: &[u8; HEADER_LEN] = bytes
            .try_into()
            .map_err(|_| WireError::HeaderLength(bytes.len()))?;
        let (sequence, count) = (u64_at(bytes, 16), u32_at(bytes, 24));
        // Nobody counts that far; a header that says so is forged, and arithmetic need not wrap.
        sequence
            .checked_add(u64::from(count))
            .ok_or(WireError::Sequence(sequence))?;
        let codec = Codec::by_id(bytes[4]).ok_or(WireError::Codec(bytes[4]))?;
        Ok(Self {
            codec,
            flags: Flags(bytes[5]),
            sender: SenderId(u64_at(bytes, 8)),
            sequence,
            count,
            age: u32_at(bytes, 28),
            discarded: u64_at(bytes, 32),
            sent: u64_at(bytes, 40),
        })
    }
}

fn u64_at(bytes: &[u8; HEADER_LEN], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u32_at(bytes: &[u8; HEADER_LEN], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use proptest::prelude::*;

    #[test]
    fn the_age_tells_when_the_first_record_was_sent() {
        let mut header = Header::new(codec::JSON, SenderId(1));
        header.sent = 5_000_000_000;
        assert_eq!(header.first_sent(), None);
        header.age = 1;
        assert_eq!(header.first_sent(), Some(5_000_000_000));
        header.age = 1001;
        assert_eq!(header.first_sent(), Some(4_000_000_000));
    }

    proptest! {
        #[test]
        fn every_header_survives_its_bytes(
            codec in 0..2u8, flags: u8, sender: u64, sequence in 0..u64::MAX - 0xFFFF_FFFF, count: u32, age: u32,
            discarded: u64, sent: u64,
        ) {
            let header = Header {
                codec: Codec::by_id(codec).unwrap(),
                flags: Flags(flags),
                sender: SenderId(sender),
                sequence, count, age, discarded, sent,
            };
            prop_assert_eq!(Header::parse(&header.to_bytes()), Ok(header));
        }
    }
}
