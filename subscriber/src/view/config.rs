//! The view that was asked for: flags and the surroundings, resolved and checked.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::context::Extent;
use super::filters::{Filter, Filters, Kind};
use super::line::{Expand, Highlight, Look};
use super::moment::{Moment, TimeFormat};
use super::output::Output;
use super::style::{Style, Theme, ThemeName, color_named};
use super::template::Template;
use super::top::TopBy;
use super::tui;
use crate::cli::{Cli, Delimiter, OutputName, ViewArgs, When};
use crate::config::units;
use crate::format::{self, PythonFormat};
use crate::history::when;
use crate::query::{Query, smart_case};

/// How long records wait for others when nothing else is said.
const REORDER: Duration = Duration::from_millis(100);

/// What stands around the program: whether people read it, and what they like.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Standard output is a terminal.
    pub is_terminal: bool,
    /// Standard input is one, too.
    pub has_keys: bool,
    /// `NO_COLOR` (no-color.org).
    pub no_color: bool,
    /// `FORCE_COLOR` (force-color.org), or `CLICOLOR_FORCE`.
    pub force_color: bool,
    /// `TERM`.
    pub term: String,
    /// The command line.
    pub line: Vec<OsString>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let is_set = |name: &str| {
            std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
        };
        Self {
            is_terminal: std::io::stdout().is_terminal(),
            has_keys: std::io::stdin().is_terminal(),
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            force_color: is_set("FORCE_COLOR") || is_set("CLICOLOR_FORCE"),
            term: std::env::var("TERM").unwrap_or_default(),
            line: std::env::args_os().collect(),
        }
    }

    fn has_colors(&self, when: When) -> bool {
        match when {
            When::Always => true,
            When::Never => false,
            When::Auto if self.no_color => false,
            When::Auto => self.force_color || self.is_terminal && self.term != "dumb",
        }
    }

    /// A terminal that has but its own sixteen colours is given those.
    fn usual_theme(&self) -> ThemeName {
        match self.term.as_str() {
            "linux" | "xterm" | "screen" | "ansi" | "vt100" | "vt220" | "cygwin" => ThemeName::Ansi,
            _ => ThemeName::Default,
        }
    }
}

/// A view, resolved.
#[derive(Debug)]
pub struct Config {
    /// Which view it is.
    pub mode: Mode,
    /// Which records are shown.
    pub filters: Filters,
    /// What is shown around them.
    pub context: Extent,
    /// How each is written.
    pub output: Output,
    /// How lines look, for views that lay them out themselves.
    pub look: Look,
    /// How times look.
    pub moment: Moment,
    /// What stands behind each record.
    pub delimiter: char,
    /// How long records wait for others, in ns.
    pub reorder: u64,
    /// Show only so many, at the end.
    pub tail: Option<usize>,
    /// When it is enough.
    pub goal: Goal,
    /// Whether who comes and goes is told.
    pub tells_routine: bool,
    /// Whether standard output is a terminal.
    pub is_terminal: bool,
    /// What the interactive view is told besides.
    pub tui: tui::Options,
}

/// Which view it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A line a record, as they come.
    Stream,
    /// A table.
    Top(TopBy),
    /// With keys.
    Interactive,
}

/// When it is enough.
#[derive(Debug, Clone, Default)]
pub struct Goal {
    /// When so many were shown.
    pub count: Option<u64>,
    /// When one of these was shown.
    pub until: Option<Query>,
    /// Whether it was; of all that were cloned from one, one for all.
    is_reached: Arc<AtomicBool>,
}

impl Goal {
    /// Whether something is waited for.
    pub fn is_set(&self) -> bool {
        self.count.is_some() || self.until.is_some()
    }

    /// Notes that it is enough.
    pub fn reach(&self) {
        self.is_reached.store(true, Ordering::Release);
    }

    /// Whether something is waited for that has not come.
    pub fn is_missed(&self) -> bool {
        self.is_set() && !self.is_reached.load(Ordering::Acquire)
    }
}

