//! A server that answers as Seq's documentation says, or fails in ways that networks fail.
//!
//! The rules it keeps, and where they are from: `POST /ingest/clef` and `POST
//! /api/events/raw?clef` take newline-delimited CLEF (docs.datalust.co, "Posting raw events"); `@t`
//! is required and a timestamp, an event of more than 256 KiB or a line that is no object makes the
//! whole request a 400, a body of more than 10 MiB a 413 (datalust/seqcli, IngestionEndpoints and
//! its end-to-end tests); success is 201 with `MinimumLevelAccepted`; a key, where one is set, comes
//! in `X-Seq-ApiKey`, else 401. What it took it remembers, so that a test can reconcile.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Longer than anything takes on a slow machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(40);

/// What the server does with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Keeps the rules.
    Rules,
    /// Answers this, with more headers.
    Answer(u16, &'static str, &'static str),
    /// Closes the connection in the middle of the request.
    HangUp,
    /// Takes the events, and closes the connection without an answer.
    TakeAndHangUp,
    /// Takes the events, and sends these bytes as an answer.
    Bytes(&'static [u8]),
    /// Reads the request and says nothing until the client gives up.
    Stall,
}

/// What the server knows.
#[derive(Debug)]
pub struct State {
    /// What to do with the next requests.
    pub script: VecDeque<Act>,
    /// What to do when the script is at its end.
    pub usual: Act,
    /// The key that must be shown.
    pub api_key: Option<String>,
    /// The least level, as the answer says it.
    pub level: Option<&'static str>,
    /// Bytes of a request that are too many.
    pub limit: usize,
    /// Answers 404 at the newer path.
    pub is_old: bool,
    /// Every event that was taken.
    pub events: Vec<serde_json::Value>,
    /// Requests so far, whatever came of them.
    pub requests: usize,
    /// Connections so far.
    pub connections: usize,
}

/// The server; see the head of this file.
pub struct SeqServer {
    /// Its address, as `http://127.0.0.1:41000`.
    pub url: String,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl SeqServer {
    /// A server on a port of its own.
    pub fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// A server on a socket that is bound already.
    pub fn on(listener: TcpListener) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            script: VecDeque::new(),
            usual: Act::Rules,
            api_key: None,
            level: None,
            limit: 10 << 20,
            is_old: false,
            events: Vec::new(),
            requests: 0,
            connections: 0,
        };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let served = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = served.clone();
                shared.0.lock().unwrap().connections += 1;
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { url, shared }
    }

    /// What it knows, to look at or to change.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap()
    }

    /// Waits until something is so.
    pub fn until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let waited = self
            .shared
            .1
            .wait_timeout_while(self.state(), PATIENCE, |state| !is_so(state));
        let (state, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "no {what}: {state:?}");
    }

    /// The texts of a property of all events that were taken, in their order.
    pub fn ids(&self, property: &str) -> Vec<String> {
        let state = self.state();
        let values = state.events.iter().map(|event| &event[property]);
        values
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            })
            .collect()
    }
}

/// A request, as far as it matters.
struct Request {
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }
}

fn serve(stream: TcpStream, shared: &(Mutex<State>, Condvar)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(act) = begin(&mut reader, shared) {
        if act == Act::HangUp {
            break;
        }
        let Some(request) = read(&mut reader) else {
            break;
        };
        let answer = act_on(&act, &request, shared);
        shared.1.notify_all();
        let Some(answer) = answer else {
            break;
        };
        if stream.write_all(&answer).is_err() || matches!(act, Act::Bytes(_)) {
            break;
        }
    }
    shared.1.notify_all();
}

