//! The golden messages in `vectors/` mean here what their makers meant, and are written here byte
//! for byte as there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use logbus_schemas::codec::{self, Codec};
use logbus_schemas::wire::{self, Header, Identity, Native};
use logbus_schemas::{Map, Record, Topic, Value};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The vectors' files by name, those of Python left out.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "bin" || extension == "json")
        {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(path).unwrap());
        }
    }
    files
}

/// A message, and what its makers say it means.
struct Vector {
    name: String,
    body: Vec<u8>,
    meaning: Record,
}

impl Vector {
    fn all() -> Vec<Vector> {
        let mut files = files(&directory());
        let names: Vec<String> = files
            .keys()
            .filter_map(|name| name.strip_suffix(".bin").map(str::to_owned))
            .collect();
        let vectors: Vec<Vector> = names
            .into_iter()
            .map(|name| Vector {
                body: files.remove(&format!("{name}.bin")).unwrap(),
                meaning: codec::JSON
                    .decode(&files.remove(&format!("{name}.json")).unwrap())
                    .unwrap(),
                name,
            })
            .collect();
        assert!(
            files.is_empty(),
            "files without their other half: {:?}",
            files.keys()
        );
        assert!(vectors.len() >= 12);
        vectors
    }

    fn native(&self) -> Native<'_> {
        Native::split(&[&self.body]).unwrap()
    }

    fn header(&self) -> Header {
        self.native().parse().unwrap().1
    }

    fn list(&self, key: &str) -> &[Value] {
        match self.meaning.get(key) {
            Some(Value::List(values)) => values,
            _ => &[],
        }
    }

    fn records(&self) -> Vec<Record> {
        self.list("records")
            .iter()
            .map(|value| Record::from(map(Some(value)).clone()))
            .collect()
    }
}

fn map(value: Option<&Value>) -> &Map {
    match value {
        Some(Value::Map(map)) => map,
        other => panic!("no dict: {other:?}"),
    }
}

fn number(value: Option<&Value>) -> u64 {
    match value {
        Some(Value::Int(n)) => u64::try_from(*n).unwrap(),
        Some(Value::UInt(n)) => *n,
        other => panic!("no number: {other:?}"),
    }
}

/// The header as the makers mean it, put together here.
fn meant(header: &Map) -> Header {
    let flags = match header.get("flags") {
        Some(Value::List(flags)) => flags.iter().filter_map(Value::as_str),
        other => panic!("no flags: {other:?}"),
    };
    let bits = flags
        .map(|flag| if flag == "heartbeat" { 1 } else { 2 })
        .sum();
    let sender = u64::from_str_radix(header.get("sender").unwrap().as_str().unwrap(), 16).unwrap();
    let codec = Codec::by_name(header.get("codec").unwrap().as_str().unwrap()).unwrap();
    Header {
        flags: wire::Flags(bits),
        sequence: number(header.get("sequence")),
        count: number(header.get("count")).try_into().unwrap(),
        age: number(header.get("age")).try_into().unwrap(),
        discarded: number(header.get("discarded")),
        sent: number(header.get("sent")),
        ..Header::new(codec, wire::SenderId(sender))
    }
}

#[test]
fn topics_and_headers_mean_what_their_makers_meant() {
    for vector in Vector::all() {
        let (topic, header) = vector.native().parse().unwrap();
        assert_eq!(
            Some(topic.as_str()),
            vector.meaning.text("topic"),
            "{}",
            vector.name
        );
        assert_eq!(
            header,
            meant(map(vector.meaning.get("header"))),
            "{}",
            vector.name
        );
    }
}

#[test]
fn payloads_hold_the_records_that_their_makers_put_in() {
    for vector in Vector::all()
        .iter()
        .filter(|vector| !vector.header().flags.is_heartbeat())
    {
        let header = vector.header();
        let read: Result<Vec<Record>, _> =
            header.codec.decode_all(vector.native().payload).collect();
        assert_eq!(read, Ok(vector.records()), "{}", vector.name);
        assert_eq!(
            header.count as usize,
            vector.records().len(),
            "{}",
            vector.name
        );
    }
}

#[test]
fn heartbeats_name_their_senders() {
    let mut found = 0;
    for vector in Vector::all()
        .iter()
        .filter(|vector| vector.header().flags.is_heartbeat())
    {
        let identity = Identity::decode(vector.header().codec, vector.native().payload).unwrap();
        let expected = map(vector.meaning.get("identity"));
        assert_eq!(
            Some(identity.host.as_str()),
            expected.get("host").unwrap().as_str()
        );
        assert_eq!(
            Some(identity.program.as_str()),
            expected.get("program").unwrap().as_str()
        );
        assert_eq!(
            Some(identity.version.as_str()),
            expected.get("version").unwrap().as_str()
        );
        assert_eq!(u64::from(identity.pid), number(expected.get("pid")));
        assert_eq!(identity.started, number(expected.get("started")));
        let discarded = map(expected.get("discarded")).iter();
        let discarded: BTreeMap<String, u64> = discarded
            .map(|(reason, n)| (reason.to_owned(), number(Some(n))))
            .collect();
        assert_eq!(identity.discarded, discarded, "{}", vector.name);
        assert_eq!(vector.header().count, 0);
        found += 1;
    }
    assert!(found >= 3);
}

#[test]
fn messages_are_rendered_as_their_makers_rendered_them() {
    let vectors = Vector::all();
    let with_messages: Vec<&Vector> = vectors
        .iter()
        .filter(|vector| !vector.list("messages").is_empty())
        .collect();
    assert!(!with_messages.is_empty());
    for vector in with_messages {
        let records = vector.records();
        let rendered: Vec<_> = records.iter().map(|record| record.get_message()).collect();
        let expected: Vec<_> = vector
            .list("messages")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(rendered, expected, "{}", vector.name);
    }
}

#[test]
fn what_is_written_here_is_byte_for_byte_what_was_written_there() {
    for vector in Vector::all()
        .iter()
        .filter(|vector| !vector.header().flags.is_heartbeat())
    {
        let header = meant(map(vector.meaning.get("header")));
        let topic = Topic::new(vector.meaning.text("topic").unwrap()).unwrap();
        let mut payload = Vec::new();
        vector
            .records()
            .iter()
            .for_each(|record| header.codec.encode(record, &mut payload));
        let body = wire::join(topic.as_str().as_bytes(), &header.to_bytes(), &payload);
        assert!(body == vector.body, "{}", vector.name);
    }
}

#[test]
fn the_files_are_what_their_script_makes() {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vectors");
    if made.exists() {
        fs::remove_dir_all(&made).unwrap();
    }
    fs::create_dir_all(&made).unwrap();
    let status = Command::new("python3")
        .arg(directory().join("make.py"))
        .arg(&made)
        .status()
        .unwrap();
    assert!(status.success());
    let (made, kept) = (files(&made), files(&directory()));
    assert_eq!(
        made.keys().collect::<Vec<_>>(),
        kept.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in kept {
        assert!(
            made[&name] == bytes,
            "{name} is not what make.py makes: run it again"
        );
    }
}
