//! The console handler: one line a record on standard output or standard error.
//!
//! ```text
//! 2026-11-20 08:00:00,123 INFO     myapp.db 613 pool is ready
//! -- web-3 (pid 613) lost 17 records of myapp.db, 1041..1057 --
//! ```
//!
//! What stands in a record is a sender's text, so nothing of it reaches the terminal unescaped
//! (`format/visible.rs`), and further lines of a message or traceback are indented, so that none
//! passes for a record of its own. A batch is written at once. When nobody reads any more, the
//! handler ends.

use std::io::{self, Write};

use logbus_schemas::Level;

use super::{Fault, Handler, Opener, Row, Setting, render};
use crate::config::options::{Form, Kind, parameter};
use crate::format::{self, Formatter, visible};
use crate::item::Item;

pub(super) const ROW: Row = Row {
    name: "console",
    summary: "one line a record on standard output or standard error",
    forms: &[
        Form {
            class: "console",
            parameters: &[
                parameter(
                    "stream",
                    Kind::OneOf(&["stdout", "stderr", "split"]),
                    "where to; split sends what is serious to stderr; stdout",
                ),
                parameter(
                    "split_at",
                    Kind::Level,
                    "what is serious: this level and above; WARNING",
                ),
            ],
            read: |options| {
                let stream = options.one_of("stream").unwrap_or("stdout");
                let level = options.level("split_at").unwrap_or(Level::WARNING);
                Some(opener(
                    stream,
                    (stream == "split").then_some(level),
                    format::default,
                ))
            },
        },
        Form {
            class: "logging.StreamHandler",
            parameters: &[parameter(
                "stream",
                Kind::Text,
                "ext://sys.stdout or ext://sys.stderr; ext://sys.stderr",
            )],
            read: |options| {
                let stream = options.text("stream");
                let stream = match stream.as_deref() {
                    Some("ext://sys.stdout") => "stdout",
                    Some("ext://sys.stderr") | None => "stderr",
                    Some(other) => {
                        // A stream of the worker's, as Flask's wsgi_errors_stream.
                        let text =
                            format!("there is no {other} here; standard error takes its place");
                        options.warn("stream", text);
                        "stderr"
                    }
                };
                Some(opener(stream, None, format::message_only))
            },
        },
        Form {
            class: "seqlog.structured_logging.ConsoleStructuredLogHandler",
            parameters: &[],
            read: |_| Some(opener("stdout", None, format::message_only)),
        },
    ],
};

fn opener(
    stream: &'static str,
    split_at: Option<Level>,
    usual: fn() -> Box<dyn Formatter>,
) -> Opener {
    Box::new(move |setting: Setting| {
        let out: Box<dyn Write + Send> = match stream {
            "stderr" => Box::new(io::stderr()),
            _ => Box::new(io::stdout()),
        };
        let format = setting.formatter.unwrap_or_else(usual);
        let mut console = Console::new(&setting.name, format, setting.verbose, out);
        console.serious = split_at.map(|level| Serious {
            level,
            out: Box::new(io::stderr()),
            text: String::new(),
        });
        Ok(Box::new(console) as Box<dyn Handler>)
    })
}

/// The handler; see the head of this file.
pub struct Console {
    name: String,
    format: Box<dyn Formatter>,
    verbose: bool,
    out: Box<dyn Write + Send>,
    serious: Option<Serious>,
    line: String,
    text: String,
}

/// Where serious records go, and which those are.
struct Serious {
    level: Level,
    out: Box<dyn Write + Send>,
    text: String,
}

impl Console {
    /// A console that writes to `out`.
    pub fn new(
        name: &str,
        format: Box<dyn Formatter>,
        verbose: bool,
        out: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            format,
            verbose,
            out,
            serious: None,
            line: String::new(),
            text: String::new(),
        }
    }

    /// Where the text of an item is gathered.
    fn text_for(&mut self, item: &Item) -> &mut String {
        let is_serious = |level: Level| match item {
            Item::Record(delivered) => delivered.record.level().is_some_and(|of| of >= level),
            Item::Notice(notice) => !notice.is_routine(),
        };
        match &mut self.serious {
            Some(serious) if is_serious(serious.level) => &mut serious.text,
            _ => &mut self.text,
        }
    }
}

impl Handler for Console {
    fn name(&self) -> &str {
        &self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        self.text.clear();
        for item in batch {
            self.line.clear();
            if !render(&mut *self.format, item, self.verbose, &mut self.line) {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let text = self.text_for(item);
            visible::on_lines(&line, text);
            text.push('\n');
            self.line = line;
        }
        self.out.write_all(self.text.as_bytes())?;
        if let Some(serious) = &mut self.serious {
            serious.out.write_all(serious.text.as_bytes())?;
            serious.text.clear();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        if let Some(serious) = &mut self.serious {
            serious.out.flush()?;
        }
        Ok(self.out.flush()?)
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::conformance::{Screen, item};
    use logbus_schemas::Record;

    #[test]
    fn serious_records_go_to_the_other_stream_and_the_order_of_each_is_kept() {
        let (usual, serious) = (Screen::default(), Screen::default());
        let (usual_held, serious_held) = (usual.0.clone(), serious.0.clone());
        let format = format::message_only();
        let mut console = Console::new("console", format, false, Box::new(usual));
        console.serious = Some(Serious {
            level: Level::WARNING,
            out: Box::new(serious),
            text: String::new(),
        });
        for (level, text) in [(20, "one"), (40, "two"), (10, "three"), (30, "four")] {
            console
                .emit(&[item(Record::new("a", level, text))])
                .unwrap();
        }
        assert_eq!(*usual_held.lock().unwrap(), b"one\nthree\n");
        assert_eq!(*serious_held.lock().unwrap(), b"two\nfour\n");
    }
}
