//! The file handler: appends whole lines to a file, or to one of many by a record's fields.
//!
//! ```yaml
//! app: {type: file, path: 'logs/{name}.log', rotate_when: midnight, keep: 14, compress: gzip}
//! ```
//!
//! Lines are written when the stream pauses and at least every second. What happens when the file
//! is moved, truncated or the disk is full, is in `file/log_file.rs`; rotation is in
//! `file/rotation.rs`, with Python's names and times. A record's text is written as it is, as
//! Python's `FileHandler` does. Flushed means that the system has it; of a durable subscription
//! (`history/mod.rs`) it is synced as well, and a rotated file always is.

mod backlog;
mod compress;
mod encoding;
mod log_file;
mod rotation;
mod schedule;
mod template;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use logbus_process as process;

use self::compress::Compression;
use self::encoding::{ENCODING, ERRORS, Encoding};
use self::log_file::{LogFile, Settings};
use self::rotation::{Retention, Rotation};
use self::schedule::Schedule;
use self::template::PathTemplate;
use super::{Fault, Handler, Opener, Row, Say, Setting, render};
use crate::config::node::{Node, Tree};
use crate::config::options::{Form, Kind, Options, Parameter, parameter};
use crate::format::{self, Formatter};
use crate::item::Item;

/// Files that are open at once, when nothing else is said.
const MAX_OPEN: u64 = 64;

const FILENAME: Parameter = parameter("filename", Kind::Text, "the file; its directory must exist");
const MODE: Parameter = parameter(
    "mode",
    Kind::OneOf(&["a", "w"]),
    "a appends, w begins with an empty file; a",
);
const DELAY: Parameter = parameter(
    "delay",
    Kind::Bool,
    "make the file when the first line comes; false",
);
const BACKUPS: Parameter = parameter("backupCount", Kind::Count, "rotated files that are kept; 0");

pub(super) const ROW: Row = Row {
    name: "file",
    summary: "appends whole lines to a file, rotated by size and time",
    forms: &[
        Form {
            class: "file",
            parameters: &[
                parameter(
                    "path",
                    Kind::Text,
                    "the file; {name} and other fields of a record may stand in it",
                ),
                parameter(
                    "rotate_size",
                    Kind::Bytes,
                    "rotate before the file reaches this size",
                ),
                parameter(
                    "rotate_when",
                    Kind::Text,
                    "rotate at times: S, M, H, D, W0 (Monday) to W6, midnight",
                ),
                parameter(
                    "rotate_interval",
                    Kind::Count,
                    "only every so many of those; 1",
                ),
                parameter(
                    "rotate_at",
                    Kind::Text,
                    "the time of day for midnight and W0 to W6, as 04:30",
                ),
                parameter("utc", Kind::Bool, "times and names by UTC; false"),
                parameter(
                    "keep",
                    Kind::Count,
                    "rotated files that are kept; all, or 5 when rotated by size",
                ),
                parameter(
                    "keep_for",
                    Kind::Seconds,
                    "how long rotated files are kept, as 14d",
                ),
                parameter(
                    "keep_bytes",
                    Kind::Bytes,
                    "how much rotated files may take, as 1GiB",
                ),
                parameter(
                    "compress",
                    Kind::OneOf(&["gzip", "zstd"]),
                    "compress rotated files",
                ),
                parameter(
                    "permissions",
                    Kind::Any,
                    "of new files, in octal, as \"0640\"; what the umask leaves",
                ),
                parameter("owner", Kind::Text, "of new files, a name or number"),
                parameter("group", Kind::Text, "of new files, a name or number"),
                parameter(
                    "make_directories",
                    Kind::Bool,
                    "make directories that are missing; true",
                ),
                parameter(
                    "max_open",
                    Kind::Count,
                    "files that are open at once where the path has fields; 64",
                ),
                MODE,
                DELAY,
                ENCODING,
                ERRORS,
            ],
            read: read_own,
        },
        Form {
            class: "logging.FileHandler",
            parameters: &[FILENAME, MODE, ENCODING, DELAY, ERRORS],
            read: |options| read_pythons(options, Rotation::default()),
        },
        Form {
            class: "logging.handlers.WatchedFileHandler",
            parameters: &[FILENAME, MODE, ENCODING, DELAY, ERRORS],
            read: |options| read_pythons(options, Rotation::default()),
        },
        Form {
            class: "logging.handlers.RotatingFileHandler",
            parameters: &[
                FILENAME,
                MODE,
                parameter(
                    "maxBytes",
                    Kind::Bytes,
                    "rotate before the file reaches this size; 0, never",
                ),
                BACKUPS,
                ENCODING,
                DELAY,
                ERRORS,
            ],
            read: |options| {
                let rotation = Rotation {
                    size: options.bytes("maxBytes").unwrap_or(0),
                    retention: Retention {
                        count: Some(count(options, "backupCount").unwrap_or(0)),
                        ..Retention::default()
                    },
                    ..Rotation::default()
                };
                read_pythons(options, rotation)
            },
        },
        Form {
            class: "logging.handlers.TimedRotatingFileHandler",
            parameters: &[
                FILENAME,
                parameter(
                    "when",
                    Kind::Text,
                    "S, M, H, D, W0 (Monday) to W6 or midnight; H",
                ),
                parameter("interval", Kind::Count, "only every so many of those; 1"),
                BACKUPS,
                ENCODING,
                DELAY,
                parameter("utc", Kind::Bool, "times and names by UTC; false"),
                parameter(
                    "atTime",
                    Kind::Text,
                    "the time of day for midnight and W0 to W6, as 04:30",
                ),
                ERRORS,
            ],
            read: |options| {
                let when = options.text("when").unwrap_or_else(|| "H".to_owned());
                let schedule = schedule(options, &when, ["when", "interval", "atTime"]);
                let rotation = Rotation {
                    schedule,
                    retention: Retention {
                        count: count(options, "backupCount"),
                        ..Retention::default()
                    },
                    ..Rotation::default()
                };
                read_pythons(options, rotation)
            },
        },
    ],
};

