//! The command line of `bus-broker`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use logbus_broker::{ApiKey, Fsync, Keep};

const EXAMPLES: &str = "\
Examples:
  bus-broker
  bus-broker --publishers tcp://*:5556 --subscribers tcp://*:5557,nng+tcp://*:13233
  bus-broker --listen pull+tcp://*:5560 --connect tcp://web1:5556
  bus-broker --subscribers tcp://*:5557,pyzmq+tcp://127.0.0.1:5559
  bus-broker --listen rsyslog+pull+tcp://127.0.0.1:5560,text+tcp://127.0.0.1:5561
  bus-broker --listen pickle+tcp://127.0.0.1:9020,seq+http://127.0.0.1:5341
  bus-broker --reject-file rejects.jsonl
  bus-broker --journal /var/lib/logbus --journal-max-bytes 20GiB --journal-keep audit=30d,2GiB
  bus-broker journal ls --journal /var/lib/logbus
  bus-broker consumers

Exit codes:
  0 done   1 could not start, or damage was found   2 wrong usage   130 interrupted twice";

/// Pass log records on: many publishers to many subscribers, over ZeroMQ and NNG at once.
#[derive(Debug, Parser)]
#[command(name = "bus-broker", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Listen here for publishers
    ///
    /// tcp://HOST:PORT or ipc://PATH for ZeroMQ, nng+tcp://HOST:PORT or nng+ipc://PATH for NNG;
    /// several at once, of both kinds.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENDPOINT",
        env = "BUS_BROKER_PUBLISHERS",
        hide_env_values = true
    )]
    #[arg(default_value = "tcp://127.0.0.1:5556,nng+tcp://127.0.0.1:13232")]
    pub(crate) publishers: Vec<String>,

    /// Listen here as well, for senders of other kinds
    ///
    /// Before an endpoint may stand pull+ for ZeroMQ and NNG senders that push, and before that
    /// the dialect of everything that comes in there: rsyslog+pull+tcp://HOST:PORT. Lines of plain
    /// text are text+, and docs/dialects.md has the others. pickle+tcp://HOST:PORT is for Python's
    /// SocketHandler, seq+http://HOST:PORT for clients of Seq.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENTRANCE",
        env = "BUS_BROKER_LISTEN",
        hide_env_values = true
    )]
    pub(crate) listen: Vec<String>,

    /// The API key that clients of Seq must show at seq+http://
    ///
    /// Given in the environment it is not seen in lists of processes. Without it everybody who can
    /// connect is served.
    #[arg(
        long,
        value_name = "KEY",
        env = "BUS_BROKER_LISTEN_API_KEY",
        hide_env_values = true
    )]
    pub(crate) listen_api_key: Option<ApiKey>,

    /// Connect to a publisher that listens here
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENTRANCE",
        env = "BUS_BROKER_CONNECT",
        hide_env_values = true
    )]
    pub(crate) connect: Vec<String>,

    /// Listen here for subscribers
    ///
    /// pyzmq+ before a ZeroMQ endpoint makes it one for `python -m zmq.log` and its like, who take
    /// lines of text.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENDPOINT",
        env = "BUS_BROKER_SUBSCRIBERS",
        hide_env_values = true
    )]
    #[arg(default_value = "tcp://127.0.0.1:5557,nng+tcp://127.0.0.1:13233")]
    pub(crate) subscribers: Vec<String>,

    /// Messages held for a subscriber that does not take them as fast as they come
    #[arg(long, value_name = "MESSAGES", default_value_t = 1000)]
    #[arg(env = "BUS_BROKER_SUBSCRIBER_QUEUE", hide_env_values = true)]
    pub(crate) subscriber_queue: usize,

    /// Keep messages that cannot be read in this file, a JSON object a line
    #[arg(
        long,
        value_name = "PATH",
        env = "BUS_BROKER_REJECT_FILE",
        hide_env_values = true
    )]
    pub(crate) reject_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) journal: JournalArgs,
}

