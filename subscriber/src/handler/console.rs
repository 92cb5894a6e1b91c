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

use super::{Fault, Handler, Row, is_shown, notice_text};
use crate::config::Config;
use crate::format::{Formatter, visible};
use crate::item::Item;

pub(super) const ROW: Row = Row {
    name: "console",
    summary: "one line a record on standard output",
    build: |config: &Config| {
        if !config.console {
            return Ok(None);
        }
        let out = Box::new(std::io::stdout());
        Ok(Some(Box::new(Console::new(
            config.format.clone(),
            config.verbose,
            out,
        ))))
    },
};

/// The handler; see the head of this file.
pub struct Console {
    format: Box<dyn Formatter>,
    verbose: bool,
    out: Box<dyn Write + Send>,
    line: String,
    text: String,
}

impl Console {
    /// A console that writes to `out`.
    pub fn new(format: Box<dyn Formatter>, verbose: bool, out: Box<dyn Write + Send>) -> Self {
        Self {
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
        ROW.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        self.text.clear();
        for item in batch {
            self.line.clear();
            match item {
                Item::Record(delivered) => self.format.format(&delivered.record, &mut self.line),
                Item::Notice(notice) if is_shown(notice, self.verbose) => {
                    self.line.push_str(&notice_text(notice));
                }
                Item::Notice(_) => continue,
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
