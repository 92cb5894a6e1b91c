//! A spool's bytes: entries end to end, each with a mark, its length and two checksums.
//!
//! ```text
//!  0  C1 4C 42 53   mark
//!  4  u32           length of the body
//!  8  u32           CRC-32 of the key, the place and the length
//! 12  u32           CRC-32 of the key, the place and the body
//! 16  body          u8 kind, then
//!                   1 message   u8 length of the topic | topic | header (48 bytes) | payload
//!                   2 acked     u64 sender | u64 next | topic
//!                   3 refused   u64 sender | u64 sequence | topic
//! ```
//!
//! Numbers are little-endian. The place is the entry's offset in its file, and the key names the
//! spool and the file, so that bytes which a record carries are never taken for an entry. Whatever
//! happens to a file's bytes, [`read`] gives the entries that are whole: behind damage [`resync`]
//! finds the next one. Nothing here touches a file.

use logbus_schemas::Topic;
use logbus_schemas::wire::{HEADER_LEN, Header};

/// How an entry begins.
const MARK: [u8; 4] = [0xC1, b'L', b'B', b'S'];
/// Bytes before an entry's body.
pub(crate) const HEAD: usize = 16;

/// What the checksums of a file are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) spool: u64,
    pub(crate) segment: u32,
}

/// An entry's content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry<'a> {
    /// A native message as it goes over the wire.
    Message {
        topic: Topic,
        header: Header,
        payload: &'a [u8],
    },
    /// All that this sender numbered below `next` is done.
    Acked {
        sender: u64,
        next: u64,
        topic: Topic,
    },
    /// The message that begins with this number was refused.
    Refused {
        sender: u64,
        sequence: u64,
        topic: Topic,
    },
}

/// What stands at a place.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<'a> {
    /// An entry, and where the next one begins.
    Entry(Entry<'a>, usize),
    /// The beginning of an entry that has so many bytes in all.
    Short(usize),
    /// An entry that was damaged; behind it goes on what was whole, as far as its head says.
    Spoilt(usize),
    /// Nothing that is an entry.
    Nothing,
}

