//! The command that shows the same as lines: what was typed at the start, without what keys have
//! changed, and what they have changed it to.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::parser::ValueSource;

use super::choice::Choice;
use crate::cli::Cli;
use crate::query::quoted;
use crate::view::badge::{Badges, Source};
use crate::view::filters::{Filter, Kind};
use crate::view::line::Look;
use crate::view::moment::{TimeBase, TimeFormat};

/// Flags that keys change, or that are for the interactive view alone.
const OWN: &[&str] = &[
    "tui",
    "keys",
    "buffer",
    "include",
    "exclude",
    "field",
    "sender",
    "query",
    "show",
    "hide",
    "time",
    "time_format",
];

/// What was typed, a word each, without those flags.
pub(crate) fn typed(arguments: &[OsString]) -> Vec<String> {
    let command = Cli::command();
    let Ok(matches) = command.clone().try_get_matches_from(arguments) else {
        return Vec::new();
    };
    let mut words = Vec::new();
    for arg in command.get_arguments() {
        let (id, Some(long)) = (arg.get_id().as_str(), arg.get_long()) else {
            continue;
        };
        let is_known = matches.try_contains_id(id).unwrap_or(false);
        if !is_known || OWN.contains(&id) {
            continue;
        }
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        if !arg.get_action().takes_values() {
            words.push(format!("--{long}"));
            continue;
        }
        let values = matches.get_raw(id).into_iter().flatten();
        words.extend(values.map(|value| format!("--{long}={}", value.to_string_lossy())));
    }
    words
}

/// The command, as a shell takes it.
pub(crate) fn line(
    typed: &[String],
    choice: &Choice,
    badges: &Badges,
    look: &Look,
    format: &TimeFormat,
) -> String {
    let mut words = vec!["logsub".to_owned()];
    words.extend(typed.iter().cloned());
    words.extend(chosen(choice, badges));
    for (flag, names) in [("--hide", &look.hide), ("--show", &look.show)] {
        if !names.is_empty() {
            words.push(format!("{flag}={}", names.join(",")));
        }
    }
    match look.base {
        TimeBase::Sender => {}
        TimeBase::Corrected => words.push("--time=corrected".to_owned()),
        TimeBase::Received => words.push("--time=received".to_owned()),
    }
    if *format != TimeFormat::Short {
        words.push(format!("--time-format={format}"));
    }
    let words: Vec<String> = words.iter().map(|word| for_shell(word)).collect();
    words.join(" ")
}

/// Filters, level and senders as flags.
fn chosen(choice: &Choice, badges: &Badges) -> Vec<String> {
    let (mut words, mut queries) = (Vec::new(), Vec::new());
    if let Some(least) = choice.filters.least() {
        words.push(format!("--field=level?>={}", least.0));
    }
    let list = choice.filters.list().iter();
    for filter in list.filter(|filter| filter.is_on && choice.filters.is_on()) {
        match filter.kind() {
            Kind::Query => queries.push(filter.text().to_owned()),
            _ => words.push(format!("{}={}", long(filter), filter.text())),
        }
    }
    let senders = senders(choice, badges);
    if senders.is_empty() {
        words.extend(queries.iter().map(|query| format!("--query={query}")));
        return words;
    }
    let mut all = senders;
    if !queries.is_empty() {
        all.insert(0, any(&queries));
    }
    let all: Vec<String> = all.iter().map(|one| format!("({one})")).collect();
    words.push(format!("--query={}", all.join(" and ")));
    words
}

fn senders(choice: &Choice, badges: &Badges) -> Vec<String> {
    let said = |sources: &std::collections::HashSet<Source>| {
        let mut said: Vec<String> = sources
            .iter()
            .map(|source| sent_by(*source, badges))
            .collect();
        said.sort_unstable();
        said
    };
    let (solo, muted) = (said(choice.solo()), said(choice.muted()));
    let mut conditions = Vec::new();
    if !solo.is_empty() {
        conditions.push(any(&solo));
    }
    if !muted.is_empty() {
        conditions.push(format!("not ({})", any(&muted)));
    }
    conditions
}

fn any(conditions: &[String]) -> String {
    let each: Vec<String> = conditions.iter().map(|one| format!("({one})")).collect();
    each.join(" or ")
}

/// What is true of a sender's records alone.
fn sent_by(source: Source, badges: &Badges) -> String {
    match (badges.whole_name(source), source) {
        (Some(name), _) => format!("@sender == {}", quoted(&name, '"')),
        (None, Source::Behind(_, pid)) => format!("process == {pid}"),
        (None, Source::Publisher(id)) => format!("@sender == {}", quoted(&id.to_string(), '"')),
    }
}

fn long(filter: &Filter) -> &'static str {
    match filter.kind() {
        Kind::Include => "--include",
        Kind::Exclude => "--exclude",
        Kind::Field => "--field",
        Kind::Sender => "--sender",
        Kind::Query => "--query",
    }
}

/// A word in quotes, where a shell would read it otherwise.
fn for_shell(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
