//! Spools of dead owners, of which anybody may have changed any byte.
//!
//! A mutated entry hardly ever has the right checksums. So bytes are instructions here: for noise,
//! and for entries that are whole, with whatever they hold.
#![allow(clippy::unwrap_used, reason = "a promise that is broken must panic")]

use std::fs;

use logbus_schemas::Topic;
use logbus_schemas::codec::MSGPACK;
use logbus_schemas::wire::{Flags, Header, SenderId};

use super::format::{self, Entry, Found, Key};
use super::{Fsync, Name, Spool};

const NAME: &str = "web.1.00000000000000ab";
const KEY: Key = Key {
    spool: 0xAB,
    segment: 1,
};

/// Bytes as a segment, as they are and as instructions for one. The spool is adopted, every message
/// in it that is whole and not noted as done is given once, and all else is counted as damage.
pub fn spool(bytes: &[u8]) {
    check(bytes);
    check(&segment_of(bytes));
}

fn check(segment: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(NAME);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("lock"), "").unwrap();
    fs::write(folder.join("000001"), segment).unwrap();
    let name: Vec<Name> = super::spools(dir.path()).unwrap();
    let mut spool = Spool::adopt(dir.path(), &name[0], Fsync::Never)
        .unwrap()
        .unwrap();
    let messages = whole_messages(segment);
    assert!(spool.unread() == messages && spool.damages <= segment.len() as u64);
    let mut given = 0;
    while let Some(stored) = spool.next().unwrap() {
        assert!(stored.payload.len() < segment.len());
        spool.settle(stored.segment);
        given += 1;
    }
    assert!(given <= messages && spool.is_done());
    spool.remove().unwrap();
}

/// The messages that are found by looking at every place, one after the other.
fn whole_messages(segment: &[u8]) -> u64 {
    let (mut at, mut messages) = (0, 0);
    while at < segment.len() {
        at += match format::read(&segment[at..], KEY, at as u64) {
            Found::Entry(entry, end) => {
                messages += u64::from(matches!(entry, Entry::Message { .. }));
                end
            }
            Found::Spoilt(end) => end,
            // An entry that is longer than the file is its tail, as of an owner that was killed.
            Found::Short(_) => break,
            Found::Nothing => 1,
        };
    }
    messages
}

/// Makes a segment of instructions: a byte that says what, and what that needs.
fn segment_of(mut bytes: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    while let Some((what, rest)) = bytes.split_first() {
        bytes = rest;
        let place = segment.len() as u64;
        if what % 4 == 0 {
            segment.extend_from_slice(take_some(&mut bytes));
        } else if let Some(entry) = entry(*what, &mut bytes) {
            format::write(&mut segment, KEY, place, &entry);
        }
    }
    segment
}

fn entry<'a>(what: u8, bytes: &mut &'a [u8]) -> Option<Entry<'a>> {
    // Numbers near both ends of the range are what arithmetic goes wrong at.
    let number = match what & 4 {
        0 => u64::from(take(bytes, 1)[0]),
        _ => u64::from_le_bytes(take(bytes, 8)),
    };
    let topic = Topic::for_name(["a", "b", "a.b"][usize::from(what >> 3) % 3]);
    let sender = u64::from(what >> 6);
    Some(match what % 4 {
        1 => {
            let header = Header {
                sequence: number,
                count: u32::from(what >> 4),
                flags: Flags(what >> 7),
                ..Header::new(MSGPACK, SenderId(sender))
            };
            Entry::Message {
                topic,
                header: Header::parse(&header.to_bytes()).ok()?,
                payload: take_some(bytes),
            }
        }
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

/// As many bytes as the first says.
fn take_some<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let (length, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let (taken, rest) = rest.split_at(usize::from(*length).min(rest.len()));
    *bytes = rest;
    taken
}

/// The next bytes, and zeros where there are none.
fn take(bytes: &mut &[u8], length: usize) -> [u8; 8] {
    let (taken, rest) = bytes.split_at(length.min(bytes.len()));
    *bytes = rest;
    std::array::from_fn(|at| taken.get(at).copied().unwrap_or(0))
}
