//! The command line of `bus-broker`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use logbus_broker::{ApiKey, Fsync, Keep};

const EXAMPLES: &str = "\
Examples:
  bus-broker
  bus-broker --publishers tcp://127.0.0.1:5556 --subscribers ipc:///run/user/1000/bus.sock
  bus-broker --listen pull+tcp://127.0.0.1:5560 --connect tcp://web1:5556
  bus-broker --subscribers tcp://127.0.0.1:5557,pyzmq+tcp://127.0.0.1:5559
  bus-broker --listen rsyslog+pull+tcp://127.0.0.1:5560,text+tcp://127.0.0.1:5561
  bus-broker --listen pickle+tcp://127.0.0.1:9020,seq+http://127.0.0.1:5341
  bus-broker --reject-file rejects.jsonl
  bus-broker --journal /var/lib/logbus --journal-max-bytes 20GiB --journal-keep audit=30d,2GiB
  bus-broker journal ls --journal /var/lib/logbus
  bus-broker consumers
  bus-broker keygen bus --dir /etc/logbus
  bus-broker --key /etc/logbus/bus.key --clients /etc/logbus/clients \\
             --publishers tcp://*:5556 --subscribers tcp://*:5557

Exit codes:
  0 done   1 could not start, or damage was found   2 wrong usage   130 interrupted twice";

/// Pass log records on: many publishers to many subscribers, over ZeroMQ and NNG at once.
#[derive(Debug, Parser)]
#[command(name = "bus-broker", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// What to do in place of passing records on.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Listen here for publishers
    ///
    /// tcp://HOST:PORT or ipc://PATH for ZeroMQ, nng+tcp://HOST:PORT or nng+ipc://PATH for NNG,
    /// nng+tls+tcp://HOST:PORT for NNG over TLS; several at once, of all kinds.
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

    /// Serve only clients with keys: the file with the broker's own secret key, from keygen
    ///
    /// ZeroMQ endpoints are encrypted then, and docs/security.md tells how clients get their keys.
    #[arg(
        long,
        value_name = "FILE",
        requires = "clients",
        help_heading = "Security"
    )]
    #[arg(env = "BUS_BROKER_KEY", hide_env_values = true)]
    pub(crate) key: Option<PathBuf>,

    /// The directory of clients: a file each with public-key, publish and subscribe
    ///
    /// It is read again when it changes.
    #[arg(long, value_name = "DIR", requires = "key", help_heading = "Security")]
    #[arg(env = "BUS_BROKER_CLIENTS", hide_env_values = true)]
    pub(crate) clients: Option<PathBuf>,

    /// The file with the public key that is expected at --connect
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Security")]
    #[arg(env = "BUS_BROKER_SERVER_KEY", hide_env_values = true)]
    pub(crate) server_key: Option<PathBuf>,

    /// The file with the certificate for nng+tls+tcp:// endpoints, PEM
    ///
    /// Whoever shows a certificate of the authority in --tls-ca may publish and read everything there.
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Security"
    )]
    #[arg(env = "LOGBUS_TLS_CERT_FILE", hide_env_values = true)]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The file with its secret key, PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_ca",
        help_heading = "Security"
    )]
    #[arg(env = "LOGBUS_TLS_KEY_FILE", hide_env_values = true)]
    pub(crate) tls_key: Option<PathBuf>,

    /// The file with the certificates of the authority whose clients may come in, PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Security"
    )]
    #[arg(env = "LOGBUS_TLS_CA_FILE", hide_env_values = true)]
    pub(crate) tls_ca: Option<PathBuf>,

    /// Listen also where everybody who can connect is served, and nothing is encrypted
    #[arg(long, help_heading = "Security", value_parser = FalseyValueParser::new())]
    #[arg(env = "BUS_BROKER_INSECURE", hide_env_values = true)]
    pub(crate) insecure: bool,

    /// Connections that each listening socket has at once; one more is cut
    ///
    /// Listeners such as pickle+tcp:// have so many together.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1000,
        help_heading = "Limits"
    )]
    #[arg(env = "BUS_BROKER_MAX_CONNECTIONS", hide_env_values = true)]
    pub(crate) max_connections: usize,

    /// Subscriptions of one connection, where clients have keys; who asks for more is cut
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1000,
        help_heading = "Limits"
    )]
    #[arg(env = "BUS_BROKER_MAX_SUBSCRIPTIONS", hide_env_values = true)]
    pub(crate) max_subscriptions: usize,

    /// Bytes of the largest frame; who sends more is cut
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, help_heading = "Limits")]
    #[arg(env = "BUS_BROKER_MAX_FRAME", hide_env_values = true)]
    pub(crate) max_frame: usize,

    /// Messages a second that one publisher may send, over ten seconds; who sends more is cut
    ///
    /// A publisher is a key where clients have keys, and else a connection. What it sends beyond is
    /// dropped and counted. At listeners such as pickle+tcp:// it is made to wait. At the durable
    /// endpoint publishers wait for acknowledgements and need no rate.
    #[arg(long, value_name = "COUNT", help_heading = "Limits")]
    #[arg(env = "BUS_BROKER_MAX_MESSAGE_RATE", hide_env_values = true)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_message_rate: Option<u64>,

    /// The same in bytes, such as 10MiB
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    #[arg(env = "BUS_BROKER_MAX_BYTE_RATE", hide_env_values = true)]
    #[arg(value_parser = parse_rate)]
    pub(crate) max_byte_rate: Option<u64>,

    /// Seconds that a client may take to come in before it is cut
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10.0,
        help_heading = "Limits"
    )]
    #[arg(env = "BUS_BROKER_HANDSHAKE", hide_env_values = true)]
    pub(crate) handshake: f64,
}

/// A size that is not nothing.
fn parse_rate(text: &str) -> Result<u64, String> {
    match logbus_broker::parse_size(text) {
        Ok(0) => Err("nobody could send anything".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
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

    /// Percent of a limit of bytes that one publisher may have; what it sends beyond is not kept
    ///
    /// A publisher is a key where its key is known, and else a sender id. Durable publishers are
    /// told, and count what was refused; PUB/SUB traffic goes on without being kept. What was there
    /// before the broker started is nobody's.
    #[arg(
        long,
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(1..=100),
        env = "BUS_BROKER_JOURNAL_SHARE",
        hide_env_values = true
    )]
    pub(crate) journal_share: Option<u8>,

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
    /// Make a pair of keys: NAME.key, for its owner alone, and NAME.pub
    Keygen {
        /// The name of whoever has the key
        name: String,
        /// The directory for both files
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
    },
    /// Look at a journal that no broker has open
    Journal {
        #[command(subcommand)]
        what: JournalCommand,
    },
    /// List durable subscriptions: names, places, lag
    Consumers {
        #[command(flatten)]
        keys: KeyArgs,
        #[command(subcommand)]
        what: Option<ConsumersCommand>,
    },
}

/// The keys of whoever asks a broker that serves only clients with keys.
#[derive(Debug, Args)]
#[command(next_help_heading = "Security")]
pub(crate) struct KeyArgs {
    /// The file with the secret key of whoever asks [default: LOGBUS_KEY_FILE]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) key: Option<PathBuf>,

    /// The file with the broker's public key [default: LOGBUS_SERVER_KEY_FILE]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) server_key: Option<PathBuf>,
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
