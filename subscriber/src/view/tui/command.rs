//! Commands: what is typed behind a colon.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use logbus_schemas::Level;

use crate::config::options::nearest;
use crate::config::units;
use crate::view::filters::Kind;
use crate::view::moment::{TimeBase, TimeFormat};

/// What is typed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// Set the least level, or none.
    Level(Option<Level>),
    /// Add a filter.
    Filter(Kind, String),
    /// Go to a time.
    GoTo(GoTo),
    /// Write what is visible into a file, also over one that is there.
    Save(String, bool),
    /// Show the command line that shows the same.
    Cmdline,
    /// How times look, and which.
    Time(TimeFormat, TimeBase),
    /// Do not show these parts and extras.
    Hide(Vec<String>),
    /// Show these.
    Show(Vec<String>),
    /// Forget all filters, solo and muted senders and the least level.
    Reset,
    /// Show help.
    Help,
    /// End.
    Quit,
}

/// A time to go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoTo {
    /// So many ns on, or back.
    By(i64),
    /// A time of the day.
    At(Time),
}

/// What there is: a name, what stands behind it, what it does.
pub(crate) const COMMANDS: &[(&str, &str, &str)] = &[
    ("level", "LEVEL", "least level; all is every one"),
    ("include", "REGEX", "only what fits"),
    ("exclude", "REGEX", "not what fits"),
    ("filter", "KEY=VALUE", "by a field"),
    ("sender", "GLOB", "by the sender's name"),
    ("query", "EXPR", "by a query"),
    ("reset", "", "no filter, every sender"),
    ("goto", "HH:MM[:SS], +5m, -5m", "to a time"),
    (
        "time",
        "short, full, iso, delta, received, none, %H:%M",
        "how times look",
    ),
    ("hide", "FIELD,…", "not these parts or extras"),
    ("show", "FIELD,…", "these, too"),
    (
        "save",
        "PATH",
        "write what is visible; save! also over a file",
    ),
    ("cmdline", "", "the command that shows the same as lines"),
    ("help", "", "the keys"),
    ("quit", "", "end"),
];

const LEVELS: &[&str] = &[
    "all", "trace", "debug", "info", "warning", "error", "critical",
];
const TIMES: &[&str] = &["short", "full", "iso", "delta", "received", "none"];

/// What was typed, or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Command, String> {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let needs = |what: &str| match rest {
        "" => Err(format!("{name}: {what} is expected here")),
        rest => Ok(rest.to_owned()),
    };
    Ok(match name {
        "level" => Command::Level(level(&needs("a level")?)?),
        "include" => Command::Filter(Kind::Include, needs("a regular expression")?),
        "exclude" => Command::Filter(Kind::Exclude, needs("a regular expression")?),
        "filter" => Command::Filter(Kind::Field, needs("KEY=VALUE")?),
        "sender" => Command::Filter(Kind::Sender, needs("a name, with * for any text,")?),
        "query" => Command::Filter(Kind::Query, needs("a query")?),
        "reset" => Command::Reset,
        "goto" => Command::GoTo(go_to(&needs("a time")?)?),
        "time" => time(&needs("short, full, iso, delta, received or none")?)?,
        "hide" => Command::Hide(names(rest)),
        "show" => Command::Show(names(rest)),
        "save" | "save!" => Command::Save(needs("the name of a file")?, name.ends_with('!')),
        "cmdline" => Command::Cmdline,
        "help" => Command::Help,
        "quit" | "q" => Command::Quit,
        unknown => {
            let names: Vec<&str> = COMMANDS.iter().map(|(name, ..)| *name).collect();
            let near = nearest(unknown, &names);
            return Err(format!("there is no command {unknown:?}{near}"));
        }
    })
}

/// What the last word may become; the same where nothing fits.
pub(crate) fn complete(text: &str) -> String {
    let (before, word, known) = match text.split_once(' ') {
        None => (
            String::new(),
            text,
            COMMANDS.iter().map(|(name, ..)| *name).collect(),
        ),
        Some((name, rest)) => {
            let known = match name {
                "level" => LEVELS.to_vec(),
                "time" => TIMES.to_vec(),
                _ => Vec::new(),
            };
            (format!("{name} "), rest, known)
        }
    };
    let mut fitting = known.into_iter().filter(|known| known.starts_with(word));
    let Some(first) = fitting.next() else {
        return text.to_owned();
    };
    let common = fitting.fold(first, |common, other| {
        let same = common.bytes().zip(other.bytes());
        &common[..same.take_while(|(one, other)| one == other).count()]
    });
    let is_whole = common == first && before.is_empty();
    let takes_more = COMMANDS
        .iter()
        .any(|(name, argument, _)| *name == common && !argument.is_empty());
    let space = if is_whole && takes_more { " " } else { "" };
    format!("{before}{common}{space}")
}

