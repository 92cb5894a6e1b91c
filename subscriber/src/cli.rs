//! The command line of `logsub`: what was typed, nothing resolved.

mod history;
mod view;

use std::path::PathBuf;

use clap::Parser;
use clap::builder::FalseyValueParser;

use crate::config::defaults::OwnDefaults;
use crate::manual::Shell;

pub use history::HistoryArgs;
pub use view::{Delimiter, OutputName, ViewArgs, When};

const EXAMPLES: &str = "\
Examples:
  logsub                              be the bus, or join it, and show everything
  logsub -t myapp,jobs -l warning     two topics and what is below them, warnings and worse
  logsub -l warning -l myapp.db=debug -l 'worker-*=error'
                                      warnings; more of one logger, less of some senders
  logsub -t myapp --file app.log      on the terminal and into a file
  logsub -i timeout -f status=500 -C 3            what fits both, with what came before and after
  logsub -q 'level >= error and user == 7'       docs/query.md has the language
  logsub -o json --count 100 --timeout 1min       for a script
  logsub --since 10m                  from the bus's journal, then live
  logsub --since 2026-11-20T08:00 --until 2026-11-20T09:00 -l error
  logsub --tail 100 --no-follow       the last 100 records, and no more
  logsub --durable audit --file audit.log         nothing is missing, also after a crash
  logsub --top                        a table of the senders
  logsub --tui                        with keys; ? shows them
  logsub --connect tcp://web1:5557 --connect nng+tcp://web2:13233
  logsub --listen seq+http://127.0.0.1:5341
  logsub --bind tcp://127.0.0.1:5556 --no-console --file all.log --stats
  logsub --file all.log --rotate-size 10MiB --keep 5 --seq http://127.0.0.1:5341
  logsub --config logging.yaml        the handlers and loggers of a Python logging configuration
  logsub check-config logging.yaml    everything that is wrong with it, with line and column

Exit codes:
  0 done   1 could not start, or the bus refuses   2 wrong usage
  3 records were lost and --fail-on-loss   4 the run ended before --count or --until did
  130 interrupted twice";

const COMPLETIONS: &str = "\
Where shells look for it:
  logsub completions bash > ~/.local/share/bash-completion/completions/logsub
  logsub completions zsh > ~/.zfunc/_logsub     (with fpath+=~/.zfunc before compinit)
  logsub completions fish > ~/.config/fish/completions/logsub.fish";

