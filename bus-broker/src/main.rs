//! `bus-broker`: parse, open every endpoint, run until a signal, report.
#![forbid(unsafe_code)]
#![allow(clippy::print_stderr, reason = "this is the program that speaks")]

mod cli;
mod inspect;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use cli::{Cli, Command, JournalArgs};
use logbus_broker::{
    Broker, Config, DEFAULT_NNG_PUBLISHERS, DEFAULT_NNG_SUBSCRIBERS, DurableConfig, Entrance,
    JournalConfig, Limits, ListenConfig, RejectFile, Rights, Secured, exposed,
};
use logbus_schemas::TopicFilter;
use logbus_transport::{
    Attachment, EndpointError, Error, ErrorKind, KeyPair, PublicKey, Rate, Tls, has_encryption,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long what has come in is passed on after the first signal.
const DRAIN: Duration = Duration::from_secs(2);

/// Before an endpoint at which subscribers read text.
const PYZMQ: &str = "pyzmq+";

fn main() -> ExitCode {
    logbus_process::share_arenas();
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Keygen { name, dir }) => keygen(name, dir).map(|()| ExitCode::SUCCESS),
        Some(Command::Journal { what }) => inspect::journal(what, &cli.journal),
        Some(Command::Consumers { keys, what }) => {
            inspect::consumers(what.as_ref(), &cli.journal, keys).map(|()| ExitCode::SUCCESS)
        }
        None => return serve(cli),
    };
    done.unwrap_or_else(|error| fail(&error, 1))
}

fn serve(cli: Cli) -> ExitCode {
    let config = match resolve(cli) {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

/// Makes `NAME.key` and `NAME.pub`.
fn keygen(name: &str, dir: &Path) -> anyhow::Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        anyhow::bail!("{name:?} is no name: letters, digits, - _ . and no dot at the start");
    }
    let (secret, public) = KeyPair::generate()?.write(dir, name)?;
    eprintln!(
        "bus-broker: {} is for {name} alone, {} for everybody",
        secret.display(),
        public.display()
    );
    Ok(())
}

fn resolve(mut cli: Cli) -> anyhow::Result<Config> {
    let insecure = cli.insecure;
    if cli.key.is_some() && !insecure {
        leave_out_nng_defaults(&mut cli);
    }
    let config = configure(cli)?;
    let exposed = exposed(&config);
    if let Some(first) = exposed.first().filter(|_| !insecure) {
        let remedy = match config.security.is_some() {
            true => "leave it out",
            false => "give keys with --key and --clients (docs/security.md)",
        };
        anyhow::bail!("{first}; {remedy}, or say --insecure");
    }
    for place in exposed {
        eprintln!("bus-broker: warning: {place}");
    }
    Ok(config)
}

/// Over NNG nobody shows a key, so with keys it must be asked for.
fn leave_out_nng_defaults(cli: &mut Cli) {
    cli.publishers
        .retain(|place| place != DEFAULT_NNG_PUBLISHERS);
    cli.subscribers
        .retain(|place| place != DEFAULT_NNG_SUBSCRIBERS);
}

/// The broker's keys and its clients'.
fn secured(cli: &Cli) -> anyhow::Result<Option<Secured>> {
    let (Some(key), Some(clients)) = (&cli.key, &cli.clients) else {
        return Ok(None);
    };
    Ok(Some(Secured {
        own: KeyPair::read(key).context("--key")?,
        rights: Rights::open(clients).context("--clients")?,
        dialled: match &cli.server_key {
            Some(path) => Some(PublicKey::read(path).context("--server-key")?),
            None => None,
        },
    }))
}

/// The files of TLS, all three or none.
fn tls(cli: &Cli) -> Option<Tls> {
    Some(Tls {
        certificate: cli.tls_cert.clone()?,
        key: cli.tls_key.clone()?,
        authority: cli.tls_ca.clone()?,
    })
}

fn configure(cli: Cli) -> anyhow::Result<Config> {
    let tls = tls(&cli);
    let security = secured(&cli)?;
    let handshake = Duration::try_from_secs_f64(cli.handshake).context("--handshake")?;
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
        max_frame: cli.max_frame.max(1),
        max_connections: cli.max_connections,
        max_subscriptions: cli.max_subscriptions,
        max_rate: Rate {
            messages: cli.max_message_rate,
            bytes: cli.max_byte_rate,
        },
        handshake,
        security,
        tls,
        listen: ListenConfig {
            api_key: cli.listen_api_key,
            connections: cli.max_connections,
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
    let mut keeps = args.journal_keep.iter();
    let is_limited = keeps.any(|keep| keep.limits.max_bytes.is_some());
    if args.journal_share.is_some() && args.journal_max_bytes.is_none() && !is_limited {
        anyhow::bail!(
            "--journal-share is a share of --journal-max-bytes, or of a SIZE in --journal-keep; give one of them"
        );
    }
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
            share: args.journal_share,
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
