//! The command line of `logpub`: what was typed, nothing resolved.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  logpub -t deploy \"version 42 is live\"
  tail -F app.log | logpub -t myapp -l warning
  logpub --json < records.jsonl
  logpub run -t nightly -- python3 job.py --all
  logpub --durable --spool /var/spool/logbus -t deploy \"version 42 is live\"
  logpub --drain /var/spool/logbus --durable-endpoint tcp://logs:5558

Exit codes:
  0 all was handed over (durable: acknowledged, or kept in the spool)   1 not all was
  2 wrong usage
  drain: 0 all was acknowledged   1 not all was
  run: those of the program, 128+N when signal N ended it, 126 or 127 when it could not be run";

/// Publish log records: the arguments as one message, or standard input line by line.
#[derive(Debug, Parser)]
#[command(name = "logpub", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,

    /// Lines that are JSON objects are records
    #[arg(long, env = "LOGPUB_JSON", hide_env_values = true)]
    pub(crate) json: bool,

    /// Send what is in the spools in DIR whose publishers are dead, and end
    ///
    /// Spools of any program are sent, under their own senders and numbers, and removed when a
    /// broker has acknowledged all of them. It gives up when nothing was acknowledged for --linger
    /// seconds.
    #[arg(long, value_name = "DIR", conflicts_with = "message")]
    pub(crate) drain: Option<PathBuf>,

    /// The message; without one, standard input is read
    pub(crate) message: Vec<String>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What both ways of publishing are told.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The topic and logger's name [default: logpub; with run, the program's name]
    #[arg(
        short,
        long,
        value_name = "TOPIC",
        env = "LOGPUB_TOPIC",
        hide_env_values = true
    )]
    pub(crate) topic: Option<String>,

    /// debug, info, warning, error, critical or a number
    #[arg(
        short,
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "LOGPUB_LEVEL",
        hide_env_values = true
    )]
    pub(crate) level: String,

    /// Where to connect to [default: LOGBUS_ENDPOINT, else tcp://127.0.0.1:5556]
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "ENDPOINT",
        env = "LOGPUB_CONNECT",
        hide_env_values = true
    )]
    pub(crate) connect: Vec<String>,

    /// The file with the secret key, for a broker that asks for one [default: LOGBUS_KEY_FILE]
    #[arg(long, value_name = "FILE", env = "LOGPUB_KEY", hide_env_values = true)]
    pub(crate) key: Option<PathBuf>,

    /// The file with the broker's public key [default: LOGBUS_SERVER_KEY_FILE]
    #[arg(
        long,
        value_name = "FILE",
        env = "LOGPUB_SERVER_KEY",
        hide_env_values = true
    )]
    pub(crate) server_key: Option<PathBuf>,

    /// Send until a broker has acknowledged it, over its durable endpoint
    #[arg(long, env = "LOGPUB_DURABLE", hide_env_values = true)]
    pub(crate) durable: bool,

    /// A broker's durable endpoint [default: LOGBUS_DURABLE_ENDPOINT, else tcp://127.0.0.1:5558]
    #[arg(
        long,
        value_name = "ENDPOINT",
        env = "LOGPUB_DURABLE_ENDPOINT",
        hide_env_values = true
    )]
    pub(crate) durable_endpoint: Option<String>,

    /// Keep in DIR what is not acknowledged (implies --durable)
    ///
    /// The next logpub of that topic sends it, or --drain.
    #[arg(long, value_name = "DIR", env = "LOGPUB_SPOOL", hide_env_values = true)]
    pub(crate) spool: Option<PathBuf>,

    /// Seconds to wait for a subscriber, and at the end for what is still queued or unacknowledged
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 5.0,
        env = "LOGPUB_LINGER",
        hide_env_values = true
    )]
    pub(crate) linger: f64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a program and publish what it prints, line by line
    ///
    /// Its standard error is published one level higher than its standard output, a Python
    /// traceback as one record. Signals and the exit status are passed through.
    Run {
        #[command(flatten)]
        common: Common,

        /// Print the lines here as well
        #[arg(long, env = "LOGPUB_TEE", hide_env_values = true)]
        tee: bool,

        /// The program and its arguments
        #[arg(required = true, last = true, value_name = "CMD")]
        command: Vec<String>,
    },
}

impl Common {
    /// Whether records are sent until they are acknowledged.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable || self.spool.is_some()
    }
}
