//! The console handler: one line a record on standard output.
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

use std::io::Write;

use super::{Fault, Handler, Row, Setting, render};
use crate::config::options::Form;
use crate::format::{self, Formatter, visible};
use crate::item::Item;

pub(super) const ROW: Row = Row {
    name: "console",
    summary: "one line a record on standard output",
    forms: &[Form {
        class: "console",
        parameters: &[],
        read: |_| {
            Some(Box::new(|setting: Setting| {
                let format = setting.formatter.unwrap_or_else(format::default);
                let out = Box::new(std::io::stdout());
                let console = Console::new(&setting.name, format, setting.verbose, out);
                Ok(Box::new(console) as Box<dyn Handler>)
            }))
        },
    }],
};

/// The handler; see the head of this file.
pub struct Console {
    name: String,
    format: Box<dyn Formatter>,
    verbose: bool,
    out: Box<dyn Write + Send>,
    line: String,
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
            line: String::new(),
            text: String::new(),
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
            visible::on_lines(&self.line, &mut self.text);
            self.text.push('\n');
        }
        self.out.write_all(self.text.as_bytes())?;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(self.out.flush()?)
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.flush()
    }
}
