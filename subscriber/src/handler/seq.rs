//! The Seq handler: records as events on a Seq server, none lost while it is away.
//!
//! ```yaml
//! seq: {type: seq, server: 'http://seq:5341', api_key_file: /run/secrets/seq, spool: /var/lib/logsub/seq.redb}
//! ```
//!
//! An event (`seq/event.rs`) is on disk (`seq/spool.rs`) once it is flushed, and a thread
//! (`seq/shipper.rs`) posts what waits there in batches (`seq/client.rs`). It is deleted when the
//! server has taken it, so it arrives at least once, also after a crash; twice only where an answer
//! was lost, or the program was killed while it delivered. When the spool is full, new events are dropped and counted.

mod client;
pub(crate) mod event;
mod shipper;
mod spool;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::Context;
use logbus_process as process;
use logbus_schemas::{Level, Map, Record};

use self::client::Client;
use self::event::MAX_EVENT;
use self::shipper::{ASK_EVERY, Batching, Shared, Shipper};
use self::spool::Spool;
use super::{Fault, Handler, Opener, Row, Setting, is_shown};
use crate::config::options::{Form, Kind, Options, Parameter, parameter};
use crate::item::Item;

/// Events that are gathered before they go to the spool without waiting for a pause: each time costs a
/// sync.
const GATHERED: usize = 4000;
/// Bytes of events that are kept while the spool cannot be written.
const MAX_GATHERED: usize = 16 << 20;
/// Bytes of one request that Seq takes (`RawPayloadMaximumContentLength` is 10 MiB), with room.
const MAX_BATCH: u64 = 9 << 20;
const MAX_SPOOL: u64 = 1 << 30;
/// The first wait after a failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);

const SPOOL: Parameter = parameter(
    "spool",
    Kind::Text,
    "the file in which events wait; one for each server below ~/.local/state/logsub",
);
const API_KEY_FILE: Parameter = parameter("api_key_file", Kind::Text, "a file with the API key");

pub(super) const ROW: Row = Row {
    name: "seq",
    summary: "events on a Seq server, which wait on disk while it is away",
    forms: &[
        Form {
            class: "seq",
            parameters: &[
                parameter("server", Kind::Text, "the server, as http://seq:5341"),
                parameter("api_key", Kind::Secret, "the API key"),
                API_KEY_FILE,
                parameter(
                    "batch_records",
                    Kind::Count,
                    "events of one request at most; 1000",
                ),
                parameter(
                    "batch_bytes",
                    Kind::Bytes,
                    "bytes of one request at most; 9MiB",
                ),
                parameter(
                    "batch_time",
                    Kind::Seconds,
                    "how long fewer are waited with; 2s",
                ),
                parameter(
                    "event_bytes",
                    Kind::Bytes,
                    "bytes of one event at most; 250KiB",
                ),
                SPOOL,
                parameter("spool_bytes", Kind::Bytes, "how much may wait there; 1GiB"),
                parameter(
                    "dead_letters",
                    Kind::Text,
                    "the file for events that the server refuses; beside the spool",
                ),
                parameter("timeout", Kind::Seconds, "how long an answer may take; 30s"),
                parameter(
                    "close_timeout",
                    Kind::Seconds,
                    "how long to deliver what waits at the end; 2s",
                ),
                parameter(
                    "ca_file",
                    Kind::Text,
                    "certificates to trust in place of the system's, PEM",
                ),
                parameter(
                    "properties",
                    Kind::Map,
                    "properties of every event, as {Environment: prod}",
                ),
            ],
            read: read_own,
        },
        Form {
            class: "seqlog.structured_logging.SeqLogHandler",
            parameters: SEQLOG,
            read: read_seqlog,
        },
        Form {
            class: "seqlog.SeqLogHandler",
            parameters: SEQLOG,
            read: read_seqlog,
        },
    ],
};

/// Those of seqlog 0.4.
const SEQLOG: &[Parameter] = &[
    parameter("server_url", Kind::Text, "the server, as http://seq:5341"),
    parameter("api_key", Kind::Secret, "the API key"),
    parameter(
        "batch_size",
        Kind::Count,
        "events of one request at most; 10",
    ),
    parameter(
        "auto_flush_timeout",
        Kind::Seconds,
        "how long fewer are waited with; 2s",
    ),
    parameter(
        "json_encoder_class",
        Kind::Any,
        "accepted; records arrive serialized already",
    ),
    API_KEY_FILE,
    SPOOL,
];

/// What a handler was told.
struct Settings {
    server: String,
    api_key: Option<String>,
    batching: Batching,
    event_bytes: usize,
    spool: Option<PathBuf>,
    spool_bytes: u64,
    dead_letters: Option<PathBuf>,
    timeout: Duration,
    close_timeout: Duration,
    ca_file: Option<PathBuf>,
    properties: Map,
}

