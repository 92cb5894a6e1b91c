//! The command line of `logsub`: what was typed, nothing resolved.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::FalseyValueParser;
use logbus_broker::ApiKey;

const EXAMPLES: &str = "\
Examples:
  logsub                              be the bus, or join it, and show everything
  logsub -t myapp,jobs -l warning     two topics and what is below them, warnings and worse
  logsub -t myapp --file app.log      on the terminal and into a file
  logsub --connect tcp://web1:5557 --connect nng+tcp://web2:13233
  logsub --listen seq+http://127.0.0.1:5341
  logsub --bind tcp://*:5556 --no-console --file all.log --stats

Exit codes:
  0 done   1 could not start   2 wrong usage   130 interrupted twice";

/// Show log records from many processes, in one place, and count every one that was lost.
///
/// With no endpoint, logsub connects to the bus on this machine if there is one; else it is the
/// bus itself, for publishers and for other subscribers.
#[derive(Debug, Parser)]
#[command(name = "logsub", version, after_help = EXAMPLES, max_term_width = 100)]
// Of a flag that is given twice the last one counts; lists grow.
#[command(args_override_self = true)]
pub struct Cli {
    /// Topics to show, each with everything below it; all when not given
    #[arg(
        short,
        long,
        value_delimiter = ',',
        value_name = "TOPIC",
        env = "LOGSUB_TOPICS",
        hide_env_values = true
    )]
    #[arg(help_heading = "Bus")]
    pub topics: Vec<String>,

    /// Listen here for publishers that connect
    ///
    /// tcp://HOST:PORT or ipc://PATH for ZeroMQ, nng+tcp://HOST:PORT or nng+ipc://PATH for NNG;
    /// several at once, of both kinds.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENDPOINT",
        env = "LOGSUB_BIND",
        hide_env_values = true
    )]
    #[arg(help_heading = "Bus")]
    pub bind: Vec<String>,

    /// Be the bus, and listen here as well for senders of other kinds
    ///
    /// Before an endpoint may stand pull+ for ZeroMQ and NNG senders that push, and before that
    /// the dialect of everything that comes in there: rsyslog+pull+tcp://HOST:PORT. Lines of plain
    /// text are text+, and docs/dialects.md has the others. pickle+tcp://HOST:PORT is for Python's
    /// SocketHandler, seq+http://HOST:PORT for clients of Seq.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENTRANCE",
        env = "LOGSUB_LISTEN",
        hide_env_values = true
    )]
    #[arg(help_heading = "Bus")]
    pub listen: Vec<String>,

    /// The API key that clients of Seq must show at seq+http://
    ///
    /// Given in the environment it is not seen in lists of processes. Without it everybody who can
    /// connect is served.
    #[arg(
        long,
        value_name = "KEY",
        env = "LOGSUB_LISTEN_API_KEY",
        hide_env_values = true,
        help_heading = "Bus"
    )]
    pub listen_api_key: Option<ApiKey>,

    /// Connect to a broker here, or to a publisher that listens
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENDPOINT",
        env = "LOGSUB_CONNECT",
        hide_env_values = true
    )]
    #[arg(help_heading = "Bus")]
    pub connect: Vec<String>,

    /// Bytes of the largest message that is read, as 500KiB or 16MiB
    #[arg(
        long,
        value_name = "BYTES",
        default_value = "16MiB",
        env = "LOGSUB_MAX_MESSAGE",
        hide_env_values = true
    )]
    #[arg(help_heading = "Bus")]
    pub max_message: String,

    /// Keep messages that cannot be read in this file, a JSON object a line
    #[arg(
        long,
        value_name = "PATH",
        env = "LOGSUB_REJECT_FILE",
        hide_env_values = true,
        help_heading = "Bus"
    )]
    pub reject_file: Option<PathBuf>,

    /// Show records of this level and above: debug, info, warning, error, critical or a number
    #[arg(
        short,
        long,
        value_name = "LEVEL",
        env = "LOGSUB_LEVEL",
        hide_env_values = true,
        help_heading = "Filters"
    )]
    pub level: Option<String>,

    /// How a line looks, in Python's % style
    ///
    /// Every attribute of Python's LogRecord and every extra has its place, as %(levelname)-8s;
    /// what a record does not have shows as "-".
    #[arg(long, value_name = "FORMAT", default_value = crate::format::DEFAULT_FORMAT)]
    #[arg(env = "LOGSUB_FORMAT", hide_env_values = true, help_heading = "Output")]
    pub format: String,

    /// How %(asctime)s looks, for strftime; Python's default when not given
    #[arg(
        long,
        value_name = "FORMAT",
        env = "LOGSUB_DATEFMT",
        hide_env_values = true,
        help_heading = "Output"
    )]
    pub datefmt: Option<String>,

    /// Append to this file; it is opened anew when it was moved, and on SIGHUP
    #[arg(
        long,
        value_name = "PATH",
        env = "LOGSUB_FILE",
        hide_env_values = true,
        help_heading = "Output"
    )]
    pub file: Option<PathBuf>,

    /// Write nothing to standard output
    #[arg(
        long,
        env = "LOGSUB_NO_CONSOLE",
        hide_env_values = true,
        value_parser = FalseyValueParser::new(),
        help_heading = "Output"
    )]
    pub no_console: bool,

    /// Say at the end what came and what did not, a line a sender
    #[arg(
        long,
        env = "LOGSUB_STATS",
        hide_env_values = true,
        value_parser = FalseyValueParser::new(),
        help_heading = "Output"
    )]
    pub stats: bool,

    /// Show also which senders join and end
    #[arg(
        short,
        long,
        env = "LOGSUB_VERBOSE",
        hide_env_values = true,
        value_parser = FalseyValueParser::new(),
        help_heading = "Output"
    )]
    pub verbose: bool,
}
