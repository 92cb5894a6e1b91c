//! The flags of history: what of a bus's journal is read. `history/wanted.rs` resolves them.

use clap::Args;
use clap::builder::FalseyValueParser;

/// What of the journal is read.
#[derive(Debug, Clone, Default, Args)]
pub struct HistoryArgs {
    /// Begin in the bus's journal: 10m ago, at 2026-11-20T08:00, or at its begin; then go on live
    ///
    /// Times are ms, s, m, h, d or w ago, or dates (RFC 3339) with or without a time and an offset
    /// from UTC. Nothing is missing and nothing twice where the journal ends and the live stream
    /// begins. Needs a bus-broker that has a journal.
    #[arg(
        long,
        value_name = "WHEN",
        env = "LOGSUB_SINCE",
        hide_env_values = true,
        help_heading = "History",
        conflicts_with = "from_offset"
    )]
    pub since: Option<String>,

    /// The same, at this entry of the journal
    #[arg(
        long,
        value_name = "N",
        env = "LOGSUB_FROM_OFFSET",
        hide_env_values = true,
        help_heading = "History"
    )]
    pub from_offset: Option<u64>,

    /// End at the end of the journal
    #[arg(
        long,
        env = "LOGSUB_NO_FOLLOW",
        hide_env_values = true,
        help_heading = "History",
        value_parser = FalseyValueParser::new()
    )]
    pub no_follow: bool,

    /// Take records under this name, which remembers on the broker's disk what was handled
    ///
    /// However slow the handlers are, and whatever ends this program, nothing is missing: an entry
    /// of the journal counts as handled when every handler has it safe, files on disk, Seq's events
    /// in their spool. What was not noted yet comes again. A new name begins at the begin of the
    /// journal, or where --since or --from-offset say.
    #[arg(
        long,
        value_name = "NAME",
        env = "LOGSUB_DURABLE",
        hide_env_values = true,
        help_heading = "History",
        conflicts_with_all = ["tail", "bind", "connect", "listen"]
    )]
    pub durable: Option<String>,

    /// Share the work of a durable subscription with others that have the same name and --share
    #[arg(
        long,
        env = "LOGSUB_SHARE",
        hide_env_values = true,
        help_heading = "History",
        value_parser = FalseyValueParser::new(),
        requires = "durable"
    )]
    pub share: bool,

    /// Where the broker's journal is; tcp://127.0.0.1:5558 when not given
    #[arg(
        long,
        value_name = "ENDPOINT",
        env = "LOGSUB_DURABLE_ENDPOINT",
        hide_env_values = true,
        help_heading = "History"
    )]
    pub durable_endpoint: Option<String>,
}
