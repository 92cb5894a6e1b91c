//! What the file handler promises when the file is moved, removed or cannot be written.

use super::*;
use crate::format;
use crate::item::Delivered;
use logbus_schemas::{Record, Topic};

fn handler(path: &Path) -> FileHandler {
    FileHandler::open("file", path, format::message_only(), false).unwrap()
}

fn record(text: &str) -> Item {
    let (record, topic) = (Record::new("a", 20, text), Topic::new("a").unwrap());
    Item::Record(std::sync::Arc::new(Delivered {
        record,
        topic,
        origin: None,
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
    let mut handler = handler(Path::new("/dev/full"));
    handler.emit(&[record("first")]).unwrap();
    assert!(handler.flush().is_err());
    let large = record(&"x".repeat(MAX_KEPT));
    handler
        .emit(&[large.clone(), large.clone(), record("then")])
        .unwrap();
    handler.emit(&[large]).unwrap();
    // The disk has room again.
    handler.path = path.clone();
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