impl Settings {
    fn new(server: String, api_key: Option<String>) -> Self {
        Self {
            server,
            api_key,
            batching: Batching {
                records: 1000,
                bytes: MAX_BATCH as usize,
                time: Duration::from_secs(2),
                first_wait: FIRST_WAIT,
                ask_every: ASK_EVERY,
            },
            event_bytes: MAX_EVENT,
            spool: None,
            spool_bytes: MAX_SPOOL,
            dead_letters: None,
            timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(2),
            ca_file: None,
            properties: Map::default(),
        }
    }
}

fn read_own(options: &mut Options<'_>) -> Option<Opener> {
    let server = server(options, "server");
    let api_key = api_key(options);
    let mut settings = Settings::new(server?, api_key);
    let size = |bytes: Option<u64>, usual: usize| {
        bytes.map_or(usual, |bytes| {
            usize::try_from(bytes.max(1)).unwrap_or(usual)
        })
    };
    settings.batching = Batching {
        records: size(options.count("batch_records"), settings.batching.records),
        bytes: size(options.bytes("batch_bytes"), settings.batching.bytes),
        time: options
            .seconds("batch_time")
            .unwrap_or(settings.batching.time),
        ..settings.batching
    };
    settings.event_bytes = size(options.bytes("event_bytes"), MAX_EVENT);
    settings.spool = options.path("spool");
    settings.spool_bytes = options.bytes("spool_bytes").unwrap_or(MAX_SPOOL);
    settings.dead_letters = options.path("dead_letters");
    settings.timeout = options.seconds("timeout").unwrap_or(settings.timeout);
    settings.close_timeout = options
        .seconds("close_timeout")
        .unwrap_or(settings.close_timeout);
    settings.ca_file = options.path("ca_file");
    settings.properties = options.values("properties").unwrap_or_default();
    Some(opener(settings))
}

fn read_seqlog(options: &mut Options<'_>) -> Option<Opener> {
    let server = server(options, "server_url");
    let api_key = api_key(options);
    let mut settings = Settings::new(server?, api_key);
    let size = options.count("batch_size").unwrap_or(10).max(1);
    settings.batching.records = usize::try_from(size).unwrap_or(usize::MAX);
    if let Some(time) = options.seconds("auto_flush_timeout") {
        settings.batching.time = time;
    }
    if options.take("json_encoder_class").is_some() {
        options.warn(
            "json_encoder_class",
            "is not needed: records arrive serialized already",
        );
    }
    settings.spool = options.path("spool");
    Some(opener(settings))
}

/// The address of a server: http or https, with a host.
fn server(options: &mut Options<'_>, name: &'static str) -> Option<String> {
    let server = options.required_text(name)?;
    let rest = server
        .strip_prefix("http://")
        .or_else(|| server.strip_prefix("https://"));
    if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with(['/', ':', '?'])) {
        let problem = format!("{server:?} is no address; write for example http://seq:5341");
        options.wrong(name, problem);
        return None;
    }
    Some(server)
}

fn api_key(options: &mut Options<'_>) -> Option<String> {
    let key = options.text("api_key");
    let Some(path) = options.path("api_key_file") else {
        return key;
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) => {
            options.wrong(
                "api_key_file",
                format!("cannot read {}: {error}", path.display()),
            );
            None
        }
    }
}

fn opener(settings: Settings) -> Opener {
    Box::new(move |setting: Setting| {
        let seq = Seq::open(settings, setting)?;
        Ok(Box::new(seq) as Box<dyn Handler>)
    })
}

/// The handler; see the head of this file.
pub struct Seq {
    name: String,
    verbose: bool,
    say: super::Say,
    outpost: Arc<Outpost>,
    server: String,
    close_timeout: Duration,
    event_bytes: usize,
    properties: Map,
    /// Events that are not in the spool yet.
    gathered: Vec<String>,
    gathered_bytes: usize,
    /// Events of records that had no room.
    dropped: u64,
    /// Events of records that the server does not want.
    unwanted: u64,
}

/// A spool with its thread. Handlers of one process that name the same spool share it: while a
/// configuration is read again, there are two for a moment.
struct Outpost {
    shared: Arc<Shared>,
}

impl Drop for Outpost {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

/// The outposts of this process, by the paths of their spools.
static OUTPOSTS: Mutex<Option<HashMap<PathBuf, Weak<Outpost>>>> = Mutex::new(None);

impl Seq {
    fn open(settings: Settings, setting: Setting) -> anyhow::Result<Self> {
        let path = match &settings.spool {
            Some(path) => path.clone(),
            None => usual_spool(&settings.server)?,
        };
        let name = setting.name.clone();
        let outer = setting.say.clone();
        let say: super::Say = Arc::new(move |line: &str| outer(&format!("{name}: {line}")));
        let outpost = outpost(&path, &settings, &say)?;
        let waiting = outpost.shared.lock().spool.waiting();
        if waiting > 0 {
            say(&format!(
                "{waiting} events of an earlier run wait for {}",
                settings.server
            ));
        }
        Ok(Self {
            name: setting.name,
            verbose: setting.verbose,
            say,
            outpost,
            server: settings.server,
            close_timeout: settings.close_timeout,
            event_bytes: settings.event_bytes,
            properties: settings.properties,
            gathered: Vec::new(),
            gathered_bytes: 0,
            dropped: 0,
            unwanted: 0,
        })
    }