/// Rotated files that are kept when they are numbered and nothing else is said.
const KEPT: usize = 5;

fn read_own(options: &mut Options<'_>) -> Option<Opener> {
    let path = options.required_text("path");
    let size = options.bytes("rotate_size").unwrap_or(0);
    let when = options.text("rotate_when");
    let schedule = when.and_then(|when| {
        schedule(
            options,
            &when,
            ["rotate_when", "rotate_interval", "rotate_at"],
        )
    });
    let kept = count(options, "keep");
    let is_numbered = schedule.is_none() && size > 0;
    let rotation = Rotation {
        size,
        retention: Retention {
            count: kept.or(is_numbered.then_some(KEPT)),
            age: options.seconds("keep_for"),
            bytes: options.bytes("keep_bytes"),
        },
        compression: options.one_of("compress").map(|name| match name {
            "gzip" => Compression::Gzip,
            _ => Compression::Zstd,
        }),
        schedule,
    };
    let settings = Settings {
        rotation,
        permissions: permissions(options),
        owner: id(options, "owner", |name| {
            let user = nix::unistd::User::from_name(name).ok().flatten();
            user.map(|user| user.uid.as_raw())
        }),
        group: id(options, "group", |name| {
            let group = nix::unistd::Group::from_name(name).ok().flatten();
            group.map(|group| group.gid.as_raw())
        }),
        makes_directories: options.bool("make_directories").unwrap_or(true),
        ..common(options)
    };
    let max_open = options.count("max_open").unwrap_or(MAX_OPEN).max(1) as usize;
    let path = match PathTemplate::parse(&path?) {
        Ok(path) => path,
        Err(problem) => {
            options.wrong("path", problem);
            return None;
        }
    };
    Some(opener(path, settings, max_open, format::default))
}

/// A class of Python's: its path has no fields, and without a formatter it writes messages.
fn read_pythons(options: &mut Options<'_>, rotation: Rotation) -> Option<Opener> {
    let path = options.required_text("filename");
    let mut settings = Settings {
        rotation,
        ..common(options)
    };
    // A file that is rotated is never emptied, as in Python.
    settings.truncates &= settings.rotation == Rotation::default();
    // A brace stands for itself here.
    let path = path?.replace('{', "{{").replace('}', "}}");
    let path = PathTemplate::parse(&path).ok()?;
    Some(opener(path, settings, 1, format::message_only))
}