impl Config {
    /// Resolves the flags. An error is one line that names the flag.
    pub fn resolve(cli: &Cli, around: &Surroundings) -> Result<Self, String> {
        let args = &cli.view;
        if args.tui && !(around.is_terminal && around.has_keys) {
            return Err(
                "--tui: this is no terminal; leave it away to have the records as lines".into(),
            );
        }
        let has_colors = match args.color {
            None if args.tui => !around.no_color,
            color => around.has_colors(color.unwrap_or_default()),
        };
        let theme = match has_colors {
            true => Theme::named(args.theme.unwrap_or_else(|| around.usual_theme())),
            false => Theme::plain(),
        };
        let reorder = match &args.reorder {
            Some(text) => time("--reorder", text)?,
            None => REORDER,
        };
        let look = look(args, theme, !reorder.is_zero())?;
        let moment = moment(args)?;
        Ok(Self {
            mode: match (args.top, args.tui) {
                (Some(by), _) => Mode::Top(by),
                (None, true) => Mode::Interactive,
                (None, false) => Mode::Stream,
            },
            filters: filters(args)?,
            context: context(args),
            output: output(cli, &look, &moment, has_colors, around.is_terminal)?,
            look,
            moment,
            delimiter: match args.output_delimiter.unwrap_or_default() {
                Delimiter::Lf => '\n',
                Delimiter::Nul => '\0',
            },
            reorder: u64::try_from(reorder.as_nanos()).unwrap_or(u64::MAX),
            tail: args.tail,
            goal: goal(args)?,
            tells_routine: !args.quiet && (cli.verbose || around.is_terminal),
            is_terminal: around.is_terminal,
            tui: tui::Options::resolve(buffer(args)?, &args.keys, &around.line)?,
        })
    }
}

/// The first flag that says which records are shown, or when that is enough, where nothing is shown;
/// the user's own defaults are for other runs, too.
pub fn without_effect(cli: &Cli) -> Option<&'static str> {
    let args = &cli.view;
    let is_given = [
        ("--include", !args.include.is_empty()),
        ("--exclude", !args.exclude.is_empty()),
        ("--field", !args.field.is_empty()),
        ("--sender", !args.sender.is_empty()),
        ("--query", !args.query.is_empty()),
        ("--after", args.after.is_some()),
        ("--before", args.before.is_some()),
        ("--context", args.context.is_some()),
        ("--highlight", !args.highlight.is_empty()),
        ("--tail", args.tail.is_some()),
        ("--count", args.count.is_some()),
        ("--until", args.until.is_some()),
    ];
    let mut given = is_given.iter().filter(|(_, is_given)| *is_given);
    let (flag, _) = given.find(|(flag, _)| !cli.own.has(flag))?;
    Some(flag)
}

/// Bytes of the interactive view's buffer.
fn buffer(args: &ViewArgs) -> Result<usize, String> {
    let Some(text) = &args.buffer else {
        return Ok(tui::BUFFER);
    };
    let bytes = units::bytes(text).and_then(|bytes| usize::try_from(bytes).ok());
    bytes
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("--buffer: {text:?} is no size; write for example 500MiB or 2GiB"))
}

/// How long the program may run, when that is bounded.
pub fn timeout(args: &ViewArgs) -> Result<Option<Duration>, String> {
    args.timeout
        .as_deref()
        .map(|text| time("--timeout", text))
        .transpose()
}

fn time(flag: &str, text: &str) -> Result<Duration, String> {
    units::time(text)
        .ok_or_else(|| format!("{flag}: {text:?} is no time; write for example 200ms, 5s or 2min"))
}

fn look(args: &ViewArgs, theme: Theme, has_gutter: bool) -> Result<Look, String> {
    let mut highlights = Vec::with_capacity(args.highlight.len());
    for text in &args.highlight {
        highlights.push(highlight(text, &theme)?);
    }
    Ok(Look {
        theme,
        base: args.time.unwrap_or_default(),
        expand: args.expand.unwrap_or_default(),
        fold: args.fold.unwrap_or(0),
        truncate: args.truncate.unwrap_or(0),
        show: args.show.clone(),
        hide: args.hide.clone(),
        highlights,
        has_gutter,
    })
}