/// Appends an entry that will stand at `place` of its file.
pub(crate) fn write(out: &mut Vec<u8>, key: Key, place: u64, entry: &Entry<'_>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    match entry {
        Entry::Message {
            topic,
            header,
            payload,
        } => {
            let topic = topic.as_str().as_bytes();
            out.push(1);
            // A topic has at most 255 bytes.
            out.push(u8::try_from(topic.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(topic);
            out.extend_from_slice(&header.to_bytes());
            out.extend_from_slice(payload);
        }
        Entry::Acked {
            sender,
            next,
            topic,
        } => write_note(out, 2, *sender, *next, topic),
        Entry::Refused {
            sender,
            sequence,
            topic,
        } => write_note(out, 3, *sender, *sequence, topic),
    }
    let length = u32::try_from(out.len() - start - HEAD).unwrap_or(u32::MAX);
    let body = checksum(key, place, &out[start + HEAD..]);
    let head = checksum(key, place, &length.to_le_bytes());
    out[start..start + 4].copy_from_slice(&MARK);
    out[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    out[start + 8..start + 12].copy_from_slice(&head.to_le_bytes());
    out[start + 12..start + 16].copy_from_slice(&body.to_le_bytes());
}

fn write_note(out: &mut Vec<u8>, kind: u8, sender: u64, number: u64, topic: &Topic) {
    out.push(kind);
    out.extend_from_slice(&sender.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(topic.as_str().as_bytes());
}

/// Reads what stands at the beginning of `bytes`, which stand at `place` of their file.
pub(crate) fn read(bytes: &[u8], key: Key, place: u64) -> Found<'_> {
    let Some(head) = bytes.first_chunk::<HEAD>() else {
        return Found::Short(HEAD);
    };
    let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    if head[..4] != MARK || number(8) != checksum(key, place, &head[4..8]) {
        return Found::Nothing;
    }
    let end = HEAD + number(4) as usize;
    let Some(body) = bytes.get(HEAD..end) else {
        return Found::Short(end);
    };
    match parse(body) {
        Some(entry) if number(12) == checksum(key, place, body) => Found::Entry(entry, end),
        _ => Found::Spoilt(end),
    }
}

/// Where, behind the first byte, the head of an entry stands.
pub(crate) fn resync(bytes: &[u8], key: Key, place: u64) -> Option<usize> {
    (1..bytes.len().saturating_sub(HEAD - 1)).find(|at| {
        bytes[*at] == MARK[0]
            && !matches!(read(&bytes[*at..], key, place + *at as u64), Found::Nothing)
    })
}

fn parse(body: &[u8]) -> Option<Entry<'_>> {
    match body.split_first()? {
        (1, rest) => {
            let (length, rest) = rest.split_first()?;
            let (topic, rest) = rest.split_at_checked(usize::from(*length))?;
            let (header, payload) = rest.split_at_checked(HEADER_LEN)?;
            Some(Entry::Message {
                topic: Topic::from_bytes(topic).ok()?,
                header: Header::parse(header).ok()?,
                payload,
            })
        }
        (kind @ (2 | 3), rest) => {
            let (sender, rest) = rest.split_first_chunk()?;
            let (number, topic) = rest.split_first_chunk()?;
            let (sender, number) = (u64::from_le_bytes(*sender), u64::from_le_bytes(*number));
            let topic = Topic::from_bytes(topic).ok()?;
            Some(match kind {
                2 => Entry::Acked {
                    sender,
                    next: number,
                    topic,
                },
                _ => Entry::Refused {
                    sender,
                    sequence: number,
                    topic,
                },
            })
        }
        _ => None,
    }
}

fn checksum(key: Key, place: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&key.spool.to_le_bytes());
    hasher.update(&key.segment.to_le_bytes());
    hasher.update(&place.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
pub(crate) mod tests {
    use logbus_schemas::codec;
    use logbus_schemas::wire::SenderId;
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = Key {
        spool: 7,
        segment: 3,
    };

    pub(crate) fn message(sequence: u64, payload: &[u8]) -> Entry<'_> {
        Entry::Message {
            topic: Topic::new("a.b").unwrap(),
            header: Header {
                sequence,
                count: 1,
                ..Header::new(codec::MSGPACK, SenderId(7))
            },
            payload,
        }
    }

    /// The entries as bytes, and where each ends.
    fn written(entries: &[Entry<'_>]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for entry in entries {
            let place = bytes.len() as u64;
            write(&mut bytes, KEY, place, entry);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    /// Every entry that is found, by the place at which it stands.
    fn found(bytes: &[u8]) -> Vec<(usize, Entry<'_>)> {
        let (mut at, mut entries) = (0, Vec::new());
        while at < bytes.len() {
            at += match read(&bytes[at..], KEY, at as u64) {
                Found::Entry(entry, end) => {
                    entries.push((at, entry));
                    end
                }
                Found::Spoilt(end) => end,
                Found::Short(_) | Found::Nothing => match resync(&bytes[at..], KEY, at as u64) {
                    Some(next) => next,
                    None => break,
                },
            };
        }
        entries
    }

    #[test]
    fn entries_are_read_as_they_were_written() {
        let topic = Topic::new("a").unwrap();
        let entries = [
            message(0, b"\x80"),
            Entry::Acked {
                sender: u64::MAX,
                next: 1 << 40,
                topic: topic.clone(),
            },
            Entry::Refused {
                sender: 1,
                sequence: 2,
                topic,
            },
            message(1, b""),
        ];
        let (bytes, _) = written(&entries);
        let read: Vec<Entry<'_>> = found(&bytes).into_iter().map(|(_, entry)| entry).collect();
        assert_eq!(read, entries);
    }

    #[test]
    fn an_entry_that_a_record_carries_is_not_taken_for_one() {
        let (inner, _) = written(&[message(9, b"inner")]);
        let (mut bytes, _) = written(&[message(0, &inner), message(1, b"last")]);
        bytes[0] ^= 1;
        let found = found(&bytes);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1, message(1, b"last"));
    }

    proptest! {
        #[test]
        fn damage_costs_only_the_entries_that_it_touches(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..12),
            flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8u32), 0..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let entries: Vec<Entry<'_>> =
                payloads.iter().zip(0..).map(|(payload, at)| message(at, payload)).collect();
            let (whole, ends) = written(&entries);
            let mut bytes = whole.clone();
            for (at, bit) in &flips {
                bytes[at.index(whole.len())] ^= 1 << bit;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(whole.len()));
            }
            let mut start = 0;
            let mut expected = Vec::new();
            for (end, entry) in ends.into_iter().zip(&entries) {
                if bytes.get(start..end) == Some(&whole[start..end]) {
                    expected.push((start, entry.clone()));
                }
                start = end;
            }
            prop_assert_eq!(found(&bytes), expected);
        }

        #[test]
        fn no_bytes_are_worse_than_nothing(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let marked = [&MARK[..], &bytes].concat();
            drop((found(&bytes), found(&marked)));
        }
    }
}
