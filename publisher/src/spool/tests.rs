//! What a spool promises, whatever is done to it and whenever its owner dies.

use logbus_schemas::codec;
use logbus_schemas::wire::SenderId;
use proptest::prelude::*;

use super::*;

fn topic(name: &str) -> Topic {
    Topic::new(name).unwrap()
}

fn header(sequence: u64, count: u32) -> Header {
    Header {
        sequence,
        count,
        ..Header::new(codec::MSGPACK, SenderId(5))
    }
}

fn create(dir: &Path, id: u64, limit: u64) -> Spool {
    Spool::create(dir, &Name::new("test", id), limit, Fsync::Never).unwrap()
}

fn append(spool: &mut Spool, name: &str, sequence: u64, is_held: bool) -> u32 {
    let payload = format!("{name} {sequence}");
    spool
        .append(
            &topic(name),
            &header(sequence, 1),
            payload.as_bytes(),
            is_held,
        )
        .unwrap()
}

/// The owner dies: nothing more is written or tidied up.
fn die(spool: Spool) {
    drop(spool);
}

fn adopt(dir: &Path) -> Spool {
    let [name] = &spools(dir).unwrap()[..] else {
        panic!("there is one spool")
    };
    Spool::adopt(dir, name, Fsync::Never).unwrap().unwrap()
}

/// All that it gives.
fn read(spool: &mut Spool) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(stored) = spool.next().unwrap() {
        assert_eq!(stored.header.sender, SenderId(5));
        texts.push(String::from_utf8(stored.payload).unwrap());
    }
    texts
}

#[test]
fn what_was_committed_outlives_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = create(dir.path(), 21, 1 << 20);
    append(&mut spool, "a", 0, true);
    append(&mut spool, "b", 0, false);
    spool.commit().unwrap();
    append(&mut spool, "a", 1, false);
    die(spool);
    let mut spool = adopt(dir.path());
    assert_eq!(spool.adopted_records, 2);
    assert_eq!(read(&mut spool), ["a 0", "b 0"]);
    assert_eq!(spool.damages, 0);
}

#[test]
fn what_was_acknowledged_or_refused_is_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = create(dir.path(), 22, 1 << 20);
    for sequence in 0..4 {
        append(&mut spool, "a", sequence, true);
        append(&mut spool, "b", sequence, true);
    }
    spool.note_acked(5, &topic("a"), 2).unwrap();
    spool.note_refused(&header(3, 1), &topic("a")).unwrap();
    spool.note_acked(6, &topic("b"), 4).unwrap();
    spool.commit().unwrap();
    die(spool);
    let mut spool = adopt(dir.path());
    assert_eq!(spool.adopted_records, 5);
    assert_eq!(read(&mut spool), ["b 0", "b 1", "a 2", "b 2", "b 3"]);
    spool.note_acked(5, &topic("b"), 4).unwrap();
    spool.commit().unwrap();
    die(spool);
    assert_eq!(read(&mut adopt(dir.path())), ["a 2"]);
}

#[test]
fn a_refused_heartbeat_does_not_take_the_records_along_that_have_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = create(dir.path(), 27, 1 << 20);
    let (a, heartbeat) = (topic("a"), header(0, 0));
    spool.append(&a, &heartbeat, b"who", true).unwrap();
    append(&mut spool, "a", 0, true);
    spool.note_refused(&heartbeat, &a).unwrap();
    spool.commit().unwrap();
    die(spool);
    let mut spool = adopt(dir.path());
    assert_eq!(spool.adopted_records, 1);
    assert_eq!(read(&mut spool), ["who", "a 0"]);
}

#[test]
fn what_the_caller_keeps_is_not_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = create(dir.path(), 23, 1 << 20);
    append(&mut spool, "a", 0, true);
    append(&mut spool, "a", 1, false);
    spool.commit().unwrap();
    append(&mut spool, "a", 2, false);
    spool.commit().unwrap();
    assert_eq!(spool.unread(), 2);
    assert_eq!(read(&mut spool), ["a 1", "a 2"]);
    append(&mut spool, "a", 3, true);
    append(&mut spool, "a", 4, false);
    spool.commit().unwrap();
    assert_eq!(read(&mut spool), ["a 4"]);
}

#[test]
fn segments_go_when_all_in_them_and_before_them_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = create(dir.path(), 24, 16_000);
    let mut places = Vec::new();
    for sequence in 0..200 {
        places.push(append(&mut spool, "a", sequence, true));
        spool.commit().unwrap();
    }
    assert!(spool.room() < 2000, "{}", spool.room());
    let last = *places.last().unwrap();
    assert!(last > 10, "{last} segments");
    places[1..]
        .iter()
        .for_each(|segment| spool.settle(*segment));
    spool.trim().unwrap();
    assert_eq!(spool.segments.len(), last as usize);
    spool.settle(places[0]);
    spool.trim().unwrap();
    assert!(spool.is_done() && spool.segments.is_empty());
    assert_eq!(spool.room(), 16_000);
    append(&mut spool, "a", 200, false);
    spool.commit().unwrap();
    assert_eq!(read(&mut spool), ["a 200"]);
}

