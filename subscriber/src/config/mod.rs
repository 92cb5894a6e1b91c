//! What was meant: the command line and the environment, resolved and checked.
//!
//! This is the one place that knows in which order they count: what was typed, then the
//! environment (both read by `cli.rs`), then the defaults. All problems are said at once.

pub mod node;
pub mod options;
mod units;

use std::path::PathBuf;

use logbus_schemas::{Level, TopicFilter};

use logbus_broker::{Entrance, ListenConfig};

use crate::cli::Cli;
use crate::format::PercentFormat;

/// Where messages come in; nothing at all means: find the bus or be it.
#[derive(Debug, Clone, Default)]
pub struct Entrances {
    /// Where to listen and where to connect in place of the bus.
    pub own: Vec<Entrance>,
    /// Where to listen besides; whoever does that is the bus.
    pub listen: Vec<Entrance>,
    /// What listeners are told that are among them.
    pub listening: ListenConfig,
}

/// Everything a `logsub` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Topics; none means all.
    pub topics: Vec<TopicFilter>,
    /// Where messages come in.
    pub entrances: Entrances,
    /// Records below are not shown.
    pub level: Option<Level>,
    /// How a line looks.
    pub format: PercentFormat,
    /// The file to append to.
    pub file: Option<PathBuf>,
    /// Whether to write to standard output.
    pub console: bool,
    /// Whether to show joins and ends.
    pub verbose: bool,
    /// Whether to print the table at the end.
    pub stats: bool,
    /// Bytes of the largest message that is read.
    pub max_message: usize,
    /// Where messages that cannot be read are kept.
    pub reject_file: Option<PathBuf>,
}

impl Config {
    /// Resolves a command line; an error names every problem it has.
    pub fn resolve(cli: Cli) -> anyhow::Result<Self> {
        let mut problems = Problems::default();
        let topics = problems.each("--topics", &cli.topics, TopicFilter::parse);
        let bind = problems.each("--bind", &cli.bind, Entrance::listen);
        let connect = problems.each("--connect", &cli.connect, Entrance::connect);
        let listen = problems.each("--listen", &cli.listen, Entrance::listen);
        let level = cli.level.iter().cloned().collect::<Vec<_>>();
        let level = problems
            .each("--level", &level, |text| text.parse::<Level>())
            .pop();
        let format = PercentFormat::parse(&cli.format, cli.datefmt.as_deref());
        let format = problems.check("--format", format);
        let max_message = problems.check("--max-message", parse_bytes(&cli.max_message));
        let (Some(format), Some(max_message), []) = (format, max_message, &problems.0[..]) else {
            anyhow::bail!("{}", problems.0.join("; "));
        };
        Ok(Self {
            topics,
            entrances: Entrances {
                own: bind.into_iter().chain(connect).collect(),
                listen,
                listening: ListenConfig {
                    api_key: cli.listen_api_key,
                    ..ListenConfig::default()
                },
            },
            level,
            format,
            file: cli.file,
            console: !cli.no_console,
            verbose: cli.verbose,
            stats: cli.stats,
            max_message,
            reject_file: cli.reject_file,
        })
    }
}

/// What is wrong with a command line.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn check<T, E: std::fmt::Display>(&mut self, flag: &str, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|error| self.0.push(format!("{flag}: {error}")))
            .ok()
    }

    fn each<T, E: std::fmt::Display>(
        &mut self,
        flag: &str,
        texts: &[String],
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let texts = texts.iter().filter(|text| !text.is_empty());
        texts
            .filter_map(|text| self.check(&format!("{flag} {text}"), parse(text)))
            .collect()
    }
}

fn parse_bytes(text: &str) -> Result<usize, String> {
    let size = units::bytes(text).and_then(|size| usize::try_from(size).ok());
    size.filter(|size| *size > 0)
        .ok_or_else(|| format!("{text:?} is no size; write for example 500KiB or 16MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn resolve(arguments: &[&str]) -> anyhow::Result<Config> {
        let arguments = ["logsub"].iter().chain(arguments);
        Config::resolve(Cli::try_parse_from(arguments).unwrap())
    }

    #[test]
    fn lists_may_have_commas_or_come_one_by_one() {
        let config =
            resolve(&["-t", "a,b", "-t", "c", "--bind", "tcp://*:1,nng+tcp://*:2"]).unwrap();
        assert_eq!((config.topics.len(), config.entrances.own.len()), (3, 2));
    }

    #[test]
    fn of_what_is_given_twice_the_last_counts() {
        let config = resolve(&[
            "--max-message=1",
            "--max-message=2",
            "--stats",
            "--stats",
            "-v",
            "-v",
            "--file=a",
            "--file=b",
            "--level=info",
            "--level=error",
            "--reject-file=a",
            "--reject-file=b",
            "--no-console",
            "--no-console",
        ])
        .unwrap();
        assert_eq!((config.max_message, config.level), (2, Some(Level::ERROR)));
        assert_eq!(config.file, Some("b".into()));
        assert_eq!(config.reject_file, Some("b".into()));
        assert!(config.stats && config.verbose && !config.console);
    }

    #[test]
    fn every_flag_has_its_variable() {
        use clap::CommandFactory;
        for argument in Cli::command().get_arguments() {
            let name = argument.get_id().as_str();
            let variable = argument.get_env().and_then(|name| name.to_str());
            let expected = format!("LOGSUB_{}", name.to_uppercase());
            assert_eq!(variable, Some(expected.as_str()), "{name}");
        }
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let error = resolve(&[
            "-t",
            "a..b",
            "--bind",
            "5556",
            "-l",
            "loud",
            "--max-message",
            "x",
        ])
        .unwrap_err()
        .to_string();
        for part in [
            "--topics a..b",
            "--bind 5556",
            "--level loud",
            "--max-message",
        ] {
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(error.lines().count(), 1);
    }
}
