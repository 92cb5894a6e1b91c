//! The operations whose instructions `cargo xtask guard` counts: each [`TIMES`] times, in a function of
//! its own whose name callgrind reports.
//!
//! Instructions are the same on a loaded machine and a quiet one, so a change that makes a record dearer
//! shows without a clock. What waits, for memory or for another thread, does not show: that is what
//! `cargo xtask bench` is for.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use logbus_publisher::{Config, Publisher};
use logbus_schemas::codec::{Codec, JSON, MSGPACK};
use logbus_schemas::{Record, Topic, Value};
use logbus_subscriber::format::{DEFAULT_FORMAT, Formatter, PythonFormat};
use logbus_subscriber::item::Delivered;
use logbus_subscriber::query::Query;

/// How often each operation is done.
const TIMES: u64 = 1000;

fn main() -> anyhow::Result<()> {
    let delivered = Delivered {
        record: record(),
        topic: Topic::for_name("shop.orders"),
        origin: None,
        sender: None,
        offset: None,
        received: 0,
    };
    let record = &delivered.record;
    let (mut json, mut msgpack) = (Vec::new(), Vec::new());
    JSON.encode(record, &mut json);
    MSGPACK.encode(record, &mut msgpack);
    guard_json_encode(record, &mut Vec::with_capacity(1024));
    guard_json_decode(&json);
    guard_msgpack_encode(record, &mut Vec::with_capacity(1024));
    guard_msgpack_decode(&msgpack);
    guard_percent_format(&mut PythonFormat::percent(DEFAULT_FORMAT)?, &delivered);
    let query = Query::parse("level >= warning or user = \"fred\" and ms > 1");
    guard_query(&query?, &delivered);
    publish(record)
}

/// A record as a Python handler sends it.
fn record() -> Record {
    let mut record = Record::new("shop.orders", 20, "order %d of %s accepted");
    record.set("args", vec![Value::from(4711), Value::from("ann")]);
    record.set("created", 1_795_207_453.847_165);
    record.set("process", 613);
    record.set("processName", "MainProcess");
    record.set("threadName", "MainThread");
    record.set("pathname", "/srv/shop/app.py");
    record.set("lineno", 40);
    record.set("funcName", "handle");
    record.set("user", "fred");
    record.set("ms", 1.5);
    record
}

/// The caller's side alone: the queue holds everything, because nobody listens.
fn publish(record: &Record) -> anyhow::Result<()> {
    let publisher = Arc::new(Publisher::new(Config {
        hold: Duration::from_secs(3600),
        ..Config::connect(["tcp://127.0.0.1:9".parse()?])
    })?);
    logbus_publisher::log::Logger::new(publisher.clone()).install(log::LevelFilter::Info)?;
    // What is done once a thread and once a name.
    log::info!("warm");
    publisher.publish(record);
    guard_publish(&publisher, record);
    guard_log();
    drop(publisher.shutdown(Duration::ZERO));
    Ok(())
}

#[inline(never)]
fn guard_json_encode(record: &Record, out: &mut Vec<u8>) {
    encode(JSON, record, out);
}

#[inline(never)]
fn guard_msgpack_encode(record: &Record, out: &mut Vec<u8>) {
    encode(MSGPACK, record, out);
}

fn encode(codec: Codec, record: &Record, out: &mut Vec<u8>) {
    for _ in 0..TIMES {
        out.clear();
        codec.encode(black_box(record), out);
        black_box(&*out);
    }
}

#[inline(never)]
fn guard_json_decode(bytes: &[u8]) {
    decode(JSON, bytes);
}

#[inline(never)]
fn guard_msgpack_decode(bytes: &[u8]) {
    decode(MSGPACK, bytes);
}

fn decode(codec: Codec, bytes: &[u8]) {
    for _ in 0..TIMES {
        drop(black_box(codec.decode(black_box(bytes))));
    }
}

#[inline(never)]
fn guard_percent_format(formatter: &mut dyn Formatter, delivered: &Delivered) {
    let mut out = String::with_capacity(1024);
    for _ in 0..TIMES {
        out.clear();
        formatter.format(black_box(&delivered.record), &mut out);
        black_box(&out);
    }
}

#[inline(never)]
fn guard_query(query: &Query, delivered: &Delivered) {
    for _ in 0..TIMES {
        black_box(query.matches(black_box(delivered)));
    }
}

#[inline(never)]
fn guard_publish(publisher: &Publisher, record: &Record) {
    for _ in 0..TIMES {
        publisher.publish(black_box(record));
    }
}

#[inline(never)]
fn guard_log() {
    for number in 0..TIMES {
        log::info!(
            "order {} accepted by {}",
            black_box(number),
            black_box("fred")
        );
    }
}