/// Flags of the journal.
#[derive(Debug, Args)]
#[command(next_help_heading = "Journal")]
pub(crate) struct JournalArgs {
    /// Keep messages in this folder, and serve durable publishers and readers
    ///
    /// docs/durable.md has the whole of it.
    #[arg(
        long = "journal",
        value_name = "DIR",
        global = true,
        env = "BUS_BROKER_JOURNAL",
        hide_env_values = true
    )]
    pub(crate) dir: Option<PathBuf>,

    /// Listen here for durable publishers and readers; ZeroMQ only
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENDPOINT",
        global = true,
        env = "BUS_BROKER_DURABLE_ENDPOINT",
        hide_env_values = true
    )]
    #[arg(default_value = "tcp://127.0.0.1:5558")]
    pub(crate) durable_endpoint: Vec<String>,

    /// When what was written is synced to disk: always, interval=TIME or never
    ///
    /// always: before it is acknowledged, so that it survives a power cut. interval=50ms: this
    /// often; a power cut may take so much. never: when the system does it. In all three what was
    /// acknowledged survives the end of the broker, kill -9 included.
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "interval=50ms",
        env = "BUS_BROKER_FSYNC",
        hide_env_values = true
    )]
    pub(crate) fsync: Fsync,

    /// Journal PUB/SUB traffic of these topics, too; * is all of it
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "TOPIC",
        env = "BUS_BROKER_JOURNAL_TOPICS",
        hide_env_values = true
    )]
    pub(crate) journal_topics: Vec<String>,

    /// Keep so many bytes of messages, such as 20GiB; the oldest go first
    #[arg(
        long,
        value_name = "SIZE",
        value_parser = logbus_broker::parse_size,
        env = "BUS_BROKER_JOURNAL_MAX_BYTES",
        hide_env_values = true
    )]
    pub(crate) journal_max_bytes: Option<u64>,

    /// Keep messages so long, such as 12h or 30d
    #[arg(
        long,
        value_name = "TIME",
        value_parser = logbus_broker::parse_age,
        env = "BUS_BROKER_JOURNAL_MAX_AGE",
        hide_env_values = true
    )]
    pub(crate) journal_max_age: Option<std::time::Duration>,

    /// Delete the oldest messages when less than this is free on the disk
    #[arg(
        long,
        value_name = "SIZE",
        value_parser = logbus_broker::parse_size,
        default_value = "256MiB",
        env = "BUS_BROKER_JOURNAL_MIN_FREE",
        hide_env_values = true
    )]
    pub(crate) journal_min_free: u64,

    /// Limits of the topics below a prefix: TOPIC=TIME,SIZE,free=SIZE; may be given several times
    ///
    /// Such as audit=30d,2GiB. The longest prefix that names a topic decides; what none names has
    /// the limits of the flags above.
    #[arg(long, value_name = "LIMITS")]
    pub(crate) journal_keep: Vec<Keep>,
}

/// What to do in place of being a broker.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at a journal that no broker has open
    Journal {
        #[command(subcommand)]
        what: JournalCommand,
    },
    /// List durable subscriptions: names, places, lag
    Consumers {
        #[command(subcommand)]
        what: Option<ConsumersCommand>,
    },
}

/// What to do with a journal.
#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// What there is of each topic
    Ls,
    /// Check every message, and name those that are damaged
    Verify,
    /// Write all messages into a file
    Export {
        /// The file; - is standard output
        file: PathBuf,
    },
    /// Append the messages of such a file; what is here already is not taken twice
    Import {
        /// The file; - is standard input
        file: PathBuf,
    },
    /// Free what was deleted, at once
    Compact,
}

/// What to do with durable subscriptions.
#[derive(Debug, Subcommand)]
pub(crate) enum ConsumersCommand {
    /// Forget one: who comes with its name begins anew
    Rm {
        /// Its name.
        name: String,
    },
}