/// `[COLOR:]REGEX`: what stands before the colon is a colour only where it is the name of one.
fn highlight(text: &str, theme: &Theme) -> Result<Highlight, String> {
    let named = text
        .split_once(':')
        .and_then(|(name, rest)| Some((color_named(name)?, rest)));
    let (style, pattern) = match named {
        Some((color, pattern)) if *theme != Theme::plain() => {
            let style = Style {
                bold: true,
                underline: true,
                ..Style::of(color)
            };
            (style, pattern)
        }
        Some((_, pattern)) => (Style::PLAIN, pattern),
        None => (theme.highlight, text),
    };
    let regex =
        smart_case(pattern).map_err(|problem| format!("--highlight {text:?}: {problem}"))?;
    Ok(Highlight { regex, style })
}

fn moment(args: &ViewArgs) -> Result<Moment, String> {
    let format = match &args.time_format {
        Some(text) => TimeFormat::parse(text)
            .map_err(|problem| format!("--time-format: {text:?}: {problem}"))?,
        None => TimeFormat::default(),
    };
    let zone = if args.utc {
        TimeZone::UTC
    } else {
        TimeZone::system()
    };
    Ok(Moment::new(format, zone))
}

fn filters(args: &ViewArgs) -> Result<Filters, String> {
    let mut list = Vec::new();
    for (kind, texts, flag) in [
        (Kind::Include, &args.include, "--include"),
        (Kind::Exclude, &args.exclude, "--exclude"),
        (Kind::Field, &args.field, "--field"),
        (Kind::Sender, &args.sender, "--sender"),
        (Kind::Query, &args.query, "--query"),
    ] {
        for text in texts {
            list.push(
                Filter::new(kind, text).map_err(|error| format!("{flag} {text:?}: {error}"))?,
            );
        }
    }
    Ok(Filters::new(list))
}

fn context(args: &ViewArgs) -> Extent {
    let both = args.context.unwrap_or(0);
    Extent {
        before: args.before.unwrap_or(both),
        after: args.after.unwrap_or(both),
    }
}

fn goal(args: &ViewArgs) -> Result<Goal, String> {
    // What is a place in the journal ends the stream there (`history/wanted.rs`).
    let text = args.until.as_deref();
    let text = text.filter(|text| when::place(text, 0, &TimeZone::UTC).is_none());
    let until = text.map(Query::matching_text).transpose();
    Ok(Goal {
        count: args.count,
        until: until.map_err(|error| format!("--until: {error}"))?,
        is_reached: Arc::default(),
    })
}

fn output(
    cli: &Cli,
    look: &Look,
    moment: &Moment,
    has_colors: bool,
    is_terminal: bool,
) -> Result<Output, String> {
    let args = &cli.view;
    if let Some(format) = &cli.format {
        return formatted(format, cli.datefmt.as_deref(), is_terminal);
    }
    let template = match (&args.template, &args.template_file) {
        (Some(source), _) => Some(("--template".to_owned(), source.clone())),
        (None, Some(path)) => {
            let place = path.display().to_string();
            let source = std::fs::read_to_string(path)
                .map_err(|error| format!("--template-file: {place}: {error}"))?;
            // The line feed at a file's end is the file's.
            let source = source
                .strip_suffix('\n')
                .map(str::to_owned)
                .unwrap_or(source);
            Some((place, source))
        }
        (None, None) => None,
    };
    if let Some((place, source)) = template {
        let template = Template::parse(source, has_colors, is_terminal);
        let template = template.map_err(|error| format!("{place}: {error}"))?;
        return Ok(Output::templated(template, moment.clone()));
    }
    let named =
        |name: &str| format::named(name).ok_or_else(|| format!("there is no format {name}"));
    Ok(match args.output.unwrap_or(OutputName::Text) {
        OutputName::Text => Output::text(look.clone(), moment.clone()),
        OutputName::Json => Output::json(named("json")?),
        OutputName::Clef => Output::json(named("clef")?),
        OutputName::Logfmt => Output::program(named("logfmt")?, true, is_terminal),
        OutputName::Raw => Output::program(format::message_only(), false, is_terminal),
    })
}

