//! The command line of `bus-broker`.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand};
use logbus_broker::ApiKey;

const EXAMPLES: &str = "\
Examples:
  bus-broker
  bus-broker --publishers tcp://127.0.0.1:5556 --subscribers ipc:///run/user/1000/bus.sock
  bus-broker --listen pull+tcp://127.0.0.1:5560 --connect tcp://web1:5558
  bus-broker --subscribers tcp://127.0.0.1:5557,pyzmq+tcp://127.0.0.1:5558
  bus-broker --listen rsyslog+pull+tcp://127.0.0.1:5560,text+tcp://127.0.0.1:5561
  bus-broker --listen pickle+tcp://127.0.0.1:9020,seq+http://127.0.0.1:5341
  bus-broker --reject-file rejects.jsonl
  bus-broker keygen bus --dir /etc/logbus
  bus-broker --key /etc/logbus/bus.key --clients /etc/logbus/clients \\
             --publishers tcp://*:5556 --subscribers tcp://*:5557

Exit codes:
  0 done   1 could not start   2 wrong usage   130 interrupted twice";

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
}
