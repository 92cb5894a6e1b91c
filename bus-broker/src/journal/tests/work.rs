//! The writer's thread, with its queue before it and readers behind it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::intake::Outcome;
use super::super::writer::{Say, Writer};
use super::super::{Fsync, JournalConfig, Keep, Offline};
use super::*;

fn start(config: &JournalConfig) -> Writer {
    Writer::start(config, Arc::new(|_| {}), Box::new(|| {}), None).unwrap()
}

fn outcome(writer: &Writer) -> Outcome {
    writer
        .outcomes
        .recv_timeout(Duration::from_secs(20))
        .unwrap()
}

pub(super) fn payload(topic: &str, sequence: u64, size: usize) -> super::super::Draft {
    let draft = draft(topic, 1, sequence, 1);
    let payload = vec![b'x'; size];
    super::super::Draft::new(
        draft.topic,
        draft.header,
        &draft.header.to_bytes(),
        &payload,
    )
}

#[test]
fn what_is_acknowledged_can_be_read_and_survives_the_thread() {
    for fsync in ["always", "interval=5ms", "never"] {
        let dir = scratch();
        let config = JournalConfig {
            fsync: fsync.parse().unwrap(),
            ..JournalConfig::new(dir.path())
        };
        let writer = start(&config);
        for number in 0..50 {
            writer.intake.append(draft("web", 1, number, 1));
        }
        for number in 0..50 {
            let Outcome::Placed(placed) = outcome(&writer) else {
                panic!()
            };
            assert_eq!((placed.offset, placed.next), (Some(number), number + 1));
            assert!(writer.journal.tail() > number);
        }
        assert_eq!(writer.close().entries, 50);
        let writer = start(&config);
        assert_eq!(writer.journal.tail(), 50);
        writer.close();
    }
}

#[test]
fn each_prefix_keeps_to_its_own_limit_and_gives_its_room_back() {
    let dir = scratch();
    let mut config = JournalConfig::new(dir.path());
    config.fsync = Fsync::Never;
    config.limits.max_bytes = Some(4 << 20);
    config.keep = vec!["audit=100MiB".parse::<Keep>().unwrap()];
    let writer = start(&config);
    let size = 60_000;
    for number in 0..400 {
        let topic = if number % 100 == 0 { "audit" } else { "web" };
        writer.intake.append(payload(topic, number, size));
        assert!(matches!(outcome(&writer), Outcome::Placed(_)));
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    let wanted = Wanted {
        topics: Vec::new(),
        until: u64::MAX,
        since: 0,
        most: 10_000,
    };
    loop {
        let (mut at, mut bytes, mut audit, mut gone) = (0, 0, 0, 0);
        while at < writer.journal.tail() {
            let chunk = writer.journal.read(at, &wanted).unwrap();
            at = chunk.next;
            for item in chunk.items {
                match item {
                    Item::Entry(entry) if entry.topic.as_str() == "audit" => audit += 1,
                    Item::Entry(entry) => bytes += entry.bytes().len(),
                    Item::Gone(gap) => gone += gap.records,
                }
            }
        }
        assert_eq!(audit, 4, "the other prefix keeps what it has");
        if bytes <= 4 << 20 {
            assert_eq!(gone as usize + bytes / (size + 80) + audit, 400);
            break;
        }
        assert!(Instant::now() < deadline, "{bytes} bytes are still there");
    }
    let counts = writer.close();
    assert!(counts.deleted["*"] > 200, "{counts:?}");
    let journal = Offline::open(dir.path()).unwrap();
    let kept: u64 = journal.topics().iter().map(|topic| topic.entries).sum();
    for _ in 0..2 {
        let mut file = Vec::new();
        assert_eq!(journal.export(&mut file).unwrap(), kept, "nothing deleted");
        journal.compact().unwrap();
    }
    assert_eq!(journal.verify(|_| {}).unwrap().damaged, 0);
}

#[test]
fn a_message_that_its_limit_can_never_hold_is_refused() {
    let dir = scratch();
    let mut config = JournalConfig::new(dir.path());
    config.limits.max_bytes = Some(1000);
    let writer = start(&config);
    writer.intake.append(payload("web", 0, 5000));
    writer.intake.append(payload("web", 1, 50));
    assert_eq!(
        outcome(&writer),
        Outcome::Refused(super::super::Refusal::TooLarge)
    );
    assert!(matches!(outcome(&writer), Outcome::Placed(_)));
    writer.close();
}

/// What a power cut leaves of a journal whose disk did not take what went to the write-ahead file.
fn cut_power(dir: &Path, to: &Path) {
    copy(dir, to);
    std::fs::write(to.join("store/0.jnl"), b"").unwrap();
    std::fs::write(to.join("open"), "another-start always").unwrap();
}

#[test]
fn what_a_disk_did_not_sync_is_written_anew_before_it_is_acknowledged_and_goes_to_subscribers() {
    let root = scratch();
    let [dir, cut] = ["journal", "cut"].map(|name| root.path().join(name));
    let fails = Arc::<AtomicBool>::default();
    let (refuses, journal, left) = (fails.clone(), dir.clone(), cut.clone());
    let watch: Watch = Arc::new(move |step| match step {
        "sync" if refuses.swap(false, Ordering::SeqCst) => Err(std::io::Error::other("EIO")),
        "ack" => {
            cut_power(&journal, &left);
            Ok(())
        }
        _ => Ok(()),
    });
    let config = JournalConfig {
        fsync: Fsync::Always,
        ..JournalConfig::new(&dir)
    };
    let writer = Writer::start(&config, Arc::new(|_| {}), Box::new(|| {}), Some(watch)).unwrap();
    fails.store(true, Ordering::SeqCst);
    writer.intake.append(draft("web", 1, 0, 1));
    let Outcome::Placed(placed) = outcome(&writer) else {
        panic!()
    };
    assert_eq!((placed.offset, placed.next), (Some(0), 1));
    let counts = writer.close();
    assert_eq!((counts.entries, counts.known), (1, 0));
    let left = Offline::open(&cut).unwrap();
    assert_eq!(left.verify(|_| {}).unwrap().entries, 1);
}

#[test]
fn a_full_disk_holds_acknowledgements_back_until_there_is_room() {
    let dir = scratch();
    let is_full = Arc::<AtomicBool>::default();
    let watched = is_full.clone();
    let watch: Watch = Arc::new(move |step| {
        let fails = watched.load(Ordering::SeqCst) && matches!(step, "append" | "sync");
        if fails {
            Err(std::io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    });
    let said = Arc::<Mutex<Vec<String>>>::default();
    let lines = said.clone();
    let say: Say = Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()));
    let config = JournalConfig::new(dir.path());
    let writer = Writer::start(&config, say, Box::new(|| {}), Some(watch)).unwrap();
    writer.intake.append(draft("web", 1, 0, 1));
    assert!(matches!(outcome(&writer), Outcome::Placed(_)));
    is_full.store(true, Ordering::SeqCst);
    writer.intake.append(draft("web", 1, 1, 1));
    writer.intake.append(draft("web", 1, 2, 1));
    let wait = Duration::from_millis(400);
    assert!(
        writer.outcomes.recv_timeout(wait).is_err(),
        "nothing is acknowledged"
    );
    assert_eq!(writer.journal.tail(), 1);
    is_full.store(false, Ordering::SeqCst);
    for next in [2, 3] {
        let Outcome::Placed(placed) = outcome(&writer) else {
            panic!()
        };
        assert_eq!((placed.offset, placed.next), (Some(next - 1), next));
    }
    writer.close();
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("cannot be written") && said[1].contains("written again"));
}