/// Show log records from many processes, in one place, and count every one that was lost.
///
/// With no endpoint, logsub connects to the bus on this machine if there is one; else it is the
/// bus itself, for publishers and for other subscribers.
#[derive(Debug, Clone, Parser)]
#[command(name = "logsub", version, after_help = EXAMPLES, max_term_width = 100)]
// Of a flag that is given twice the last one counts; lists grow.
#[command(args_override_self = true, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do in place of receiving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Read handlers, loggers and settings from this file: YAML, JSON, TOML or INI
    ///
    /// The shape is that of Python's logging.config, dictConfig or fileConfig, so the file that
    /// the workers had will do. Flags come before files. SIGHUP reads the files again.
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "LOGSUB_CONFIG",
        hide_env_values = true,
        value_delimiter = ',',
        help_heading = "Configuration"
    )]
    pub config: Vec<PathBuf>,

    /// Leave out handlers, formatters and filters of classes that are not built in
    #[arg(
        long,
        env = "LOGSUB_LENIENT",
        hide_env_values = true,
        value_parser = FalseyValueParser::new(),
        help_heading = "Configuration"
    )]
    pub lenient: bool,

    /// Read the configuration again whenever its files change
    #[arg(
        long,
        env = "LOGSUB_WATCH",
        hide_env_values = true,
        value_parser = FalseyValueParser::new(),
        help_heading = "Configuration"
    )]
    pub watch: bool,

    /// Print the configuration as it was understood, without its secrets, and end
    #[arg(
        long,
        env = "LOGSUB_PRINT_CONFIG",
        hide_env_values = true,
        value_parser = FalseyValueParser::new(),
        help_heading = "Configuration"
    )]
    pub print_config: bool,

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
    pub listen_api_key: Option<String>,

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

    /// The file with this program's secret key, for a bus whose clients have keys
    ///
    /// bus-broker keygen makes one, and docs/security.md tells the rest. Without this flag the
    /// environment variable LOGBUS_KEY_FILE counts.
    #[arg(
        long,
        value_name = "FILE",
        env = "LOGSUB_KEY",
        hide_env_values = true,
        help_heading = "Bus"
    )]
    pub key: Option<PathBuf>,

    /// The file with the public key of the bus; without this flag LOGBUS_SERVER_KEY_FILE counts
    #[arg(
        long,
        value_name = "FILE",
        env = "LOGSUB_SERVER_KEY",
        hide_env_values = true,
        help_heading = "Bus"
    )]
    pub server_key: Option<PathBuf>,

    /// Where this is the bus, serve only the clients that have a file in this directory
    #[arg(
        long,
        value_name = "DIR",
        env = "LOGSUB_CLIENTS",
        hide_env_values = true,
        help_heading = "Bus"
    )]
    pub clients: Option<PathBuf>,

    /// Listen also where everybody who can connect is served, and nothing is encrypted
    #[arg(
        long,
        env = "LOGSUB_INSECURE",
        hide_env_values = true,
        value_parser = FalseyValueParser::new(),
        help_heading = "Bus"
    )]
    pub insecure: bool,

    /// Bytes of the largest message that is read, as 500KiB; 16MiB when not given
    #[arg(
        long,
        value_name = "BYTES",
        env = "LOGSUB_MAX_MESSAGE",
        hide_env_values = true
    )]
    #[arg(help_heading = "Bus")]
    pub max_message: Option<String>,

    /// Keep messages that cannot be read in this file, a JSON object a line
    #[arg(
        long,
        value_name = "PATH",
        env = "LOGSUB_REJECT_FILE",
        hide_env_values = true,
        help_heading = "Bus"
    )]
    pub reject_file: Option<PathBuf>,

    /// Show records of this level and above: debug, info, warning, error, critical or a number;
    /// for a part of them LOGGER=LEVEL or SENDER=LEVEL
    ///
    /// -l warning -l myapp.db=debug shows warnings, and of the logger myapp.db and those below it
    /// everything from debug on. A sender is host/program:pid, program:pid, program or its id, with *
    /// for any text and ? for any character: -l 'worker-*=error'. Of several that fit a record the
    /// longest decides.
    #[arg(
        short,
        long,
        value_delimiter = ',',
        value_name = "LEVEL",
        env = "LOGSUB_LEVEL",
        hide_env_values = true,
        help_heading = "Filters"
    )]
    pub level: Vec<String>,

    /// What is shown, and how.
    #[command(flatten)]
    pub view: ViewArgs,

    /// What of the journal is read.
    #[command(flatten)]
    pub history: HistoryArgs,

    /// How a line looks, in Python's % style; or json, clef, logfmt, gelf
    ///
    /// Every attribute of Python's LogRecord and every extra has its place, as %(levelname)-8s;
    /// what a record does not have shows as "-". When not given it is
    /// "%(asctime)s %(levelname)-8s %(name)s %(process)s %(message)s".
    #[arg(
        long,
        value_name = "FORMAT",
        env = "LOGSUB_FORMAT",
        hide_env_values = true,
        help_heading = "Output"
    )]
    pub format: Option<String>,

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

    /// Begin a new file before this one grows beyond so many bytes, as 10MiB
    #[arg(
        long,
        value_name = "BYTES",
        env = "LOGSUB_ROTATE_SIZE",
        hide_env_values = true,
        help_heading = "Output"
    )]
    pub rotate_size: Option<String>,

    /// Begin a new file at such times: S, M, H, D, W0 to W6 (Monday is 0) or midnight
    #[arg(
        long,
        value_name = "WHEN",
        env = "LOGSUB_ROTATE_WHEN",
        hide_env_values = true,
        help_heading = "Output"
    )]
    pub rotate_when: Option<String>,

    /// Keep so many files beside the one that is written
    #[arg(
        long,
        value_name = "COUNT",
        env = "LOGSUB_KEEP",
        hide_env_values = true,
        help_heading = "Output"
    )]
    pub keep: Option<u32>,

    /// Send to this Seq server, as http://seq:5341; what it does not take yet waits on disk
    #[arg(
        long,
        value_name = "URL",
        env = "LOGSUB_SEQ",
        hide_env_values = true,
        help_heading = "Output"
    )]
    pub seq: Option<String>,

    /// The file with the API key that the Seq server is shown
    #[arg(
        long,
        value_name = "PATH",
        env = "LOGSUB_SEQ_API_KEY_FILE",
        hide_env_values = true,
        help_heading = "Output"
    )]
    pub seq_api_key_file: Option<PathBuf>,

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

    /// Which of these were not typed, but are the user's own defaults.
    #[arg(skip)]
    pub own: OwnDefaults,
}

/// What `logsub` does besides receiving.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Say everything that is wrong with configuration files, and end with 2 if anything is
    CheckConfig {
        /// The files, read one after the other
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Classes that are not built in are warnings
        #[arg(long)]
        lenient: bool,
    },
    /// Print a script that completes what is typed after logsub
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell that it is for
        shell: Shell,
    },
    /// Print the manual page; to read it: logsub man | man -l -
    Man,
}
