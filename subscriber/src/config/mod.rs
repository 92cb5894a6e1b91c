//! What was meant: files, the environment and the command line, resolved and checked.
//!
//! They count in this order, the first that says something: what was typed, then the environment
//! (both read by `cli.rs`), then files, then the user's own defaults (`defaults.rs`), then ours.
//! Files (`document.rs`) become one tree (`node.rs`), `flags.rs` puts the command line into it, and
//! from there is one way: `settings.rs` for the bus, `plan.rs` for handlers and loggers. All
//! problems are found at once, each with its place.

pub mod node;
pub mod options;
pub(crate) mod units;
mod document;
mod yaml;
mod json;
mod toml;
mod ini;
mod literal;
mod fileconfig;
mod reference;
mod files;
pub mod defaults;
mod flags;
pub mod settings;
pub mod plan;
pub mod print;
pub mod schema;
pub mod watch;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

use std::path::PathBuf;

use logbus_broker::{Entrance, ListenConfig};

use self::node::Node;
use self::options::{Problem, Problems};
use self::plan::Plan;
use self::settings::Settings;
use crate::cli::Cli;
use crate::keys::Keys;

/// Where messages come in; nothing at all means: find the bus or be it.
#[derive(Debug, Clone, Default)]
pub struct Entrances {
    /// Where to listen and where to connect in place of the bus.
    pub own: Vec<Entrance>,
    /// Where to listen besides; whoever does that is the bus.
    pub listen: Vec<Entrance>,
    /// What listeners are told that are among them.
    pub listening: ListenConfig,
    /// Which files have the keys.
    pub keys: Keys,
}

/// Everything a `logsub` needs to know.
pub struct Config {
    /// The bus, and what is said of it.
    pub settings: Settings,
    /// Handlers and loggers.
    pub plan: Plan,
    /// What there is to know of how it was read.
    pub warnings: Vec<Problem>,
    /// The files it came from.
    pub files: Vec<PathBuf>,
    /// Whether the files have handlers of their own.
    pub has_handlers: bool,
    /// All of it, as it was written.
    pub tree: Node,
}

impl Config {
    /// Resolves a command line with the files it names; otherwise says everything that is wrong.
    pub fn resolve(cli: &Cli) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut tree = files::read(&cli.config, &mut problems).unwrap_or_default();
        reference::resolve(&mut tree, &mut problems);
        let has_handlers = flags::has_handlers(&tree);
        flags::add(cli, &mut tree, &mut problems);
        Self::of_tree(tree, &cli.config, has_handlers, cli.lenient, problems)
    }

    /// Reads files alone, without a command line.
    pub fn check(paths: &[PathBuf], is_lenient: bool) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut tree = files::read(paths, &mut problems).unwrap_or_default();
        reference::resolve(&mut tree, &mut problems);
        let has_handlers = flags::has_handlers(&tree);
        Self::of_tree(tree, paths, has_handlers, is_lenient, problems)
    }

    fn of_tree(
        tree: Node,
        paths: &[PathBuf],
        has_handlers: bool,
        is_lenient: bool,
        mut problems: Problems,
    ) -> Result<Self, Problems> {
        let settings = settings::read(&tree, &mut problems);
        let plan = plan::read(&tree, is_lenient, &mut problems);
        match (settings, plan) {
            (Some(settings), Some(plan)) if problems.errors.is_empty() => Ok(Self {
                settings,
                plan,
                warnings: problems.warnings,
                files: paths.to_vec(),
                has_handlers,
                tree,
            }),
            _ => Err(problems),
        }
    }
}

/// A tree that a test has written.
#[cfg(test)]
pub(crate) fn read_yaml(text: &str) -> Node {
    let path = std::path::Path::new("test.yaml");
    document::read(path, text, &mut Problems::default()).unwrap()
}

#[cfg(test)]
mod tests;