/// What `--format` says: the name of a format, or a format in Python's % style.
fn formatted(format: &str, datefmt: Option<&str>, is_terminal: bool) -> Result<Output, String> {
    Ok(match (format, format::named(format)) {
        ("json" | "clef" | "gelf", Some(formatter)) => Output::json(formatter),
        ("logfmt", Some(formatter)) => Output::program(formatter, true, is_terminal),
        (_, Some(formatter)) => Output::formatted(formatter),
        (_, None) => {
            let format =
                PythonFormat::percent(format).map_err(|error| format!("--format: {error}"))?;
            Output::formatted(Box::new(format.with_datefmt(datefmt)))
        }
    })
}

impl Expand {
    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Expand::Never => "never",
            Expand::Auto => "auto",
            Expand::Inline => "inline",
            Expand::Always => "always",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn resolve(args: &[&str], around: &Surroundings) -> Result<Config, String> {
        Config::resolve(&Cli::parse_from([&["logsub"], args].concat()), around)
    }

    fn has_colors(args: &[&str], around: Surroundings) -> bool {
        resolve(args, &around).unwrap().look.theme != Theme::plain()
    }

    #[test]
    fn colours_are_for_terminals_and_for_who_asks_for_them() {
        let terminal = || Surroundings {
            is_terminal: true,
            term: "xterm-256color".into(),
            ..Surroundings::default()
        };
        let no_color = || Surroundings {
            no_color: true,
            ..terminal()
        };
        let forced = || Surroundings {
            force_color: true,
            ..Surroundings::default()
        };
        assert!(has_colors(&[], terminal()));
        assert!(!has_colors(&[], Surroundings::default()));
        assert!(!has_colors(
            &[],
            Surroundings {
                term: "dumb".into(),
                ..terminal()
            }
        ));
        assert!(!has_colors(&[], no_color()));
        assert!(has_colors(&["--color", "always"], no_color()));
        assert!(!has_colors(&["--color", "never"], terminal()));
        let with_keys = || Surroundings {
            has_keys: true,
            ..terminal()
        };
        assert!(has_colors(&["--tui"], with_keys()));
        assert!(!has_colors(&["--tui", "--color", "never"], with_keys()));
        assert!(has_colors(&[], forced()));
        assert!(!has_colors(
            &[],
            Surroundings {
                no_color: true,
                ..forced()
            }
        ));
    }

    #[test]
    fn a_flag_that_says_what_is_shown_is_known_where_nothing_is() {
        let flag = |args: &[&str]| without_effect(&Cli::parse_from([&["logsub"], args].concat()));
        assert_eq!(flag(&["--no-console", "-v", "--timeout", "1s"]), None);
        assert_eq!(flag(&["--no-console", "-i", "x"]), Some("--include"));
        assert_eq!(flag(&["-C", "1", "--count", "1"]), Some("--context"));
    }

    #[test]
    fn what_cannot_be_understood_is_said_with_its_flag_and_place() {
        for (args, expected) in [
            (
                vec!["-q", "level >= and"],
                "--query \"level >= and\": column 10: ",
            ),
            (vec!["-i", "("], "--include \"(\": "),
            (vec!["-f", "status"], "--field \"status\": "),
            (vec!["--reorder", "soon"], "--reorder: \"soon\" is no time"),
            (vec!["-H", "red:["], "--highlight \"red:[\": "),
            (
                vec!["--time-format", "long"],
                "--time-format: \"long\": write short",
            ),
            (vec!["--template", "{{ a"], "--template: line 1: "),
            (
                vec!["--template-file", "/no/such/file"],
                "--template-file: /no/such/file: ",
            ),
            (vec!["--tui"], "--tui: this is no terminal"),
            (
                vec!["--template", "{{ message|shout }}"],
                "--template: line 1: ",
            ),
        ] {
            let error = resolve(&args, &Surroundings::default()).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
