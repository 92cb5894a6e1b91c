//! Entries and the rows beside them, alone and in files of which anybody may have changed any byte.
//!
//! A mutated entry hardly ever has the right checksum. So bytes are instructions here: for noise,
//! and for entries and rows that are whole, with whatever they hold.
#![allow(clippy::unwrap_used, reason = "a promise that is broken must panic")]

use std::collections::BTreeSet;
use std::fs;

use logbus_schemas::Topic;
use logbus_schemas::codec::MSGPACK;
use logbus_schemas::wire::{Flags, Header, SenderId};
use xxhash_rust::xxh3::xxh3_64;

use super::entry::{Draft, Entry};
use super::offline::Offline;
use super::rescue;
use super::rows::{CONSUMER_MARK, Consumer, Line, Position, Totals, pack, unpack};
use super::scan::Scan;
use super::store::FOLDER;

/// Bytes as an entry and as each of the rows, and as a file of them in which what is whole is found.
pub fn entries(bytes: &[u8]) {
    check_rows(bytes);
    check_file(bytes);
    check_file(&file_of(bytes));
}

/// Bytes as a file that is imported, and then as the damage that a crash leaves in the journal.
/// What was imported is whole; and a journal opens, whatever its files hold.
pub fn journal(bytes: &[u8]) {
    let file = file_of(bytes);
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Offline::open_or_make(dir.path()).unwrap();
    let (new, known, _) = journal.import(&mut &file[..]).unwrap();
    assert_eq!(new + known, scanned(&file).0.len() as u64);
    let verified = journal.verify(|damage| panic!("{damage:?}")).unwrap();
    assert_eq!(verified.entries, new);
    let mut exported = Vec::new();
    assert_eq!(journal.export(&mut exported).unwrap(), new);
    assert_eq!(scanned(&exported).0.len() as u64, new);
    drop(journal);
    damage(dir.path(), &file);
    let journal = Offline::open(dir.path()).unwrap();
    journal.verify(drop).unwrap();
    assert!(journal.ends().is_ok() && journal.consumers().is_ok());
}

/// What a crash may leave: the journal was open, and in its write-ahead file stands anything.
fn damage(dir: &std::path::Path, file: &[u8]) {
    let ahead = dir.join(FOLDER).join("0.jnl");
    let mut bytes = fs::read(&ahead).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0);
    bytes.truncate(used.map_or(0, |last| last + 1));
    bytes.extend_from_slice(file);
    fs::write(&ahead, bytes).unwrap();
    fs::write(dir.join("open"), "another start").unwrap();
}

fn check_rows(bytes: &[u8]) {
    if let Some(line) = Line::read(bytes) {
        assert_eq!(Line::read(&line.to_bytes()), Some(line));
    }
    if let Some((name, consumer)) = Consumer::read_row(bytes) {
        assert_eq!(
            Consumer::read_row(&consumer.to_row(&name)),
            Some((name, consumer))
        );
    }
    if let Some(row) = unpack::<Totals>(bytes) {
        assert_eq!(unpack(&pack(&row)), Some(row));
    }
    if let Some(row) = unpack::<Position>(bytes) {
        assert_eq!(unpack(&pack(&row)), Some(row));
    }
    if let Some(row) = unpack::<Consumer>(bytes) {
        assert_eq!(unpack(&pack(&row)), Some(row));
    }
    if let Some(entry) = Entry::read(bytes) {
        let sealed = entry.to_draft().seal(entry.offset, entry.received).to_vec();
        assert_eq!(sealed, entry.bytes());
        assert_eq!(Entry::read(&sealed), Some(entry));
    }
}

/// Every byte is an entry's or is passed over; and a rescue finds what an import does.
fn check_file(file: &[u8]) {
    let (entries, passed_over) = scanned(file);
    let whole: usize = entries.iter().map(|entry| entry.bytes().len()).sum();
    assert_eq!(whole as u64 + passed_over, file.len() as u64);
    let offsets: BTreeSet<u64> = entries.iter().map(|entry| entry.offset).collect();
    let (found, _) = rescue::found_in(file);
    assert_eq!(found, Vec::from_iter(offsets));
}

fn scanned(file: &[u8]) -> (Vec<Entry>, u64) {
    let mut scan = Scan::new(file);
    let mut entries = Vec::new();
    while let Some(entry) = scan.next().unwrap() {
        entries.push(entry);
    }
    (entries, scan.passed_over())
}

/// Makes a file of instructions: a byte that says what, and what that needs.
fn file_of(mut bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    while let Some((what, rest)) = bytes.split_first() {
        bytes = rest;
        match what % 4 {
            0 => file.extend_from_slice(take_some(&mut bytes)),
            1 => consumer(take_some(&mut bytes), &mut file),
            _ => entry(*what, &mut bytes, &mut file),
        }
    }
    file
}

fn entry(what: u8, bytes: &mut &[u8], file: &mut Vec<u8>) {
    // Numbers near both ends of the range are what arithmetic goes wrong at.
    let mut number = |bit: u8| match what & bit {
        0 => u64::from(take(bytes, 1)[0]),
        _ => u64::from_le_bytes(take(bytes, 8)),
    };
    let (offset, received, sequence) = (number(4), number(8), number(16));
    let header = Header {
        sequence,
        count: u32::from(what >> 5),
        discarded: received,
        flags: Flags(what >> 6),
        ..Header::new(MSGPACK, SenderId(offset % 3))
    };
    let Ok(header) = Header::parse(&header.to_bytes()) else {
        return;
    };
    let topic = Topic::for_name(["a", "b", "a.b"][usize::from(what) % 3]);
    let mut draft = Draft::new(topic, header, &header.to_bytes(), take_some(bytes));
    file.extend_from_slice(draft.seal(offset, received));
}

/// A consumer's row whose length and checksum are right.
fn consumer(rest: &[u8], file: &mut Vec<u8>) {
    file.extend_from_slice(&CONSUMER_MARK);
    file.extend_from_slice(&(rest.len() as u32).to_le_bytes());
    file.extend_from_slice(&xxh3_64(rest).to_le_bytes());
    file.extend_from_slice(rest);
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
