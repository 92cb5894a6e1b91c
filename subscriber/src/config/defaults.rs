//! A user's own defaults: what flags are when neither command line, environment nor file says it.
//!
//! They stand in a TOML file of the user's, under the long names of the flags. clap gets them as
//! the flags' default values, so its own checks apply, and what was typed or stands in the
//! environment wins by itself. [`OwnDefaults`] keeps which values came from there: a setting in
//! the part `logsub` of a `--config` file takes their place, and what they need beside them, as
//! `keep` needs `file`, need not be there. Subcommands have no such defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::error::ErrorKind as Usage;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};

use super::document::Source;
use super::files;
use super::node::{Entry, Node, Place, Tree};
use super::options::{Problems, SHOWN, nearest};
use super::toml;
use crate::cli::Cli;

/// The variable that names another file than the usual one; empty, it means none.
const VARIABLE: &str = "LOGSUB_USER_CONFIG";
/// Flags that are for one run.
const FOR_ONE_RUN: &[&str] = &["help", "version", "config", "print-config"];

/// Which values of a command line come from the user's own defaults, and where those stand.
#[derive(Debug, Clone, Default)]
pub struct OwnDefaults {
    /// By the names that settings have.
    places: BTreeMap<String, Place>,
}

/// The command line of this process with the user's own defaults. `--help` and wrong usage end the
/// process.
pub fn parse() -> Result<Cli, Problems> {
    let typed = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&typed).unwrap_or_else(|error| error.exit());
    if cli.command.is_some() {
        return Ok(cli);
    }
    match read()? {
        Some(defaults) => complete(&defaults, &typed, std::env::args_os().collect()),
        None => Ok(cli),
    }
}

impl OwnDefaults {
    /// Whether the value of a flag, as `--keep`, or of a setting comes from there.
    pub fn has(&self, name: &str) -> bool {
        self.places.contains_key(&setting(name))
    }

    /// Says of what the command line has put into a tree where it stands, and gives way to the
    /// settings that files had `written` in their part `logsub`.
    pub(super) fn settle(&self, written: Option<&Node>, tree: &mut Node) {
        if self.places.is_empty() {
            return;
        }
        self.name_places(tree);
        let Some(mut part) = tree.get("logsub").cloned() else {
            return;
        };
        let entries = written.and_then(Node::entries).unwrap_or(&[]);
        for entry in entries.iter().filter(|entry| self.has(&entry.key)) {
            if entry.value.tree != Tree::Null {
                part.set_entry(entry.clone());
            }
        }
        tree.set("logsub", part);
    }

    fn name_places(&self, node: &mut Node) {
        self.name(&mut node.place);
        match &mut node.tree {
            Tree::List(items) => items.iter_mut().for_each(|item| self.name_places(item)),
            Tree::Map(entries) => {
                for entry in entries {
                    self.name(&mut entry.place);
                    self.name_places(&mut entry.value);
                }
            }
            _ => {}
        }
    }

    /// A flag that was not typed stands in the file.
    fn name(&self, place: &mut Place) {
        if place.source.starts_with("--")
            && let Some(own) = self.places.get(&setting(&place.source))
        {
            *place = Place::of(&format!("{} in {own}", place.source));
        }
    }
}

/// What the user's file says; nothing where there is none.
fn read() -> Result<Option<Node>, Problems> {
    let mut problems = Problems::default();
    let Some(path) = path() else {
        return Ok(None);
    };
    let away = [ErrorKind::NotFound, ErrorKind::NotADirectory];
    if std::fs::metadata(&path).is_err_and(|error| away.contains(&error.kind())) {
        return Ok(None);
    }
    let name = path.display().to_string();
    let node = match files::text(&path) {
        Ok(text) => toml::read(&Source::new(&name, &text), &mut problems),
        Err(said) => {
            let text = format!("{said}; with {VARIABLE}= logsub starts without it");
            problems.error(&Place::of(&name), text);
            None
        }
    };
    node.map(Some).ok_or(problems)
}

/// Where the user's own defaults stand.
fn path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE) {
        return (!path.is_empty()).then(|| path.into());
    }
    let folder = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let folder = folder.filter(|path| path.is_absolute()).or_else(home);
    Some(folder?.join("logsub/config.toml"))
}

/// The command line `arguments`, with these defaults for what was not `typed`.
fn complete(
    defaults: &Node,
    typed: &ArgMatches,
    arguments: Vec<OsString>,
) -> Result<Cli, Problems> {
    let (command, mut places) = with(defaults, &Cli::command(), typed)?;
    let matches = command.get_matches_from(arguments);
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    places.retain(|name, _| matches.value_source(name) == Some(ValueSource::DefaultValue));
    cli.own = OwnDefaults { places };
    Ok(cli)
}

