//! What the file handler promises when the file is moved, removed or cannot be written.

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicI64, Ordering};

use super::log_file::MAX_KEPT;
use super::*;
use crate::format;
use crate::item::Delivered;
use logbus_schemas::{Record, Topic};
use std::fs::File;

fn handler(path: &Path) -> Box<dyn Handler> {
    with(&path.display().to_string(), |_| {}).unwrap()
}

/// One that writes messages and nothing else, for the conformance suite.
pub(in crate::handler) fn at(path: &Path, verbose: bool) -> Box<dyn Handler> {
    open(&path.display().to_string(), verbose, Settings::default()).unwrap()
}

/// A file handler that does not make directories, with other settings.
fn with(path: &str, change: impl Fn(&mut Settings)) -> anyhow::Result<Box<dyn Handler>> {
    let mut settings = Settings::default();
    change(&mut settings);
    open(path, false, settings)
}

fn open(path: &str, verbose: bool, settings: Settings) -> anyhow::Result<Box<dyn Handler>> {
    let path = PathTemplate::parse(path).unwrap();
    opener(path, settings, 2, format::message_only)(Setting {
        name: "file".to_owned(),
        formatter: None,
        verbose,
        say: Arc::new(|_| {}),
        target: Arc::default(),
    })
}

fn record(text: &str) -> Item {
    let (record, topic) = (Record::new("a", 20, text), Topic::new("a").unwrap());
    Item::Record(std::sync::Arc::new(Delivered {
        record,
        topic,
        origin: None,
        sender: None,
        offset: None,
        received: 0,
    }))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A directory for one test, and a path in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.log");
    (dir, path)
}

#[test]
fn a_flush_puts_whole_lines_into_the_file() {
    let (_dir, path) = place();
    let mut handler = handler(&path);
    handler.emit(&[record("one"), record("two")]).unwrap();
    handler.flush().unwrap();
    assert_eq!(text(&path), "one\ntwo\n");
}

#[test]
fn a_moved_file_is_left_alone_and_a_new_one_begun() {
    let (dir, path) = place();
    let moved = dir.path().join("app.log.1");
    let mut handler = handler(&path);
    handler.emit(&[record("old")]).unwrap();
    handler.flush().unwrap();
    std::fs::rename(&path, &moved).unwrap();
    handler.flush().unwrap();
    handler.emit(&[record("new")]).unwrap();
    handler.close().unwrap();
    assert_eq!(
        (text(&moved).as_str(), text(&path).as_str()),
        ("old\n", "new\n")
    );
}

#[test]
fn what_came_before_the_move_was_seen_stands_in_the_moved_file() {
    let (dir, path) = place();
    let moved = dir.path().join("app.log.1");
    let mut handler = handler(&path);
    handler.emit(&[record("old")]).unwrap();
    std::fs::rename(&path, &moved).unwrap();
    handler.reopen().unwrap();
    assert_eq!((text(&moved).as_str(), text(&path).as_str()), ("old\n", ""));
}

#[test]
fn a_removed_file_swallows_nothing() {
    let (_dir, path) = place();
    let mut handler = handler(&path);
    std::fs::remove_file(&path).unwrap();
    handler.emit(&[record("one")]).unwrap();
    handler.flush().unwrap();
    assert_eq!(text(&path), "one\n");
    std::fs::remove_file(&path).unwrap();
    handler.emit(&[record("two")]).unwrap();
    handler.close().unwrap();
    assert_eq!((text(&path).as_str(), handler.dropped()), ("two\n", 0));
}

#[test]
fn what_waits_for_a_directory_to_come_back_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let path = inner.join("app.log");
    let mut handler = handler(&path);
    std::fs::remove_dir_all(&inner).unwrap();
    handler.emit(&[record("one")]).unwrap();
    assert!(matches!(handler.flush(), Err(Fault::Io(_))));
    std::fs::create_dir(&inner).unwrap();
    handler.flush().unwrap();
    assert_eq!(text(&path), "one\n");
}

#[test]
fn a_disk_that_works_takes_batches_larger_than_the_bound() {
    let (_dir, path) = place();
    let mut handler = handler(&path);
    let long = "x".repeat(MAX_KEPT / 512);
    let batch: Vec<Item> = (0..600).map(|_| record(&long)).collect();
    handler.emit(&batch).unwrap();
    handler.emit(&[record(&"y".repeat(MAX_KEPT + 1))]).unwrap();
    handler.close().unwrap();
    assert_eq!((text(&path).lines().count(), handler.dropped()), (601, 0));
}

