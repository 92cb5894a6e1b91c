//! The command line of `bus-broker`.

use std::path::PathBuf;

use clap::Parser;
use logbus_broker::ApiKey;

const EXAMPLES: &str = "\
Examples:
  bus-broker
  bus-broker --publishers tcp://*:5556 --subscribers tcp://*:5557,nng+tcp://*:13233
  bus-broker --listen pull+tcp://*:5560 --connect tcp://web1:5558
  bus-broker --subscribers tcp://*:5557,pyzmq+tcp://127.0.0.1:5558
  bus-broker --listen rsyslog+pull+tcp://127.0.0.1:5560,text+tcp://127.0.0.1:5561
  bus-broker --listen pickle+tcp://127.0.0.1:9020,seq+http://127.0.0.1:5341
  bus-broker --reject-file rejects.jsonl

Exit codes:
  0 done   1 could not start   2 wrong usage   130 interrupted twice";

/// Pass log records on: many publishers to many subscribers, over ZeroMQ and NNG at once.
#[derive(Debug, Parser)]
#[command(name = "bus-broker", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
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
}
