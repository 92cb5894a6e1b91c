//! The settings of the bus and of the program itself: the part `logsub` of a configuration.

use std::path::PathBuf;

use logbus_broker::{ApiKey, Entrance, ListenConfig};
use logbus_schemas::TopicFilter;

use super::Entrances;
use super::node::Node;
use super::options::{Kind, Options, Parameter, Problems, parameter};
use crate::keys::Keys;
use crate::levels::Levels;

/// What is said of the bus and of the program.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Topics; none means all.
    pub topics: Vec<TopicFilter>,
    /// Where messages come in.
    pub entrances: Entrances,
    /// Records below are not shown.
    pub levels: Levels,
    /// Whether to show joins and ends.
    pub verbose: bool,
    /// Whether to print the table at the end.
    pub stats: bool,
    /// Bytes of the largest message that is read.
    pub max_message: usize,
    /// Where messages that cannot be read are kept.
    pub reject_file: Option<PathBuf>,
}

/// Bytes of the largest message, when nothing else is said.
const MAX_MESSAGE: u64 = 16 << 20;

/// The settings by name; those of the command line have the same.
pub const SETTINGS: &[Parameter] = &[
    parameter(
        "topics",
        Kind::Texts,
        "topics to show, each with everything below it; all when not given",
    ),
    parameter(
        "bind",
        Kind::Texts,
        "endpoints to listen at, in place of the bus",
    ),
    parameter(
        "connect",
        Kind::Texts,
        "endpoints to connect to, in place of the bus",
    ),
    parameter(
        "listen",
        Kind::Texts,
        "entrances for senders of other kinds; whoever has one is the bus",
    ),
    parameter(
        "listen_api_key",
        Kind::Secret,
        "the key that clients of Seq must show",
    ),
    parameter(
        "key_file",
        Kind::Text,
        "the file with the secret key, for a bus whose clients have keys",
    ),
    parameter(
        "server_key_file",
        Kind::Text,
        "the file with the public key of that bus",
    ),
    parameter(
        "clients",
        Kind::Text,
        "the directory of clients; whoever has one is a bus whose clients have keys",
    ),
    parameter(
        "insecure",
        Kind::Bool,
        "listen also where everybody who can connect is served; false",
    ),
    parameter(
        "level",
        Kind::Texts,
        "records below go to no handler at all; also LOGGER=LEVEL and SENDER=LEVEL, as myapp.db=debug",
    ),
    parameter(
        "max_message",
        Kind::Bytes,
        "bytes of the largest message that is read; 16MiB",
    ),
    parameter(
        "reject_file",
        Kind::Text,
        "the file for messages that cannot be read",
    ),
    parameter(
        "verbose",
        Kind::Bool,
        "show also which senders join and end; false",
    ),
    parameter(
        "stats",
        Kind::Bool,
        "say at the end what came and what did not; false",
    ),
];

/// Reads the part `logsub` of a tree; `None` when it has a problem.
pub(super) fn read(tree: &Node, problems: &mut Problems) -> Option<Settings> {
    let part = tree.get("logsub").cloned().unwrap_or_default();
    let entries = part.entries().unwrap_or(&[]).to_vec();
    let mut options = Options::new("logsub", &part.place, entries, SETTINGS, problems);
    let topics = each(&mut options, "topics", TopicFilter::parse);
    let bind = each(&mut options, "bind", Entrance::listen);
    let connect = each(&mut options, "connect", Entrance::connect);
    let listen = each(&mut options, "listen", Entrance::listen);
    let api_key: Option<ApiKey> = options.parse("listen_api_key");
    let keys = Keys {
        key: options.path("key_file"),
        server_key: options.path("server_key_file"),
        clients: options.path("clients"),
        insecure: options.bool("insecure").unwrap_or(false),
    };
    let levels = levels(&mut options);
    let max_message = options.bytes("max_message").unwrap_or(MAX_MESSAGE);
    if max_message == 0 {
        options.wrong(
            "max_message",
            "0 leaves no room for any message; write for example 16MiB",
        );
    }
    let settings = Settings {
        topics,
        entrances: Entrances {
            own: bind.into_iter().chain(connect).collect(),
            listen,
            listening: ListenConfig {
                api_key,
                ..ListenConfig::default()
            },
            keys,
        },
        levels,
        verbose: options.bool("verbose").unwrap_or(false),
        stats: options.bool("stats").unwrap_or(false),
        max_message: usize::try_from(max_message).unwrap_or(usize::MAX),
        reject_file: options.path("reject_file"),
    };
    options.finish().then_some(settings)
}

fn levels(options: &mut Options<'_>) -> Levels {
    let texts = options.texts("level").unwrap_or_default();
    Levels::parse(&texts).unwrap_or_else(|error| {
        options.wrong("level", error);
        Levels::default()
    })
}

fn each<T, E: std::fmt::Display>(
    options: &mut Options<'_>,
    name: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Vec<T> {
    let texts = options.texts(name).unwrap_or_default();
    let mut parsed = Vec::with_capacity(texts.len());
    for text in texts.iter().filter(|text| !text.is_empty()) {
        match parse(text) {
            Ok(value) => parsed.push(value),
            Err(error) => options.wrong(name, format!("{text}: {error}")),
        }
    }
    parsed
}