    fn gather(&mut self, record: &Record, host: Option<&str>, is_record: bool) {
        let level = record.level().unwrap_or(Level::INFO);
        if !self.outpost.shared.is_wanted(event::level_name(level)) {
            self.unwanted += u64::from(is_record);
            return;
        }
        let now = process::now();
        let mut event = event::event(record, host, now, &self.properties);
        if event.len() > self.event_bytes {
            event = event::placeholder(record, now, event.len());
        }
        if self.gathered_bytes + event.len() > MAX_GATHERED {
            self.dropped += u64::from(is_record);
            return;
        }
        self.gathered_bytes += event.len();
        self.gathered.push(event);
        if self.gathered.len() >= GATHERED {
            // The next flush says what is wrong.
            drop(self.store());
        }
    }

    /// Puts what was gathered into the spool.
    fn store(&mut self) -> Result<(), Fault> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let pushed = self.outpost.shared.lock().spool.push(&self.gathered);
        let without_room = pushed.map_err(|error| {
            let text = format!("the spool cannot be written: {error}");
            Fault::Io(std::io::Error::other(text))
        })?;
        self.gathered.clear();
        self.gathered_bytes = 0;
        self.outpost.shared.wake();
        if without_room > 0 {
            self.dropped += without_room;
            let text = format!("the spool is full: {without_room} events were dropped");
            return Err(Fault::Partly(std::io::Error::other(text)));
        }
        Ok(())
    }
}

fn outpost(path: &Path, settings: &Settings, say: &super::Say) -> anyhow::Result<Arc<Outpost>> {
    let mut outposts = OUTPOSTS.lock().unwrap_or_else(PoisonError::into_inner);
    let outposts = outposts.get_or_insert_default();
    let path = std::path::absolute(path)?;
    if let Some(outpost) = outposts.get(&path).and_then(Weak::upgrade) {
        return Ok(outpost);
    }
    let client = Client::new(
        &settings.server,
        settings.api_key.clone(),
        settings.timeout,
        settings.ca_file.as_deref(),
    )?;
    let shared = Shared::new(Spool::open(&path, settings.spool_bytes)?);
    let shipper = Shipper {
        shared: shared.clone(),
        client,
        batching: settings.batching.clone(),
        dead_letters: match &settings.dead_letters {
            Some(path) => path.clone(),
            None => path.with_extension("dead.jsonl"),
        },
        server: settings.server.clone(),
        say: say.clone(),
        failures: 0,
        posted: Instant::now(),
    };
    std::thread::Builder::new()
        .name("logsub-seq".to_owned())
        .spawn(move || shipper.run())
        .context("cannot start a thread")?;
    let outpost = Arc::new(Outpost { shared });
    outposts.retain(|_, outpost| outpost.strong_count() > 0);
    outposts.insert(path, Arc::downgrade(&outpost));
    Ok(outpost)
}

/// A file of its own for each server, where programs keep what they need again.
fn usual_spool(server: &str) -> anyhow::Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let folder = state.filter(|path| path.is_absolute()).or_else(home);
    let folder = folder.context("there is no HOME to keep events in; say where: spool: PATH")?;
    let mut hasher = DefaultHasher::new();
    server.hash(&mut hasher);
    Ok(folder.join(format!("logsub/seq-{:016x}.redb", hasher.finish())))
}

impl Handler for Seq {
    fn name(&self) -> &str {
        &self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            match item {
                Item::Record(delivered) => self.gather(&delivered.record, delivered.host(), true),
                Item::Notice(notice) if is_shown(notice, self.verbose) => {
                    self.gather(&notice.to_record(process::now()), None, false);
                }
                Item::Notice(_) => {}
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.store()
    }

    fn secure(&mut self) -> Result<bool, Fault> {
        Ok(self.gathered.is_empty())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let stored = self.store();
        self.dropped += self.gathered.len() as u64;
        let waiting = self.outpost.shared.drain(self.close_timeout);
        if waiting > 0 {
            (self.say)(&format!(
                "{waiting} events wait on disk for {}, for the next run",
                self.server
            ));
        }
        stored
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }

    fn held_back(&self) -> u64 {
        self.unwanted
    }
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "the tests across processes use it, too")]
pub(super) mod conformance_server;
#[cfg(test)]
pub(super) mod tests;
