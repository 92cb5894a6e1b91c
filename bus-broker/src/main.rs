//! `bus-broker`: parse, open every endpoint, run until a signal, report.
#![allow(clippy::print_stderr, reason = "this is the program that speaks")]

mod cli;
mod inspect;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use cli::Cli;
use cli::JournalArgs;
use logbus_broker::{
    Broker, Config, DurableConfig, Entrance, JournalConfig, Limits, ListenConfig, RejectFile,
};
use logbus_schemas::TopicFilter;
use logbus_transport::{Attachment, EndpointError, Error, ErrorKind, has_encryption};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long what has come in is passed on after the first signal.
const DRAIN: Duration = Duration::from_secs(2);

/// Before an endpoint at which subscribers read text.
const PYZMQ: &str = "pyzmq+";

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(command) = &cli.command {
        return match inspect::run(command, &cli.journal) {
            Ok(code) => code,
            Err(error) => fail(&error, 1),
        };
    }
    let config = match resolve(cli) {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

fn resolve(cli: Cli) -> anyhow::Result<Config> {
    let rejects = match &cli.reject_file {
        Some(path) => Some(
            RejectFile::open(path).with_context(|| format!("cannot open {}", path.display()))?,
        ),
        None => None,
    };
    let (pyzmq, native): (Vec<_>, Vec<_>) = cli
        .subscribers
        .into_iter()
        .partition(|text| text.starts_with(PYZMQ));
    Ok(Config {
        publishers: [
            parse_all("--publishers", &cli.publishers, Entrance::listen)?,
            parse_all("--listen", &cli.listen, Entrance::listen)?,
            parse_all("--connect", &cli.connect, Entrance::connect)?,
        ]
        .concat(),
        subscribers: parse_all("--subscribers", &native, |text| {
            text.parse().map(Attachment::Bind)
        })?,
        pyzmq_subscribers: parse_all("--subscribers", &pyzmq, |text| {
            text.strip_prefix(PYZMQ)
                .unwrap_or(text)
                .parse()
                .map(Attachment::Bind)
        })?,
        subscriber_queue: cli.subscriber_queue.max(1),
        listen: ListenConfig {
            api_key: cli.listen_api_key,
            ..ListenConfig::default()
        },
        durable: resolve_journal(&cli.journal)?,
        rejects,
        say: Box::new(|line| eprintln!("bus-broker: {line}")),
        ..Config::default()
    })
}

fn resolve_journal(args: &JournalArgs) -> anyhow::Result<Option<DurableConfig>> {
    let Some(dir) = &args.dir else {
        return Ok(None);
    };
    let topics: Result<Vec<TopicFilter>, _> = args
        .journal_topics
        .iter()
        .map(|text| TopicFilter::parse(text))
        .collect();
    let topics = topics.context("--journal-topics")?;
    let is_all = topics.contains(&TopicFilter::ALL);
    let some = (!topics.is_empty()).then_some(topics);
    Ok(Some(DurableConfig {
        endpoints: parse_all("--durable-endpoint", &args.durable_endpoint, str::parse)?,
        journal: JournalConfig {
            fsync: args.fsync,
            limits: Limits {
                max_bytes: args.journal_max_bytes,
                max_age: args.journal_max_age,
                min_free: Some(args.journal_min_free),
            },
            keep: args.journal_keep.clone(),
            topics: if is_all { Some(Vec::new()) } else { some },
            ..JournalConfig::new(dir)
        },
    }))
}

fn parse_all<T>(
    flag: &str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, EndpointError>,
) -> anyhow::Result<Vec<T>> {
    texts
        .iter()
        .map(|text| parse(text))
        .collect::<Result<_, _>>()
        .with_context(|| flag.to_owned())
}

fn run(config: Config) -> anyhow::Result<()> {
    let mut signals = watch_signals()?;
    let broker = Broker::start(config).map_err(explain)?;
    eprintln!(
        "bus-broker: publishers connect to {}, subscribers to {}{}{}",
        list(broker.publishers()),
        list(&subscribers(&broker)),
        match broker.durable() {
            [] => String::new(),
            durable => format!(", durable ones to {}", list(durable)),
        },
        if has_encryption() {
            ""
        } else {
            " (no CURVE in this libzmq)"
        }
    );
    signals.forever().next();
    eprintln!("bus-broker: {}", broker.close(DRAIN));
    Ok(())
}

/// The first SIGINT or SIGTERM asks for an end, the second gets it at once.
fn watch_signals() -> anyhow::Result<Signals> {
    let asked = Arc::<AtomicBool>::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, asked.clone())?;
        signal_hook::flag::register(signal, asked.clone())?;
    }
    Ok(Signals::new([SIGINT, SIGTERM])?)
}

fn explain(error: Error) -> anyhow::Error {
    if error.kind == ErrorKind::InUse {
        return anyhow::anyhow!(
            "{error}: another bus-broker, a logsub that is the bus, or a publisher that binds; \
             stop it, or choose other endpoints with --publishers and --subscribers"
        );
    }
    error.into()
}

/// Where subscribers find it, as `--subscribers` is written.
fn subscribers(broker: &Broker) -> Vec<String> {
    let native = broker.subscribers().iter().map(ToString::to_string);
    let pyzmq = broker.pyzmq_subscribers().iter();
    native
        .chain(pyzmq.map(|endpoint| format!("{PYZMQ}{endpoint}")))
        .collect()
}

fn list(places: &[impl ToString]) -> String {
    let places: Vec<String> = places.iter().map(ToString::to_string).collect();
    places.join(" and ")
}

/// One line on standard error.
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("bus-broker: {error:#}");
    ExitCode::from(code)
}