#[test]
fn a_spool_that_is_done_is_removed_with_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = create(dir.path(), 25, 1 << 20);
    append(&mut spool, "a", 0, true);
    spool.commit().unwrap();
    spool.remove().unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_synced_at_once_is_not_in_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let name = Name::new("test", 8);
    let mut spool = Spool::create(dir.path(), &name, 1 << 20, Fsync::Always).unwrap();
    append(&mut spool, "a", 0, true);
    spool.commit().unwrap();
    let bytes = spool.bytes;
    // A device that takes everything, and cannot be synced (fsync(2), EINVAL).
    let device = File::options().append(true).open("/dev/null").unwrap();
    let written = spool.writer.replace(device);
    append(&mut spool, "a", 1, true);
    append(&mut spool, "a", 2, false);
    assert!(spool.commit().is_err());
    drop(written);
    // The caller has them still, and puts them in again.
    assert_eq!((spool.bytes, spool.unread()), (bytes, 0));
    assert_eq!(read(&mut spool), Vec::<String>::new());
    append(&mut spool, "a", 1, true);
    append(&mut spool, "a", 2, false);
    spool.commit().unwrap();
    assert_eq!(read(&mut spool), ["a 2"]);
    die(spool);
    assert_eq!(read(&mut adopt(dir.path())), ["a 0", "a 1", "a 2"]);
}

#[test]
fn a_segment_whose_name_cannot_be_synced_can_be_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("000001");
    let no_descriptors = || Err(io::Error::from_raw_os_error(24)); // EMFILE
    assert!(new_file(&path, no_descriptors).is_err());
    let mut file = new_file(&path, || Ok(())).unwrap();
    file.write_all(b"x").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[test]
fn what_cannot_be_written_is_not_in_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = create(dir.path(), 26, 1 << 20);
    append(&mut spool, "a", 0, false);
    spool.commit().unwrap();
    // A descriptor that cannot be written to stands for a disk that is full.
    spool.writer = Some(File::open(spool.held.segment(1)).unwrap());
    append(&mut spool, "a", 1, false);
    assert!(spool.commit().is_err());
    append(&mut spool, "a", 2, false);
    spool.commit().unwrap();
    assert_eq!(read(&mut spool), ["a 0", "a 2"]);
    die(spool);
    assert_eq!(read(&mut adopt(dir.path())), ["a 0", "a 2"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Steps: append to one of three topics, acknowledge one, commit, read one, die.
    #[test]
    fn nothing_is_lost_nothing_comes_twice_and_the_order_is_kept(
        steps in prop::collection::vec((0..12u8, 0..3usize), 1..120),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a", "b", "c"];
        let mut spool = create(dir.path(), 31, 8_000);
        // What was appended, what of it is written, and what was acknowledged, by topic.
        let (mut appended, mut written) = ([0u64; 3], [0u64; 3]);
        let (mut acked, mut noted) = ([0u64; 3], [0u64; 3]);
        let mut read_back: Vec<Stored> = Vec::new();
        for (step, at) in steps {
            match step {
                0..=5 => {
                    append(&mut spool, names[at], appended[at], false);
                    appended[at] += 1;
                }
                6..=7 => {
                    spool.commit().unwrap();
                    spool.trim().unwrap();
                    (written, noted) = (appended, acked);
                }
                8..=9 => {
                    spool.commit().unwrap();
                    (written, noted) = (appended, acked);
                    read_back.extend(spool.next().unwrap());
                }
                10 => {
                    // The first of this topic that was read back is acknowledged.
                    let found = read_back.iter().position(|one| one.topic.as_str() == names[at]);
                    if let Some(found) = found {
                        let one = read_back.remove(found);
                        acked[at] = one.header.sequence + 1;
                        spool.note_acked(5, &one.topic, acked[at]).unwrap();
                        spool.settle(one.segment);
                    }
                }
                _ => {
                    die(spool);
                    (appended, acked) = (written, noted);
                    read_back.clear();
                    spool = adopt(dir.path());
                }
            }
        }
        spool.commit().unwrap();
        die(spool);
        let mut spool = adopt(dir.path());
        prop_assert_eq!(spool.damages, 0);
        let mut next = acked;
        while let Some(stored) = spool.next().unwrap() {
            let at = names.iter().position(|name| *name == stored.topic.as_str()).unwrap();
            prop_assert_eq!(stored.header.sequence, next[at]);
            next[at] += 1;
            spool.settle(stored.segment);
        }
        prop_assert_eq!(next, appended);
        prop_assert!(spool.is_done());
    }

    #[test]
    fn a_cut_or_a_flipped_bit_costs_only_what_it_touches(
        count in 1..40u64,
        flip in prop::option::of((any::<prop::sample::Index>(), 0..8u32)),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = create(dir.path(), 32, u64::MAX);
        let mut ends = Vec::new();
        for sequence in 0..count {
            append(&mut spool, "a", sequence, false);
            spool.commit().unwrap();
            ends.push(usize::try_from(spool.bytes).unwrap());
        }
        let path = spool.held.segment(1);
        die(spool);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        if let Some((at, bit)) = flip {
            bytes[at.index(whole.len())] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(whole.len()));
        }
        fs::write(&path, &bytes).unwrap();
        let mut start = 0;
        let mut expected = Vec::new();
        for (end, sequence) in ends.into_iter().zip(0..) {
            if bytes.get(start..end) == Some(&whole[start..end]) {
                expected.push(format!("a {sequence}"));
            }
            start = end;
        }
        let mut spool = adopt(dir.path());
        let damages = spool.damages;
        prop_assert_eq!(read(&mut spool), expected);
        prop_assert!(damages <= 2);
    }
}