#[test]
fn a_full_disk_is_told_and_what_does_not_fit_is_counted() {
    let mut handler = handler(Path::new("/dev/full"));
    handler.emit(&[record("kept")]).unwrap();
    let Err(Fault::Io(error)) = handler.flush() else {
        panic!("a full disk took a line")
    };
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().contains("/dev/full"));
    handler
        .emit(&[record(&"x".repeat(MAX_KEPT)), record("still fits")])
        .unwrap();
    assert_eq!(handler.dropped(), 1);
    assert!(handler.close().is_err());
    assert_eq!(handler.dropped(), 3);
}

#[test]
fn a_file_says_what_it_lacks_where_it_would_have_been() {
    let (_dir, path) = place();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let mut handler = handler(&path);
    handler.emit(&[record("first")]).unwrap();
    assert!(handler.flush().is_err());
    let large = record(&"x".repeat(MAX_KEPT));
    handler
        .emit(&[large.clone(), large.clone(), record("then")])
        .unwrap();
    handler.emit(&[large]).unwrap();
    // The disk has room again.
    std::fs::remove_file(&path).unwrap();
    handler.reopen().unwrap();
    assert_eq!(
        text(&path),
        "first\n-- this file could not be written: 2 records dropped --\nthen\n\
         -- this file could not be written: 1 record dropped --\n"
    );
}

#[test]
fn a_directory_that_is_missing_is_named_with_the_remedy() {
    let message = cannot_open(Path::new("/no/such/app.log"));
    assert!(
        message.contains("make the directory /no/such first"),
        "{message}"
    );
}

fn rotating(size: u64, count: usize) -> impl Fn(&mut Settings) {
    move |settings| {
        settings.rotation = Rotation {
            size,
            retention: Retention {
                count: Some(count),
                ..Retention::default()
            },
            ..Rotation::default()
        };
    }
}

