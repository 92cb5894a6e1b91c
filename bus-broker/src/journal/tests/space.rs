//! How much of a disk a journal takes, while much is written to it at once.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::super::intake::Outcome;
use super::super::store::space_of;
use super::super::writer::{Say, Writer};
use super::super::{Fsync, JournalConfig, Offline};
use super::work::payload;
use super::*;

const MIB: u64 = 1 << 20;
/// Messages without an answer.
const IN_HAND: u64 = 200;
/// What a journal takes besides what its limits say, as `docs/durable.md` has it.
const MARGIN: u64 = 160 * MIB;

/// A tmpfs of its own, until it is dropped; `None` where this user may not mount one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(size: u64) -> Option<Self> {
        let dir = scratch();
        let option = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &option, "logbus-test"]);
        let status = mount.arg(dir.path()).stderr(Stdio::null()).status();
        status.is_ok_and(|s| s.success()).then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: what failed may have it open still.
        let mut umount = Command::new("umount");
        drop(umount.arg("-l").arg(self.path()).status());
    }
}

/// Writes so many bytes in messages of this size, and looks at the folder all the time. Returns the
/// most that it took, and what the broker said.
fn write(config: &JournalConfig, bytes: u64, size: usize) -> (u64, Vec<String>) {
    let said = Arc::<Mutex<Vec<String>>>::default();
    let lines = said.clone();
    let say: Say = Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()));
    let writer = Writer::start(config, say, Box::new(|| {}), None).unwrap();
    let all = bytes / size as u64;
    let most = AtomicU64::new(0);
    let (mut sent, mut answered) = (0, 0);
    while answered < all {
        while sent < all && sent - answered < IN_HAND {
            let topic = if sent % 50 == 0 { "audit" } else { "web" };
            writer.intake.append(payload(topic, sent, size));
            sent += 1;
        }
        let outcome = writer.outcomes.recv_timeout(Duration::from_secs(60));
        assert!(
            matches!(outcome, Ok(Outcome::Placed(_))),
            "{outcome:?}, {:?}",
            said.lock().unwrap()
        );
        answered += 1;
        if answered % IN_HAND == 0 {
            most.fetch_max(space_of(&config.dir), Ordering::Relaxed);
        }
    }
    writer.close();
    let said = said.lock().unwrap().clone();
    (most.into_inner(), said)
}

fn config(dir: &Path) -> JournalConfig {
    JournalConfig {
        fsync: Fsync::Never,
        ..JournalConfig::new(dir)
    }
}

#[test]
fn a_fast_publisher_does_not_take_the_room_that_is_to_stay_free() {
    // Write-ahead files may take half of it, whatever is deleted.
    let Some(disk) = Disk::mount(320 * MIB) else {
        eprintln!("left out: a tmpfs cannot be mounted here");
        return;
    };
    let mut config = config(disk.path());
    config.limits.min_free = Some(64 * MIB);
    let (most, said) = write(&config, 416 * MIB, 60_000);
    assert_eq!(said, Vec::<String>::new(), "it took {most} bytes");
}

#[test]
fn a_full_disk_does_not_stop_the_start_after_a_crash() {
    let Some(disk) = Disk::mount(100 * MIB) else {
        eprintln!("left out: a tmpfs cannot be mounted here");
        return;
    };
    let dir = disk.path().join("journal");
    let (mut book, _) = rescue::open(&dir, Fsync::Always, None).unwrap();
    let arrival = Arrival {
        draft: payload("web", 0, 60_000),
        is_durable: true,
        refusal: None,
        owner: None,
        first: None,
    };
    book.append(&mut [arrival], 1_000).unwrap();
    drop(book);
    let filler = disk.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    let (told, tells) = crossbeam_channel::unbounded();
    let say: Say = Arc::new(move |line| told.send(line.to_owned()).unwrap());
    let writer = Writer::start(&config(&dir), say, Box::new(|| {}), None).unwrap();
    let line = tells.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(line.contains("the journal cannot be written"), "{line}");
    drop(file);
    std::fs::remove_file(filler).unwrap();
    writer.intake.append(payload("web", 1, 60_000));
    let outcome = writer.outcomes.recv_timeout(Duration::from_secs(60));
    assert!(matches!(outcome, Ok(Outcome::Placed(_))), "{outcome:?}");
    writer.close();
}

#[test]
fn a_limit_of_bytes_holds_for_the_files_within_the_margin_that_the_docs_tell() {
    for size in [60_000, 700] {
        let dir = scratch();
        let mut config = config(dir.path());
        config.limits.max_bytes = Some(16 * MIB);
        let bytes = if size < 1024 { 32 * MIB } else { 192 * MIB };
        let (most, _) = write(&config, bytes, size);
        assert!(
            most <= 16 * MIB + MARGIN,
            "{most} bytes in messages of {size}"
        );
        let journal = Offline::open(dir.path()).unwrap();
        let verified = journal.verify(|_| {}).unwrap();
        let listed: u64 = journal.topics().iter().map(|topic| topic.entries).sum();
        assert_eq!((verified.damaged, verified.entries), (0, listed));
        assert!(
            verified.entries * (size as u64 + 300) >= 15 * MIB,
            "{verified:?}"
        );
    }
}

#[test]
fn what_could_not_be_deleted_is_deleted_when_the_disk_works_again() {
    let dir = scratch();
    let refuses = Arc::new(AtomicBool::new(true));
    let asked = refuses.clone();
    let watch: Watch = Arc::new(move |step| match step {
        "retain" if asked.load(Ordering::Relaxed) => Err(std::io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let open = || rescue::open(dir.path(), Fsync::Never, Some(watch.clone()));
    let mut book = open().unwrap().0;
    let arrival = |number| Arrival {
        draft: payload("web", number, 10_000),
        is_durable: true,
        refusal: None,
        owner: None,
        first: None,
    };
    let mut arrivals: Vec<Arrival> = (0..20).map(arrival).collect();
    book.append(&mut arrivals, 1_000).unwrap();
    let limits = Limits {
        max_bytes: Some(105_000),
        ..Limits::default()
    };
    let mut retention = Retention::new(Classes::new(Vec::new(), limits));
    assert!(retention.trim(&mut book, 2_000).is_err());
    drop(book);
    refuses.store(false, Ordering::Relaxed);
    let mut book = open().unwrap().0;
    let trimmed = retention.trim(&mut book, 3_000).unwrap();
    assert_eq!(trimmed.by_class[&0], (10, 10));
}
