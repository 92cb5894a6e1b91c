//! `http`: a server that takes whatever is posted and answers at once, as a Seq server does.
//!
//! It counts events by the key that stands once in each: `@t` in CLEF, `Timestamp` in the older form.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use logbus_process as process;

use super::window::Progress;
use super::{say, wait_for_the_end};

const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\
    Content-Length: 29\r\n\r\n{\"MinimumLevelAccepted\":null}";

#[derive(Parser)]
struct Arguments {
    /// Events after which the end is said
    #[arg(long)]
    count: u64,
    /// What stands once in each event
    #[arg(long)]
    mark: String,
    /// Where progress is told
    #[arg(long)]
    acks: Option<String>,
}

struct Tally {
    progress: Mutex<Option<Progress>>,
    events: AtomicU64,
    count: u64,
    mark: String,
}

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let arguments = Arguments::parse_from(arguments);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    say(&format!("at http://{}", listener.local_addr()?))?;
    let acks = arguments.acks.as_deref();
    let progress = acks
        .map(|endpoint| Progress::open(&zmq::Context::new(), endpoint))
        .transpose()?;
    let tally = Arc::new(Tally {
        progress: Mutex::new(progress),
        events: AtomicU64::new(0),
        count: arguments.count,
        mark: arguments.mark,
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let tally = tally.clone();
            // A client that goes away ends its connection's thread.
            std::thread::spawn(move || drop(serve(&stream, &tally)));
        }
    });
    wait_for_the_end()
}

fn serve(mut stream: &TcpStream, tally: &Tally) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BufReader::with_capacity(1 << 20, stream);
    let mut body = Vec::new();
    while let Some(length) = head(&mut input)? {
        body.resize(length, 0);
        input.read_exact(&mut body)?;
        stream.write_all(ANSWER)?;
        let more = occurrences(&body, tally.mark.as_bytes());
        let before = tally.events.fetch_add(more, Ordering::Relaxed);
        let mut progress = tally
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(progress) = progress.as_mut() {
            progress.reach(before + more)?;
        }
        drop(progress);
        if before < tally.count && before + more >= tally.count {
            say(&format!("end {}", process::now()))?;
        }
    }
    Ok(())
}

/// Reads a request's head; the length of its body, or nothing when the client has gone.
fn head(input: &mut impl BufRead) -> anyhow::Result<Option<usize>> {
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.is_empty() {
            return Ok(Some(length));
        }
    }
}

fn occurrences(text: &[u8], mark: &[u8]) -> u64 {
    let (mut count, mut rest) = (0, text);
    while let Some(at) = rest.windows(mark.len()).position(|part| part == mark) {
        count += 1;
        // Events are longer than that, so no mark is stepped over.
        rest = rest.get(at + 40..).unwrap_or_default();
    }
    count
}