#[test]
fn a_file_is_rotated_before_the_line_that_would_fill_it() {
    let (dir, path) = place();
    let mut handler = with(&path.display().to_string(), rotating(12, 2)).unwrap();
    let batch: Vec<Item> = (0..5).map(|n| record(&format!("line {n}"))).collect();
    handler.emit(&batch).unwrap();
    handler.close().unwrap();
    let texts = ["app.log", "app.log.1", "app.log.2"].map(|name| text(&dir.path().join(name)));
    assert_eq!(texts, ["line 4\n", "line 3\n", "line 2\n"]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn with_no_rotated_file_kept_the_file_grows_on_as_in_python() {
    let (_dir, path) = place();
    let mut handler = with(&path.display().to_string(), rotating(12, 0)).unwrap();
    handler.emit(&[record("line 1"), record("line 2")]).unwrap();
    handler.close().unwrap();
    assert_eq!(text(&path), "line 1\nline 2\n");
}

#[test]
fn a_file_that_was_truncated_goes_on_at_its_new_end() {
    let (dir, path) = place();
    let mut handler = with(&path.display().to_string(), rotating(20, 2)).unwrap();
    handler.emit(&[record("line 1"), record("line 2")]).unwrap();
    handler.flush().unwrap();
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    handler.flush().unwrap();
    handler.emit(&[record("line 3")]).unwrap();
    handler.close().unwrap();
    assert_eq!(text(&path), "line 3\n");
    assert!(!dir.path().join("app.log.1").exists());
}

#[test]
fn nothing_that_is_no_file_is_ever_moved() {
    let mut handler = with("/dev/null", rotating(5, 2)).unwrap();
    handler
        .emit(&[record("a line"), record("another")])
        .unwrap();
    handler.close().unwrap();
    assert!(!Path::new("/dev/null.1").exists());
}

#[test]
fn a_rotation_that_is_impossible_costs_no_line() {
    let (dir, path) = place();
    let mut handler = with(&path.display().to_string(), rotating(12, 2)).unwrap();
    // A directory that is not empty cannot be renamed over.
    std::fs::create_dir_all(dir.path().join("app.log.1/full")).unwrap();
    std::fs::create_dir_all(dir.path().join("app.log.2/full")).unwrap();
    handler.emit(&[record("line 1"), record("line 2")]).unwrap();
    assert!(handler.flush().is_err());
    handler.emit(&[record("line 3")]).unwrap();
    assert!(handler.close().is_err());
    assert_eq!(
        (text(&path).as_str(), handler.dropped()),
        ("line 1\nline 2\nline 3\n", 0)
    );
}

static CLOCK: AtomicI64 = AtomicI64::new(0);

#[test]
fn a_file_is_rotated_by_the_clock_and_compressed() {
    let (dir, path) = place();
    let settings = Settings {
        rotation: Rotation {
            schedule: Some(Schedule::new("midnight", 1, None, true).unwrap()),
            compression: Some(Compression::Gzip),
            ..Rotation::default()
        },
        ..Settings::default()
    };
    let day = |n: i64| CLOCK.store(n * 86_400 + 43_200, Ordering::Relaxed);
    day(20_000);
    let say: Say = Arc::new(|_| {});
    let clock = || CLOCK.load(Ordering::Relaxed);
    let mut file = LogFile::open(&path, &Arc::new(settings), clock, &say).unwrap();
    file.push("monday", true);
    day(20_001);
    file.push("tuesday", true);
    file.close().unwrap();
    assert_eq!(text(&path), "tuesday\n");
    let packed = std::fs::read(dir.path().join("app.log.2024-10-04.gz")).unwrap();
    let unpacked = io::read_to_string(flate2::read::GzDecoder::new(&packed[..])).unwrap();
    assert_eq!(unpacked, "monday\n");
}

#[test]
fn a_delayed_file_is_made_by_its_first_line_and_an_emptied_one_begins_anew_once() {
    let (_dir, path) = place();
    let mut handler = with(&path.display().to_string(), |settings| {
        settings.is_delayed = true
    })
    .unwrap();
    handler.flush().unwrap();
    assert!(!path.exists());
    handler.emit(&[record("one")]).unwrap();
    handler.close().unwrap();
    assert_eq!(text(&path), "one\n");
    let mut handler = with(&path.display().to_string(), |settings| {
        settings.truncates = true
    })
    .unwrap();
    handler.emit(&[record("two")]).unwrap();
    handler.reopen().unwrap();
    handler.emit(&[record("three")]).unwrap();
    handler.close().unwrap();
    assert_eq!(text(&path), "two\nthree\n");
}

#[test]
fn new_files_have_the_permissions_and_directories_that_were_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/app.log");
    let handler = with(&path.display().to_string(), |settings| {
        settings.makes_directories = true;
        settings.permissions = Some(0o606);
    });
    handler.unwrap().close().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o606);
}

#[test]
fn records_go_into_the_files_that_their_fields_name_however_few_may_be_open() {
    let dir = tempfile::tempdir().unwrap();
    let template = format!("{}/{{user}}/{{levelname}}.log", dir.path().display());
    let mut handler = with(&template, |settings| settings.makes_directories = true).unwrap();
    for number in 0..9 {
        let Item::Record(mut delivered) = record(&number.to_string()) else {
            unreachable!();
        };
        let user = ["fred", "sheila", "../jim"][number % 3];
        Arc::get_mut(&mut delivered)
            .unwrap()
            .record
            .set("user", user);
        handler.emit(&[Item::Record(delivered)]).unwrap();
    }
    handler.close().unwrap();
    for (user, lines) in [
        ("fred", "0\n3\n6\n"),
        ("sheila", "1\n4\n7\n"),
        (".._jim", "2\n5\n8\n"),
    ] {
        assert_eq!(text(&dir.path().join(user).join("INFO.log")), lines);
    }
    assert_eq!(handler.dropped(), 0);
}

#[test]
fn what_is_not_in_the_file_is_not_safe() {
    let (_dir, path) = place();
    let mut file = handler(&path);
    file.emit(&[record("one")]).unwrap();
    assert!(!file.secure().unwrap());
    file.flush().unwrap();
    assert!(file.secure().unwrap());
    assert_eq!(text(&path), "one\n");
}

#[test]
fn a_device_that_cannot_be_synced_is_safe_when_it_is_written() {
    let mut file = handler(Path::new("/dev/null"));
    file.emit(&[record("one")]).unwrap();
    file.flush().unwrap();
    assert!(file.secure().unwrap());
    let mut full = handler(Path::new("/dev/full"));
    full.emit(&[record("one")]).unwrap();
    assert!(full.flush().is_err());
    assert!(!full.secure().unwrap());
}