/// What every form has.
fn common(options: &mut Options<'_>) -> Settings {
    Settings {
        encoding: Encoding::read(options),
        truncates: options.one_of_if_known("mode") == Some("w"),
        is_delayed: options.bool("delay").unwrap_or(false),
        ..Settings::default()
    }
}

fn count(options: &mut Options<'_>, name: &'static str) -> Option<usize> {
    let count = options.count(name)?;
    Some(usize::try_from(count).unwrap_or(usize::MAX))
}

/// A schedule, from the options that say when, how often, and at what time of day.
fn schedule(options: &mut Options<'_>, when: &str, names: [&'static str; 3]) -> Option<Schedule> {
    let [name, interval, at] = names;
    let interval = options.count(interval).unwrap_or(1);
    let is_utc = options.bool("utc").unwrap_or(false);
    let at = options.text(at).and_then(|text| {
        let seconds = seconds_of(&text);
        if seconds.is_none() {
            options.wrong(
                at,
                format!("{text:?} is no time of day; write for example 04:30"),
            );
        }
        seconds
    });
    match Schedule::new(when, interval, at, is_utc) {
        Ok(schedule) => Some(schedule),
        Err(problem) => {
            options.wrong(name, problem);
            None
        }
    }
}

/// The seconds of `HH:MM` or `HH:MM:SS`.
fn seconds_of(text: &str) -> Option<i64> {
    let parts: Vec<i64> = text
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    match parts[..] {
        [hour @ 0..24, minute @ 0..60] => Some(hour * 3600 + minute * 60),
        [hour @ 0..24, minute @ 0..60, second @ 0..60] => Some(hour * 3600 + minute * 60 + second),
        _ => None,
    }
}

/// `0640` in YAML is a number, which is octal already; a text is read as octal.
fn permissions(options: &mut Options<'_>) -> Option<u32> {
    let node = options.take("permissions")?;
    let bits = match &node {
        Node {
            tree: Tree::Int(bits),
            ..
        } => u32::try_from(*bits).ok(),
        Node {
            tree: Tree::Text(text),
            ..
        } => u32::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
        _ => None,
    };
    let bits = bits.filter(|bits| *bits <= 0o7777);
    if bits.is_none() {
        options.wrong(
            "permissions",
            format!("{node} is not octal; write for example \"0640\""),
        );
    }
    bits
}

fn id(
    options: &mut Options<'_>,
    name: &'static str,
    lookup: impl Fn(&str) -> Option<u32>,
) -> Option<u32> {
    let text = options.text(name)?;
    let id = text.parse().ok().or_else(|| lookup(&text));
    if id.is_none() {
        options.wrong(name, format!("there is no {name} {text:?} on this system"));
    }
    id
}

fn opener(
    path: PathTemplate,
    settings: Settings,
    max_open: usize,
    usual: fn() -> Box<dyn Formatter>,
) -> Opener {
    Box::new(move |setting: Setting| {
        let settings = Arc::new(settings);
        let files = match path.fixed() {
            Some(path) => {
                let opened = LogFile::open(&path, &settings, seconds, &setting.say);
                Files::One(Box::new(opened.with_context(|| cannot_open(&path))?))
            }
            None => Files::Many {
                path,
                settings,
                max_open,
                open: Vec::new(),
                dropped: 0,
                say: setting.say,
            },
        };
        Ok(Box::new(FileHandler {
            name: setting.name,
            format: setting.formatter.unwrap_or_else(usual),
            verbose: setting.verbose,
            files,
            line: String::new(),
        }) as Box<dyn Handler>)
    })
}

fn seconds() -> i64 {
    (process::now() / 1_000_000_000) as i64
}

/// The handler; see the head of this file.
pub struct FileHandler {
    name: String,
    format: Box<dyn Formatter>,
    verbose: bool,
    files: Files,
    line: String,
}

/// Where lines go.
enum Files {
    One(Box<LogFile>),
    /// By the fields of each record.
    Many {
        path: PathTemplate,
        settings: Arc<Settings>,
        max_open: usize,
        /// The one that was used last comes last.
        open: Vec<LogFile>,
        /// Records dropped by files that are closed.
        dropped: u64,
        say: Say,
    },
}

