//! The console handler: one line a record on standard output.
//!
//! ```text
//! 2026-11-20 08:00:00,123 INFO     myapp.db 613 pool is ready
//! -- web-3 (pid 613) lost 17 records of myapp.db, 1041..1057 --
//! ```
//!
//! What stands in a record is a sender's text, so nothing of it reaches the terminal unescaped:
//! control and escape characters and marks that turn text around are shown as `\x1b` or `\u202e`,
//! and further lines of a message or traceback are indented, so that none passes for a record of
//! its own. A batch is written at once. When nobody reads any more, the handler ends.

use std::io::Write;

use super::{Fault, Handler, Row, notice_line};
use crate::config::Config;
use crate::format::PercentFormat;
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
    format: PercentFormat,
    verbose: bool,
    out: Box<dyn Write + Send>,
    line: String,
    text: String,
}

impl Console {
    /// A console that writes to `out`.
    pub fn new(format: PercentFormat, verbose: bool, out: Box<dyn Write + Send>) -> Self {
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
                Item::Notice(notice) => match notice_line(notice, self.verbose) {
                    Some(line) => self.line.push_str(&line),
                    None => continue,
                },
            }
            escape(&self.line, &mut self.text);
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

/// Adds `line` to `out` as a terminal may see it.
fn escape(line: &str, out: &mut String) {
    for c in line.chars() {
        match c {
            '\n' => out.push_str("\n    "),
            '\t' => out.push('\t'),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if turns_text_around(c) => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
}

/// Marks that reorder or break what stands around them: bidirectional controls (Unicode TR 9) and
/// the line and paragraph separators.
fn turns_text_around(c: char) -> bool {
    matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sender_writes_cannot_steer_the_terminal_or_forge_a_line() {
        let mut shown = String::new();
        escape("red \x1b[31m\r\u{9b}\u{202e}\nINFO forged", &mut shown);
        assert_eq!(shown, "red \\x1b[31m\\x0d\\x9b\\u202e\n    INFO forged");
    }
}
