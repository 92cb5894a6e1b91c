//! How a publisher publishes: where to, how much it may hold, and what gives when that is full.
//!
//! Every part has a default that suits a worker process on one machine. The environment variable
//! `LOGBUS_ENDPOINT` (endpoints with commas between) stands in for the default endpoint,
//! `LOGBUS_PROGRAM` for the program's name, and `LOGBUS_KEY_FILE` with `LOGBUS_SERVER_KEY_FILE` for the
//! files with keys.

use std::path::PathBuf;
use std::time::Duration;

use logbus_schemas::codec::{self, Codec};
use logbus_schemas::topic::Topic;
use logbus_transport::{Endpoint, EndpointError, Error, Security};

use crate::durable::{Delivery, Tell};

/// Where publishers connect to when nothing else is said: the publishers' side of a broker on
/// this machine.
pub const DEFAULT_ENDPOINT: &str = "tcp://127.0.0.1:5556";

/// What happens to a record that finds the queue full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It is discarded.
    #[default]
    DiscardNewest,
    /// The oldest record that waits is discarded.
    DiscardOldest,
    /// The caller waits for room up to this long; then the record is discarded.
    Block(Duration),
}

/// The settings of a [`crate::Publisher`].
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to connect to; what is published goes to each of them. None: what the environment
    /// variable `LOGBUS_ENDPOINT` says, else [`DEFAULT_ENDPOINT`].
    pub connect: Vec<Endpoint>,
    /// How records are written on the wire.
    pub codec: Codec,
    /// Put before every record's name to make its topic.
    pub topic_prefix: Option<Topic>,
    /// Records that may wait.
    pub queue_records: usize,
    /// Bytes of encoded records that may wait. Up to 256 messages, of [`Config::batch_bytes`] or of one
    /// larger record, are in each endpoint's socket besides, where its peer is slow.
    pub queue_bytes: usize,
    /// What happens to a record that finds the queue full.
    pub overflow: Overflow,
    /// How long records that nobody wants wait for a subscriber, at the start and whenever one has gone: a
    /// day at most. Where others are wanted, they make room for those.
    pub hold: Duration,
    /// How long dropping the publisher waits for what is still queued. Over NNG a look-up of a host's
    /// name that is under way comes on top; an address needs none.
    pub linger: Duration,
    /// A message is closed at about this many bytes; a backlog of smaller records shares one.
    pub batch_bytes: usize,
    /// A record that is larger than this many bytes when encoded is discarded.
    pub max_record: usize,
    /// The name under which people see this sender.
    pub program: String,
    /// What is promised of a record that was sent. Durable delivery has an endpoint of its own, in
    /// place of those above.
    pub delivery: Delivery,
    /// The file with this client's secret key, for a broker whose ZeroMQ endpoints ask for one. None:
    /// what the environment variable `LOGBUS_KEY_FILE` says.
    pub key_file: Option<PathBuf>,
    /// The file with the broker's public key. None: what `LOGBUS_SERVER_KEY_FILE` says.
    pub server_key_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect: Vec::new(),
            codec: codec::MSGPACK,
            topic_prefix: None,
            queue_records: 100_000,
            queue_bytes: 64 << 20,
            overflow: Overflow::default(),
            hold: Duration::from_secs(2),
            linger: Duration::from_secs(1),
            batch_bytes: 64 << 10,
            max_record: 16 << 20,
            program: program_name(),
            delivery: Delivery::default(),
            key_file: None,
            server_key_file: None,
        }
    }
}

impl Config {
    /// The default settings with these endpoints.
    pub fn connect(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self {
            connect: endpoints.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The same for a process in which no spool can be made: records that wait in memory are better
    /// than none. `None` where there is none.
    pub(crate) fn without_spool(&self) -> Option<Self> {
        let mut config = self.clone();
        match &mut config.delivery {
            Delivery::Durable(durable) => durable.spool.take()?,
            Delivery::BestEffort => return None,
        };
        Some(config)
    }

    /// Tells what nobody can be returned.
    pub(crate) fn tell(&self, line: &str) {
        match &self.delivery {
            Delivery::Durable(durable) => durable.tell.say(line),
            Delivery::BestEffort => Tell::stderr().say(line),
        }
    }

    /// How ZeroMQ endpoints are secured, by the files given, else those of the environment.
    pub(crate) fn security(&self) -> Result<Option<Security>, Error> {
        Security::from_files(self.key_file.as_deref(), self.server_key_file.as_deref())
    }

    /// The endpoints to connect to: those given, else the environment's, else the default.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>, EndpointError> {
        if !self.connect.is_empty() {
            return Ok(self.connect.clone());
        }
        let said = std::env::var("LOGBUS_ENDPOINT").unwrap_or_default();
        let texts = said
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let endpoints: Vec<Endpoint> = texts.map(str::parse).collect::<Result<_, _>>()?;
        if endpoints.is_empty() {
            Ok(vec![DEFAULT_ENDPOINT.parse()?])
        } else {
            Ok(endpoints)
        }
    }
}

/// The name of the running program: `LOGBUS_PROGRAM`, else the last part of how it was called.
fn program_name() -> String {
    let called = || {
        let path = std::env::args_os().next()?;
        Some(
            std::path::Path::new(&path)
                .file_name()?
                .to_string_lossy()
                .into_owned(),
        )
    };
    std::env::var("LOGBUS_PROGRAM")
        .ok()
        .filter(|name| !name.is_empty())
        .or_else(called)
        .unwrap_or_else(|| "unnamed".to_owned())
}
