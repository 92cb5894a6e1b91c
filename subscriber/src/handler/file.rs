//! The file handler: appends whole lines to one file.
//!
//! The file is opened for appending, written to when the stream pauses and at least every second,
//! and opened anew on SIGHUP and whenever it was moved or removed (as logrotate does). What cannot
//! be written (a full disk) is kept up to a bound and tried again (`file/backlog.rs`); beyond the
//! bound whole records are dropped and counted, and the file says how many where they would have
//! been. A record's text is written as it is, as Python's `FileHandler` does. Directories are not
//! made, and nothing is synced: flushed means that the system has it.

mod backlog;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use self::backlog::Backlog;
use super::{Fault, Handler, Row, Setting, render};
use crate::config::options::{Form, Kind, parameter};
use crate::format::{self, Formatter};
use crate::item::{Item, Notice};

/// Bytes that are kept while the file cannot be written.
const MAX_KEPT: usize = 16 << 20;
/// Bytes that are gathered before they are written without waiting for a pause.
const WRITE_AT: usize = 256 << 10;

pub(super) const ROW: Row = Row {
    name: "file",
    summary: "appends whole lines to a file",
    forms: &[Form {
        class: "file",
        parameters: &[parameter(
            "path",
            Kind::Text,
            "the file; its directory must exist",
        )],
        read: |options| {
            let path = options.required_path("path")?;
            Some(Box::new(move |setting: Setting| {
                let format = setting.formatter.unwrap_or_else(format::default);
                let handler = FileHandler::open(&setting.name, &path, format, setting.verbose)
                    .with_context(|| cannot_open(&path))?;
                Ok(Box::new(handler) as Box<dyn Handler>)
            }))
        },
    }],
};

/// The handler; see the head of this file.
pub struct FileHandler {
    name: String,
    path: PathBuf,
    file: File,
    format: Box<dyn Formatter>,
    verbose: bool,
    backlog: Backlog,
    /// The last write failed: the next one is tried at a flush, not at every record.
    is_failing: bool,
    dropped: u64,
    /// Of those dropped: not told in the file yet.
    untold: u64,
    line: String,
}

impl FileHandler {
    /// Opens the file, or makes it.
    pub fn open(
        name: &str,
        path: &Path,
        format: Box<dyn Formatter>,
        verbose: bool,
    ) -> io::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            file: append_to(path)?,
            format,
            verbose,
            backlog: Backlog::default(),
            is_failing: false,
            dropped: 0,
            untold: 0,
            line: String::new(),
        })
    }

    /// Takes `self.line` into the backlog, or counts it.
    fn keep(&mut self, is_record: bool) {
        let is_told = self.tell_what_was_dropped(self.line.len() + 1);
        // A disk that works is never the reason to drop a record.
        if self.backlog.len_bytes() + self.line.len() >= WRITE_AT && !self.is_failing {
            // The next flush tries again, and says so when that fails, too.
            drop(self.write());
        }
        let is_kept = is_told && self.backlog.push(&self.line, is_record, MAX_KEPT);
        if !is_kept && is_record {
            self.dropped += 1;
            self.untold += 1;
        }
    }

    /// Says in the file what it lacks at this place; `false` when there is no room for that and
    /// for `more` bytes after it.
    fn tell_what_was_dropped(&mut self, more: usize) -> bool {
        if self.untold == 0 {
            return true;
        }
        let records = self.untold;
        let mut line = String::new();
        self.format
            .notice(&Notice::Unwritten { records }, &mut line);
        let is_told = self
            .backlog
            .push(&line, false, MAX_KEPT.saturating_sub(more));
        if is_told {
            self.untold = 0;
        }
        is_told
    }

    fn write(&mut self) -> io::Result<()> {
        let mut result = self.backlog.write_to(&mut self.file);
        if result.is_ok() && self.untold > 0 {
            self.tell_what_was_dropped(0);
            result = self.backlog.write_to(&mut self.file);
        }
        self.is_failing = result.is_err();
        result.map_err(|error| self.named(error))
    }

    fn write_to_where_the_path_leads(&mut self) -> io::Result<()> {
        if self.was_moved() {
            self.open_anew()
        } else {
            self.write()
        }
    }

    /// Opens what the path leads to now. A file that was moved gets what came for it; one that was
    /// removed would swallow it, so that goes to the new one, as does what the old one refuses.
    fn open_anew(&mut self) -> io::Result<()> {
        let old = identity(&self.file)?;
        if self.file.metadata()?.nlink() > 0 {
            // What fails here is tried again below.
            drop(self.write());
        }
        self.file = append_to(&self.path).map_err(|error| self.named(error))?;
        if identity(&self.file)? != old {
            self.backlog.begin_anew();
        }
        self.write()
    }

    fn named(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }

    /// Whether the path leads to another file than the open one, or to none.
    fn was_moved(&self) -> bool {
        let Ok(open) = identity(&self.file) else {
            return false;
        };
        match std::fs::metadata(&self.path) {
            Ok(there) => (there.dev(), there.ino()) != open,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// What tells an open file from every other: device and inode.
fn identity(file: &File) -> io::Result<(u64, u64)> {
    file.metadata()
        .map(|metadata| (metadata.dev(), metadata.ino()))
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
        for item in batch {
            self.line.clear();
            if !render(&mut *self.format, item, self.verbose, &mut self.line) {
                continue;
            }
            self.keep(matches!(item, Item::Record(_)));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        Ok(self.write_to_where_the_path_leads()?)
    }

    fn reopen(&mut self) -> Result<(), Fault> {
        Ok(self.open_anew()?)
    }

    fn close(&mut self) -> Result<(), Fault> {
        let result = self.write_to_where_the_path_leads();
        self.dropped += self.backlog.abandon();
        Ok(result?)
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests;