fn level(text: &str) -> Result<Option<Level>, String> {
    if text == "all" {
        return Ok(None);
    }
    text.parse::<Level>()
        .map(Some)
        .map_err(|_| format!("{text:?} is no level; there are {}", LEVELS.join(", ")))
}

fn time(text: &str) -> Result<Command, String> {
    Ok(match text {
        "received" => Command::Time(TimeFormat::Short, TimeBase::Received),
        "corrected" => Command::Time(TimeFormat::Short, TimeBase::Corrected),
        text => Command::Time(TimeFormat::parse(text)?, TimeBase::Sender),
    })
}

fn go_to(text: &str) -> Result<GoTo, String> {
    let wrong = || format!("{text:?} is no time; write 10:38, 10:38:59, +5m or -30s");
    if let Some(rest) = text.strip_prefix(['+', '-']) {
        let time = units::time(rest).ok_or_else(wrong)?;
        let ns = i64::try_from(time.as_nanos()).map_err(|_| wrong())?;
        return Ok(GoTo::By(if text.starts_with('-') { -ns } else { ns }));
    }
    let parts: Option<Vec<i8>> = text.split(':').map(|part| part.parse().ok()).collect();
    let time = match parts.as_deref() {
        Some([hour, minute]) => Time::new(*hour, *minute, 0, 0),
        Some([hour, minute, second]) => Time::new(*hour, *minute, *second, 0),
        _ => return Err(wrong()),
    };
    time.map(GoTo::At).map_err(|_| wrong())
}

impl GoTo {
    /// Which time is meant, seen from another; both in ns since 1970.
    pub(crate) fn from(self, here: i64, zone: &TimeZone) -> Option<i64> {
        match self {
            GoTo::By(ns) => here.checked_add(ns),
            GoTo::At(time) => {
                let here = Timestamp::from_nanosecond(here.into()).ok()?;
                let day = here.to_zoned(zone.clone()).date();
                let there = day.to_datetime(time).to_zoned(zone.clone()).ok()?;
                i64::try_from(there.timestamp().as_nanosecond()).ok()
            }
        }
    }
}

fn names(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_say_what_they_need() {
        assert_eq!(
            parse("level warning"),
            Ok(Command::Level(Some(Level::WARNING)))
        );
        assert_eq!(parse("level all"), Ok(Command::Level(None)));
        assert_eq!(
            parse(" filter status>=500 "),
            Ok(Command::Filter(Kind::Field, "status>=500".into()))
        );
        assert_eq!(parse("save! a b"), Ok(Command::Save("a b".into(), true)));
        let noon = Time::new(12, 5, 0, 0).unwrap();
        assert_eq!(parse("goto 12:05"), Ok(Command::GoTo(GoTo::At(noon))));
        assert_eq!(
            parse("goto -2m"),
            Ok(Command::GoTo(GoTo::By(-120_000_000_000)))
        );
        for wrong in [
            "levle info",
            "level",
            "level low",
            "goto",
            "goto 25:00",
            "goto noon",
            "time long",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tab_completes_as_far_as_it_is_clear() {
        assert_eq!(complete("lev"), "level ");
        assert_eq!(complete("s"), "s");
        assert_eq!(complete("se"), "sender ");
        assert_eq!(complete("cm"), "cmdline");
        assert_eq!(complete("level w"), "level warning");
        assert_eq!(complete("zz"), "zz");
    }

    #[test]
    fn a_time_of_day_is_one_of_the_day_that_is_seen() {
        let here = 1_795_207_453_072_258_300;
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let at = |text| match parse(text) {
            Ok(Command::GoTo(to)) => to.from(here, &zone).unwrap() - here,
            other => panic!("{other:?}"),
        };
        assert_eq!(at("goto +5m"), 300_000_000_000);
        // It is 21:44:13.072.
        assert_eq!(at("goto 21:44:14"), 927_741_700);
    }
}