/// The command with these defaults for what was not `typed`, and where they stand.
fn with(
    defaults: &Node,
    plain: &Command,
    typed: &ArgMatches,
) -> Result<(Command, BTreeMap<String, Place>), Problems> {
    let mut command = plain.clone();
    let mut places = BTreeMap::new();
    let mut problems = Problems::default();
    for entry in defaults.entries().unwrap_or(&[]) {
        let (arg, values) = match default(plain, entry) {
            Ok(found) => found,
            Err((place, text)) => {
                problems.error(&place, text);
                continue;
            }
        };
        let place = entry.value.place.clone();
        if let Some(twice) = places.insert(setting(arg.get_id().as_str()), place) {
            let text = format!("{:?} has a value already, at {twice}", entry.key);
            problems.error(&entry.place, text);
        }
        if !is_ruled_out(plain, arg, typed) {
            command = command.mut_arg(arg.get_id(), |arg| arg.default_values(values));
        }
    }
    if !problems.errors.is_empty() {
        // The rest is said when these are mended: no other command shows them.
        problems.errors.truncate(SHOWN);
        return Err(problems);
    }
    Ok((command, places))
}

/// The flag that an entry is for, and its values as one would type them.
fn default<'a>(
    command: &'a Command,
    entry: &Entry,
) -> Result<(&'a Arg, Vec<String>), (Place, String)> {
    let arg = flag(command, &entry.key).map_err(|text| (entry.place.clone(), text))?;
    let values = values(arg, &entry.value)
        .and_then(|values| check(command, arg, &values).map(|()| values))
        .map_err(|text| (entry.value.place.clone(), text))?;
    Ok((arg, values))
}

/// The flag of this name, if it may have a default.
fn flag<'a>(command: &'a Command, key: &str) -> Result<&'a Arg, String> {
    let name = key.replace('_', "-");
    let flags = || {
        command
            .get_arguments()
            .filter_map(|arg| Some((arg.get_long()?, arg)))
    };
    let lasting = || flags().filter(|(long, _)| !FOR_ONE_RUN.contains(long));
    if let Some((_, arg)) = lasting().find(|(long, _)| *long == name) {
        return Ok(arg);
    }
    if FOR_ONE_RUN.contains(&name.as_str()) || command.find_subcommand(&name).is_some() {
        return Err(format!(
            "{key:?} cannot stand here: {} and subcommands are for the command line alone",
            FOR_ONE_RUN.join(", ")
        ));
    }
    let names: Vec<&str> = lasting().map(|(long, _)| long).collect();
    let near = nearest(&name, &names);
    Err(format!("there is no flag {key:?}{near}"))
}

/// A value as one would type it.
fn values(arg: &Arg, value: &Node) -> Result<Vec<String>, String> {
    let unfit = |wanted: &str| Err(format!("{value} is not {wanted}"));
    match (arg.get_action(), &value.tree) {
        (ArgAction::SetTrue, Tree::Bool(truth)) => Ok(vec![truth.to_string()]),
        (ArgAction::SetTrue, _) => unfit("true or false"),
        (ArgAction::Append, Tree::List(items)) => match items.iter().map(text).collect() {
            Some(texts) => Ok(texts),
            None => unfit("a list of texts"),
        },
        (ArgAction::Append, _) => text(value).map_or_else(|| unfit("a list of texts"), one),
        _ => text(value).map_or_else(|| unfit("a text or a number"), one),
    }
}

fn one(text: String) -> Result<Vec<String>, String> {
    Ok(vec![text])
}

fn text(node: &Node) -> Option<String> {
    match &node.tree {
        Tree::Text(text) => Some(text.clone()),
        Tree::Int(_) | Tree::Float(_) => Some(node.to_string()),
        _ => None,
    }
}

/// What clap finds wrong with values that are typed for a flag, alone and without an environment.
fn check(command: &Command, arg: &Arg, values: &[String]) -> Result<(), String> {
    let long = match arg.get_long() {
        Some(long) if arg.get_action().takes_values() => long,
        _ => return Ok(()),
    };
    let alone = command.clone().no_binary_name(true);
    let alone = alone.mut_args(|arg| arg.env(Resettable::Reset));
    let typed = values.iter().map(|value| format!("--{long}={value}"));
    match alone.try_get_matches_from(typed) {
        Err(error) if is_about_values(error.kind()) => Err(line(&error)),
        _ => Ok(()),
    }
}

fn is_about_values(kind: Usage) -> bool {
    matches!(
        kind,
        Usage::InvalidValue
            | Usage::ValueValidation
            | Usage::TooFewValues
            | Usage::TooManyValues
            | Usage::WrongNumberOfValues
    )
}

/// What clap says, without its advice, on one line.
fn line(error: &clap::Error) -> String {
    let said = error.to_string();
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.take_while(|line| !line.starts_with("For more information"));
    let lines: Vec<&str> = lines.collect();
    let said = lines.join(", ");
    said.strip_prefix("error: ").unwrap_or(&said).to_owned()
}

/// Whether something was typed that does not go with a flag.
fn is_ruled_out(command: &Command, arg: &Arg, typed: &ArgMatches) -> bool {
    let excludes = |one: &Arg, other: &Arg| command.get_arg_conflicts_with(one).contains(&other);
    let is_typed = |other: &Arg| {
        let source = typed.value_source(other.get_id().as_str());
        source.is_some_and(|source| source != ValueSource::DefaultValue)
    };
    let mut others = command.get_arguments().filter(|other| is_typed(other));
    others.any(|other| excludes(arg, other) || excludes(other, arg))
}

/// The name that a flag has as a setting.
fn setting(flag: &str) -> String {
    flag.trim_start_matches('-').replace('-', "_")
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;