impl Files {
    /// Takes in an item's line. A notice goes into every file that is open.
    fn push(&mut self, item: &Item, line: &str) -> io::Result<()> {
        match (self, item) {
            (Files::One(file), _) => file.push(line, matches!(item, Item::Record(_))),
            (Files::Many { open, .. }, Item::Notice(_)) => {
                for file in open {
                    file.push(line, false);
                }
            }
            (many, Item::Record(delivered)) => {
                let Files::Many { path, dropped, .. } = many else {
                    return Ok(());
                };
                let mut filled = String::new();
                path.fill(&delivered.record, &mut filled);
                // Opening may fail: then the record has nowhere to wait.
                *dropped += 1;
                let file = many.file(PathBuf::from(filled))?;
                file.push(line, true);
                if let Files::Many { dropped, .. } = many {
                    *dropped -= 1;
                }
            }
        }
        Ok(())
    }

    /// The open file at a path, as the one that was used last.
    fn file(&mut self, path: PathBuf) -> io::Result<&mut LogFile> {
        match self {
            Files::One(file) => Ok(file),
            Files::Many {
                settings,
                max_open,
                open,
                dropped,
                say,
                ..
            } => {
                let file = match open.iter().position(|file| file.path == path) {
                    Some(at) => open.remove(at),
                    None => {
                        let mut fault = Ok(());
                        while open.len() >= *max_open {
                            // One that has everything in its file goes before one that has not.
                            let at = open.iter().position(LogFile::is_clean).unwrap_or(0);
                            let mut oldest = open.remove(at);
                            fault = fault.and(oldest.close());
                            oldest.sync_what_goes();
                            *dropped += oldest.dropped();
                        }
                        fault?;
                        LogFile::open(&path, settings, seconds, say)?
                    }
                };
                open.push(file);
                let last = open.len() - 1;
                Ok(&mut open[last])
            }
        }
    }

    /// Does this with every open file; the first error counts.
    fn each(&mut self, act: impl Fn(&mut LogFile) -> io::Result<()>) -> io::Result<()> {
        match self {
            Files::One(file) => act(file),
            Files::Many { open, .. } => {
                let results: Vec<io::Result<()>> = open.iter_mut().map(act).collect();
                results.into_iter().collect()
            }
        }
    }

    /// Whether everything is on disk.
    fn secure(&mut self) -> io::Result<bool> {
        let mut is_secure = true;
        match self {
            Files::One(file) => is_secure = file.secure()?,
            Files::Many { open, .. } => {
                for file in open {
                    is_secure &= file.secure()?;
                }
            }
        }
        Ok(is_secure)
    }

    fn dropped(&self) -> u64 {
        match self {
            Files::One(file) => file.dropped(),
            Files::Many { open, dropped, .. } => {
                *dropped + open.iter().map(LogFile::dropped).sum::<u64>()
            }
        }
    }
}

/// Says what to do where it is known.
fn cannot_open(path: &Path) -> String {
    let path_shown = path.display();
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.exists() => format!(
            "cannot open {path_shown} for appending: make the directory {} first, logsub does not",
            parent.display()
        ),
        _ => format!("cannot open {path_shown} for appending"),
    }
}

impl Handler for FileHandler {
    fn name(&self) -> &str {
        &self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        let mut result = Ok(());
        for item in batch {
            self.line.clear();
            if render(&mut *self.format, item, self.verbose, &mut self.line) {
                result = result.and(self.files.push(item, &self.line));
            }
        }
        // What could not be taken in is counted as dropped, so the batch itself did not fail.
        match result {
            Ok(()) => Ok(()),
            Err(error) => Err(Fault::Partly(error)),
        }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(self.files.each(LogFile::flush)?)
    }

    fn secure(&mut self) -> Result<bool, Fault> {
        Ok(self.files.secure()?)
    }

    fn reopen(&mut self) -> Result<(), Fault> {
        Ok(self.files.each(LogFile::reopen)?)
    }

    fn close(&mut self) -> Result<(), Fault> {
        Ok(self.files.each(LogFile::close)?)
    }

    fn dropped(&self) -> u64 {
        self.files.dropped()
    }
}

#[cfg(test)]
pub(super) mod tests;
