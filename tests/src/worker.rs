//! A worker process for the tests: it publishes as it is told, then says what became of it.
//!
//! `test-worker ENDPOINT flood TOPICS RECORDS` publishes in turn under some topics from a small
//! queue, prints `flooded`, publishes each line of its standard input under each of them, and ends
//! when that ends. `test-worker ENDPOINT fork`
//! publishes, forks, and publishes in both processes. `test-worker ENDPOINT issue NAME RATE NOTE SPOOL`
//! publishes numbered records until its standard input ends, durably when SPOOL is not empty;
//! `WORKER_FSYNC=always` has the spool synced at once. The last line is `published N`.
#![allow(unsafe_code, reason = "fork and _exit are what is tested here")]
#![allow(clippy::print_stdout, reason = "the tests read it")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use logbus_publisher::{Config, Fsync, Overflow, Publisher, stamped};
use logbus_tests::faults::{self, Issue};

const LINGER: Duration = Duration::from_secs(60);
/// How long records wait in a flood that nobody wants.
const HOLD: Duration = Duration::from_secs(3);

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let [endpoint, job, rest @ ..] = args.as_slice() else {
        bail!("ENDPOINT JOB …")
    };
    let mut config = Config::connect([endpoint.parse()?]);
    config.hold = LINGER;
    config.program = format!("worker-{job}");
    match (*job, rest) {
        ("flood", [topics, records]) => flood(config, topics, records.parse()?),
        ("fork", []) => fork(config),
        ("issue", [name, rate, note, spool]) => issue(&Issue {
            endpoint,
            name,
            rate: rate.parse()?,
            note: Path::new(note),
            spool: (!spool.is_empty()).then(|| PathBuf::from(spool)),
            fsync: match std::env::var("WORKER_FSYNC").as_deref() {
                Ok("always") => Fsync::Always,
                _ => Fsync::default(),
            },
        }),
        _ => bail!("unknown job {job}"),
    }
}

fn flood(mut config: Config, topics: &str, records: u64) -> anyhow::Result<()> {
    // Most of the flood shall meet the subscriber.
    config.overflow = Overflow::Block(LINGER);
    config.queue_records = 5_000;
    config.hold = HOLD;
    let publisher = Publisher::new(config)?;
    let topics: Vec<&str> = topics.split(',').collect();
    let padding = "x".repeat(400);
    for at in 0..records {
        let topic = topics[at as usize % topics.len()];
        publisher.publish(&stamped(topic, 20, &format!("{at} {padding}")));
    }
    publisher.flush(LINGER);
    println!("flooded");
    let mut published = records;
    for line in std::io::stdin().lines() {
        let line = line.context("standard input")?;
        for topic in &topics {
            publisher.publish(&stamped(topic, 20, &line));
            published += 1;
        }
    }
    drop(publisher.shutdown(LINGER));
    println!("published {published}");
    Ok(())
}

fn issue(what: &Issue<'_>) -> anyhow::Result<()> {
    let is_over = AtomicBool::new(false);
    let note = std::thread::scope(|scope| {
        scope.spawn(|| {
            // An end of any kind is one.
            drop(std::io::stdin().read_to_end(&mut Vec::new()));
            is_over.store(true, Ordering::Relaxed);
        });
        faults::issue(what, || is_over.load(Ordering::Relaxed))
    })?;
    println!("published {}", note.issued);
    Ok(())
}

fn fork(config: Config) -> anyhow::Result<()> {
    const EACH: usize = 100;
    let publisher = Publisher::new(config)?;
    let publish = |who: &str| {
        for at in 0..EACH {
            publisher.publish(&stamped("forked", 20, &format!("{who} {at}")));
        }
    };
    publish("before");
    // SAFETY: the child calls only what is promised to work after a fork, and _exit.
    let child = unsafe { libc::fork() };
    publish(if child == 0 { "child" } else { "parent" });
    let report = publisher.shutdown(LINGER);
    if child == 0 {
        // SAFETY: ends the child at once, without what belongs to the parent.
        unsafe { libc::_exit(i32::from(!report.is_complete())) };
    }
    let mut status = 0;
    // SAFETY: waits for the one child made above.
    unsafe { libc::waitpid(child, &mut status, 0) };
    if status != 0 || !report.is_complete() {
        bail!("child ended with {status}, parent with {report:?}");
    }
    println!("published {}", 3 * EACH);
    Ok(())
}
