//! The file handler: appends whole lines to one file.
//!
//! The file is opened for appending, written to when the stream pauses and at least every second,
//! and opened anew on SIGHUP and whenever it was moved or removed (as logrotate does). What cannot
//! be written (a full disk) is kept up to a bound and tried again; beyond the bound whole records
//! are dropped and counted. A line that was half written is finished first, so none is ever torn.
//! Directories are not made.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Fault, Handler, Row, notice_line};
use crate::config::Config;
use crate::format::PercentFormat;
use crate::item::Item;

/// Bytes that are kept while the file cannot be written.
const MAX_KEPT: usize = 16 << 20;
/// Bytes that are gathered before they are written without waiting for a pause.
const WRITE_AT: usize = 256 << 10;

pub(super) const ROW: Row = Row {
    name: "file",
    summary: "appends whole lines to a file",
    build: |config: &Config| {
        let Some(path) = &config.file else {
            return Ok(None);
        };
        let handler = FileHandler::open(path, config.format.clone(), config.verbose)
            .with_context(|| format!("cannot open {} for appending", path.display()))?;
        Ok(Some(Box::new(handler)))
    },
};

/// The handler; see the head of this file.
pub struct FileHandler {
    path: PathBuf,
    file: File,
    format: PercentFormat,
    verbose: bool,
    /// What is to be written. It may begin in the middle of a line whose first part is in the file.
    kept: VecDeque<u8>,
    dropped: u64,
    line: String,
}

impl FileHandler {
    /// Opens the file, or makes it.
    pub fn open(path: &Path, format: PercentFormat, verbose: bool) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: append_to(path)?,
            format,
            verbose,
            kept: VecDeque::new(),
            dropped: 0,
            line: String::new(),
        })
    }

    fn keep_line(&mut self) -> bool {
        if self.kept.len() + self.line.len() + 1 > MAX_KEPT {
            return false;
        }
        self.kept.extend(self.line.as_bytes());
        self.kept.push_back(b'\n');
        true
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.kept.is_empty() {
            let (first, _) = self.kept.as_slices();
            match self.file.write(first) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                // What is in the file goes, also when the rest of its line must wait.
                Ok(written) => drop(self.kept.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.named(error)),
            }
        }
        Ok(())
    }

    fn named(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }

    /// Whether the path leads to another file than the open one, or to none.
    fn was_moved(&self) -> bool {
        let Ok(open) = self.file.metadata() else {
            return false;
        };
        match std::fs::metadata(&self.path) {
            Ok(there) => (there.dev(), there.ino()) != (open.dev(), open.ino()),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

impl Handler for FileHandler {
    fn name(&self) -> &str {
        ROW.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            self.line.clear();
            match item {
                Item::Record(delivered) => self.format.format(&delivered.record, &mut self.line),
                Item::Notice(notice) => match notice_line(notice, self.verbose) {
                    Some(line) => self.line.push_str(&line),
                    None => continue,
                },
            }
            if !self.keep_line() && matches!(item, Item::Record(_)) {
                self.dropped += 1;
            }
        }
        // A failing disk is told of at the next flush; until then what came is kept.
        if self.kept.len() >= WRITE_AT && self.write().is_err() {
            return Ok(());
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.write()?;
        if self.was_moved() {
            self.reopen()?;
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), Fault> {
        self.write()?;
        self.file = append_to(&self.path).map_err(|error| self.named(error))?;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        Ok(self.write()?)
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Delivered;
    use logbus_schemas::{Record, Topic};

    fn handler(path: &Path) -> FileHandler {
        let format = PercentFormat::parse("%(message)s", None).unwrap();
        FileHandler::open(path, format, false).unwrap()
    }

    fn record(text: &str) -> Item {
        let (record, topic) = (Record::new("a", 20, text), Topic::new("a").unwrap());
        Item::Record(Box::new(Delivered {
            record,
            topic,
            origin: None,
            received: 0,
        }))
    }

    #[test]
    fn a_flush_puts_whole_lines_into_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        let mut handler = handler(&path);
        handler.emit(&[record("one"), record("two")]).unwrap();
        handler.flush().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_moved_file_is_left_alone_and_a_new_one_begun() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("app.log"), dir.path().join("app.log.1"));
        let mut handler = handler(&path);
        handler.emit(&[record("old")]).unwrap();
        handler.flush().unwrap();
        std::fs::rename(&path, &moved).unwrap();
        handler.flush().unwrap();
        handler.emit(&[record("new")]).unwrap();
        handler.close().unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "old\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\n");
    }

    #[test]
    fn a_full_disk_is_told_and_what_does_not_fit_is_counted() {
        let mut handler = handler(Path::new("/dev/full"));
        handler.emit(&[record("kept")]).unwrap();
        let Err(Fault::Io(error)) = handler.flush() else {
            panic!("a full disk took a line")
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().contains("/dev/full"));
        handler
            .emit(&[record(&"x".repeat(MAX_KEPT)), record("still fits")])
            .unwrap();
        assert_eq!(handler.dropped(), 1);
    }
}
