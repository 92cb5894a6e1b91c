//! The flags of the terminal view: what is shown, and how. `view/config.rs` resolves them.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use crate::view::line::Expand;
use crate::view::moment::TimeBase;
use crate::view::style::ThemeName;
use crate::view::top::TopBy;

/// What of the records is shown, and how.
#[derive(Debug, Clone, Default, Args)]
pub struct ViewArgs {
    /// Show records whose text this regular expression fits; of several, one
    ///
    /// The text is the message with extras and traceback. Without a capital letter in the
    /// expression, case does not matter. Filters are for what is shown: files and Seq get every
    /// record. Filters of one kind are alternatives, filters of different kinds must all hold.
    #[arg(
        short,
        long,
        value_name = "REGEX",
        env = "LOGSUB_INCLUDE",
        hide_env_values = true
    )]
    #[arg(help_heading = "Filters", allow_hyphen_values = true)]
    pub include: Vec<String>,

    /// Do not show records whose text this regular expression fits
    #[arg(
        short,
        long,
        value_name = "REGEX",
        env = "LOGSUB_EXCLUDE",
        hide_env_values = true
    )]
    #[arg(help_heading = "Filters", allow_hyphen_values = true)]
    pub exclude: Vec<String>,

    /// Show records by a field: status=500, user!=root, path~=/api/, ms>=250; status?=500 also shows
    /// those without it
    ///
    /// Several values of one field are alternatives; different fields, and other comparisons than
    /// = and ~=, must all hold.
    #[arg(short, long = "field", value_name = "KEY=VALUE", env = "LOGSUB_FIELD")]
    #[arg(help_heading = "Filters", hide_env_values = true)]
    pub field: Vec<String>,

    /// Show records of senders whose name fits: worker-*, web1/*, *:613
    #[arg(
        long,
        value_name = "GLOB",
        env = "LOGSUB_SENDER",
        hide_env_values = true
    )]
    #[arg(help_heading = "Filters")]
    pub sender: Vec<String>,

    /// Show records by a query: 'level >= warn and (status >= 500 or not exists(user.id))'
    ///
    /// docs/query.md has the language.
    #[arg(
        short,
        long,
        value_name = "EXPR",
        env = "LOGSUB_QUERY",
        hide_env_values = true
    )]
    #[arg(help_heading = "Filters")]
    pub query: Vec<String>,

    /// Show also so many records of the same sender after each one that is asked for
    #[arg(
        short = 'A',
        long,
        value_name = "N",
        env = "LOGSUB_AFTER",
        hide_env_values = true
    )]
    #[arg(help_heading = "Filters")]
    pub after: Option<usize>,

    /// Show also so many records of the same sender before each one that is asked for
    #[arg(
        short = 'B',
        long,
        value_name = "N",
        env = "LOGSUB_BEFORE",
        hide_env_values = true
    )]
    #[arg(help_heading = "Filters")]
    pub before: Option<usize>,

    /// The same as -A N -B N
    #[arg(
        short = 'C',
        long,
        value_name = "N",
        env = "LOGSUB_CONTEXT",
        hide_env_values = true
    )]
    #[arg(help_heading = "Filters")]
    pub context: Option<usize>,

    /// Highlight what fits, and show everything: timeout, or red:timeout for another colour
    #[arg(
        short = 'H',
        long,
        value_name = "[COLOR:]REGEX",
        env = "LOGSUB_HIGHLIGHT"
    )]
    #[arg(
        help_heading = "Output",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub highlight: Vec<String>,

    /// What is written: text for people, json, clef or logfmt for programs, raw for messages alone
    #[arg(short, long, value_enum, env = "LOGSUB_OUTPUT", hide_env_values = true)]
    #[arg(help_heading = "Output", conflicts_with_all = ["format", "template", "template_file"])]
    pub output: Option<OutputName>,

    /// Write each record by this template: '{{ time }} {{ sender }} {{ message }}'
    ///
    /// The language is Jinja's (minijinja); every field is there by its name, and time, tag, level,
    /// sender, host, topic, logger, message. {{ message|color('red') }} colours.
    #[arg(
        long,
        value_name = "TEMPLATE",
        env = "LOGSUB_TEMPLATE",
        hide_env_values = true
    )]
    #[arg(help_heading = "Output", conflicts_with_all = ["format", "template_file"])]
    pub template: Option<String>,

    /// Write each record by the template in this file
    #[arg(
        long,
        value_name = "PATH",
        env = "LOGSUB_TEMPLATE_FILE",
        hide_env_values = true
    )]
    #[arg(help_heading = "Output", conflicts_with = "format")]
    pub template_file: Option<PathBuf>,

    /// Show these, too: host, topic, process, threadName, lineno or any other attribute
    #[arg(long, value_name = "FIELD", value_delimiter = ',', env = "LOGSUB_SHOW")]
    #[arg(help_heading = "Output", hide_env_values = true)]
    pub show: Vec<String>,

    /// Do not show these: time, level, sender, logger, an extra by its name, or * for all extras
    #[arg(long, value_name = "FIELD", value_delimiter = ',', env = "LOGSUB_HIDE")]
    #[arg(help_heading = "Output", hide_env_values = true)]
    pub hide: Vec<String>,

    /// Characters of an extra's value that are shown; all when not given
    #[arg(
        long,
        value_name = "N",
        env = "LOGSUB_TRUNCATE",
        hide_env_values = true
    )]
    #[arg(help_heading = "Output")]
    pub truncate: Option<usize>,

    /// How tracebacks and other values of many lines are shown; auto when not given
    #[arg(
        short = 'x',
        long,
        value_enum,
        env = "LOGSUB_EXPAND",
        hide_env_values = true
    )]
    #[arg(help_heading = "Output")]
    pub expand: Option<Expand>,

    /// Frames of a traceback that are shown: the first one and the last ones
    #[arg(
        long,
        value_name = "FRAMES",
        env = "LOGSUB_FOLD",
        hide_env_values = true
    )]
    #[arg(help_heading = "Output")]
    pub fold: Option<usize>,

    /// What stands behind each record: nul is for fzf --read0, so that a traceback stays one item
    #[arg(
        long,
        value_enum,
        env = "LOGSUB_OUTPUT_DELIMITER",
        hide_env_values = true
    )]
    #[arg(help_heading = "Output")]
    pub output_delimiter: Option<Delimiter>,

    /// Colours: auto is on a terminal, unless NO_COLOR is set; off a terminal where FORCE_COLOR is
    #[arg(long, value_enum, env = "LOGSUB_COLOR", hide_env_values = true)]
    #[arg(help_heading = "Output")]
    pub color: Option<When>,

    /// The colours; default can be read on dark and on light
    #[arg(long, value_enum, env = "LOGSUB_THEME", hide_env_values = true)]
    #[arg(help_heading = "Output")]
    pub theme: Option<ThemeName>,

    /// Say nothing on standard error of who comes and goes, nor a summary at the end
    #[arg(
        long,
        env = "LOGSUB_QUIET",
        hide_env_values = true,
        help_heading = "Output"
    )]
    #[arg(value_parser = FalseyValueParser::new())]
    pub quiet: bool,

    /// How long records wait for earlier ones of others, as 100ms, the usual; 0 shows them as they
    /// come
    ///
    /// One that comes later still is shown with ! in the first column. The records of one sender
    /// never swap.
    #[arg(
        long,
        value_name = "TIME",
        env = "LOGSUB_REORDER",
        hide_env_values = true
    )]
    #[arg(help_heading = "Time")]
    pub reorder: Option<String>,

    /// Which time is shown and orders the records: the sender's, the same corrected by the known
    /// difference of the clocks, or when they came
    #[arg(long, value_enum, env = "LOGSUB_TIME", hide_env_values = true)]
    #[arg(help_heading = "Time")]
    pub time: Option<TimeBase>,

    /// How times look: short, full, iso, delta, none or a format for strftime
    #[arg(
        long,
        value_name = "FORMAT",
        env = "LOGSUB_TIME_FORMAT",
        hide_env_values = true
    )]
    #[arg(help_heading = "Time")]
    pub time_format: Option<String>,

    /// Show times in UTC
    #[arg(
        long,
        env = "LOGSUB_UTC",
        hide_env_values = true,
        help_heading = "Time"
    )]
    #[arg(value_parser = FalseyValueParser::new())]
    pub utc: bool,

    /// Show only the last N records: of the journal where the bus has one, and then what comes; else
    /// at the end
    ///
    /// With --since or --from-offset they are the last ones of that part of the journal.
    #[arg(long, value_name = "N", env = "LOGSUB_TAIL", hide_env_values = true)]
    #[arg(help_heading = "End")]
    pub tail: Option<usize>,

    /// End when so many records were shown; context does not count
    #[arg(long, value_name = "N", env = "LOGSUB_COUNT", hide_env_values = true)]
    #[arg(help_heading = "End", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// End behind the first record shown whose text this regular expression fits; or at a time or
    /// entry of the journal: 10m, 2026-11-20T09:00, offset:1000
    ///
    /// What is a time is never taken for an expression; as one it is in brackets: (10m).
    #[arg(
        long,
        value_name = "REGEX|WHEN",
        env = "LOGSUB_UNTIL",
        hide_env_values = true
    )]
    #[arg(help_heading = "End")]
    pub until: Option<String>,

    /// End after so long, as 30s; the exit code is 4 when --count or --until still waits
    #[arg(
        long,
        value_name = "TIME",
        env = "LOGSUB_TIMEOUT",
        hide_env_values = true
    )]
    #[arg(help_heading = "End")]
    pub timeout: Option<String>,

    /// End with exit code 3 when a record was lost on its way to anywhere
    #[arg(
        long,
        env = "LOGSUB_FAIL_ON_LOSS",
        hide_env_values = true,
        help_heading = "End"
    )]
    #[arg(value_parser = FalseyValueParser::new())]
    pub fail_on_loss: bool,

    /// A table in place of records: for each sender, topic or level how much, how fast, what was
    /// lost
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "sender")]
    #[arg(env = "LOGSUB_TOP", hide_env_values = true, help_heading = "Views")]
    #[arg(conflicts_with_all = ["output", "template", "template_file", "tail", "tui", "format"])]
    #[arg(conflicts_with_all = ["count", "until"])]
    pub top: Option<TopBy>,

    /// Look at the records with keys: search, filters, details, senders, a histogram; ? shows help
    #[arg(
        long,
        env = "LOGSUB_TUI",
        hide_env_values = true,
        help_heading = "Views"
    )]
    #[arg(value_parser = FalseyValueParser::new())]
    #[arg(conflicts_with_all = ["output", "template", "template_file", "tail", "count", "until", "format"])]
    #[arg(conflicts_with_all = ["after", "before", "context"])]
    pub tui: bool,

    /// Bytes of records that --tui keeps, as 500MiB; 256MiB when not given
    #[arg(
        long,
        value_name = "BYTES",
        env = "LOGSUB_BUFFER",
        hide_env_values = true,
        help_heading = "Views"
    )]
    pub buffer: Option<String>,

    /// Other keys for --tui: pause=p,quit=ctrl-q; ? shows the keys, the manual page the actions
    ///
    /// An action that is named has the keys that are given, and no other action has those. Actions:
    /// down, up, page-down, page-up, half-down, half-up, first, last, left, right, pause, search,
    /// next, previous, next-error, previous-error, next-warning, previous-warning, mark, to-mark,
    /// include, exclude, filters, all-filters, filter-toggle, filter-edit, filter-delete, all-levels,
    /// debug, info, warning, error, critical, solo, mute, time, expand, expand-all, details, field-is,
    /// field-is-not, copy, save, command, senders, histogram, next-pane, close, mouse, redraw,
    /// suspend, help, quit.
    #[arg(
        long,
        value_name = "ACTION=KEY",
        value_delimiter = ',',
        env = "LOGSUB_KEYS"
    )]
    #[arg(help_heading = "Views", hide_env_values = true)]
    pub keys: Vec<String>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputName {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
    /// A compact log event a line, as Seq takes them
    Clef,
    /// key=value pairs
    Logfmt,
    /// The message and nothing else
    Raw,
}

/// What stands behind each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Delimiter {
    /// A line feed
    #[default]
    Lf,
    /// A byte that is zero
    Nul,
}

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum When {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