/// What to do with the request that begins, once one does.
fn begin(reader: &mut BufReader<TcpStream>, shared: &(Mutex<State>, Condvar)) -> Option<Act> {
    if reader.fill_buf().ok()?.is_empty() {
        return None;
    }
    let mut state = shared.0.lock().unwrap();
    state.requests += 1;
    let usual = state.usual.clone();
    Some(state.script.pop_front().unwrap_or(usual))
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let target = line.split(' ').nth(1)?.to_owned();
    assert!(line.starts_with("POST "), "{line}");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let mut request = Request {
        target,
        headers,
        body: Vec::new(),
    };
    let length = request
        .header("content-length")
        .map(|text| text.parse().unwrap());
    match length {
        Some(length) => {
            request.body = vec![0; length];
            reader.read_exact(&mut request.body).ok()?;
        }
        None => read_chunks(reader, &mut request.body)?,
    }
    Some(request)
}

fn read_chunks(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).ok()?;
        if length == 0 {
            return Some(());
        }
        body.extend_from_slice(&chunk[..length]);
    }
}

/// The answer's bytes; none where the connection is closed without.
fn act_on(act: &Act, request: &Request, shared: &(Mutex<State>, Condvar)) -> Option<Vec<u8>> {
    let mut state = shared.0.lock().unwrap();
    let (status, body, headers) = match act {
        Act::Answer(status, body, headers) => (*status, (*body).to_owned(), *headers),
        Act::TakeAndHangUp | Act::Bytes(_) => {
            drop(rules(request, &mut state));
            return match act {
                Act::Bytes(bytes) => Some(bytes.to_vec()),
                _ => None,
            };
        }
        Act::Stall => {
            drop(state);
            shared.1.notify_all();
            // The client goes away, or the test ends.
            let state = shared.0.lock().unwrap();
            let stalls = |state: &mut State| state.usual == Act::Stall;
            drop(shared.1.wait_timeout_while(state, PATIENCE, stalls));
            return None;
        }
        _ => match rules(request, &mut state) {
            Ok(()) => {
                let level = state
                    .level
                    .map_or("null".to_owned(), |level| format!("{level:?}"));
                (201, format!("{{\"MinimumLevelAccepted\":{level}}}"), "")
            }
            Err((status, reason)) => (status, format!("{{\"Error\":{reason:?}}}"), ""),
        },
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n");
    Some([head.into_bytes(), body.into_bytes()].concat())
}

/// Takes the events of a request, or says which rule it breaks.
fn rules(request: &Request, state: &mut State) -> Result<(), (u16, String)> {
    let is_known = match request.target.as_str() {
        "/ingest/clef" | "/prefix/ingest/clef" => !state.is_old,
        "/api/events/raw?clef" => true,
        _ => false,
    };
    if !is_known {
        return Err((404, "there is nothing here".to_owned()));
    }
    if request.header("content-type") != Some("application/vnd.serilog.clef") {
        return Err((400, "the content type is not CLEF".to_owned()));
    }
    if state.api_key.as_deref() != request.header("x-seq-apikey") && state.api_key.is_some() {
        return Err((401, "the API key is missing or wrong".to_owned()));
    }
    if request.body.len() > state.limit {
        return Err((413, "the request is too large to process".to_owned()));
    }
    let text = String::from_utf8(request.body.clone())
        .map_err(|_| (400, "the body is not UTF-8".to_owned()))?;
    let mut events = Vec::new();
    for line in text.lines() {
        events.push(event(line).map_err(|reason| (400, reason))?);
    }
    state.events.extend(events);
    Ok(())
}

fn event(line: &str) -> Result<serde_json::Value, String> {
    if line.len() > 256 << 10 {
        return Err("an event exceeds the configured size limit".to_owned());
    }
    let event: serde_json::Value =
        serde_json::from_str(line).map_err(|error| format!("JSON parsing failure: {error}"))?;
    let time = event.get("@t").and_then(|time| time.as_str());
    let time = time.ok_or("missing `@t` timestamp property")?;
    time.parse::<jiff::Timestamp>()
        .map_err(|_| "unparseable `@t` timestamp value".to_owned())?;
    for text in ["@l", "@m", "@mt", "@x", "@tr", "@sp"] {
        if event.get(text).is_some_and(|value| !value.is_string()) {
            return Err(format!("{text} is not a string"));
        }
    }
    // What a test marks as something that this server does not like.
    if event.get("poison").is_some() {
        return Err("poison".to_owned());
    }
    Ok(event)
}
