//! One log file: whole lines appended, rotated, opened anew, kept when the disk is full.
//!
//! What cannot be written is kept up to a bound and tried again (`backlog.rs`); beyond the bound
//! whole records are dropped and counted, and the file says how many where they would have been. A
//! file that was moved or removed is opened anew (as logrotate's `create` needs), and one that was
//! truncated (`copytruncate`) goes on at its new end. Whether a line still belongs into the file is
//! asked before the line is taken, so a rotated file ends with a whole line.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::Say;
use super::backlog::Backlog;
use super::compress::Compressor;
use super::encoding::Encoding;
use super::rotation::Rotation;
use crate::item::Notice;

/// Bytes that are kept while the file cannot be written.
pub(super) const MAX_KEPT: usize = 16 << 20;
/// Bytes that are gathered before they are written without waiting for a pause.
const WRITE_AT: usize = 256 << 10;

/// What every file of a handler has in common.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Settings {
    pub(super) encoding: Encoding,
    pub(super) rotation: Rotation,
    /// The file begins empty.
    pub(super) truncates: bool,
    /// The file is made when its first line comes.
    pub(super) is_delayed: bool,
    pub(super) makes_directories: bool,
    pub(super) permissions: Option<u32>,
    pub(super) owner: Option<u32>,
    pub(super) group: Option<u32>,
}

/// The file; see the head of this file.
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    settings: Arc<Settings>,
    file: Option<File>,
    /// Whether the directory has it on disk that the file is there.
    is_entered: bool,
    /// Bytes in the file, as far as they are known.
    size: u64,
    /// When it is to be rotated by the clock.
    due: Option<i64>,
    clock: fn() -> i64,
    backlog: Backlog,
    compressor: Compressor,
    say: Say,
    /// The last write failed: the next one is tried at a flush, not at every record.
    is_failing: bool,
    dropped: u64,
    /// Of those dropped: not told in the file yet.
    untold: u64,
    /// What could not be done since the last flush.
    fault: Option<io::Error>,
    bytes: Vec<u8>,
}

impl LogFile {
    /// Opens the file, or makes it, unless that is delayed.
    pub(super) fn open(
        path: &Path,
        settings: &Arc<Settings>,
        clock: fn() -> i64,
        say: &Say,
    ) -> io::Result<Self> {
        let mut log = Self {
            path: path.to_owned(),
            settings: settings.clone(),
            file: None,
            is_entered: false,
            size: 0,
            due: None,
            clock,
            backlog: Backlog::default(),
            compressor: Compressor::default(),
            say: say.clone(),
            is_failing: false,
            dropped: 0,
            untold: 0,
            fault: None,
            bytes: Vec::new(),
        };
        if let Some(schedule) = &settings.rotation.schedule {
            // As Python: a file that is there was begun when it was last written.
            let written = fs::metadata(path).map_or_else(|_| clock(), |there| there.mtime());
            log.due = Some(schedule.first(written));
        }
        if !settings.is_delayed {
            log.open_file(settings.truncates)?;
        }
        if let Some(how) = settings.rotation.compression {
            let left = settings.rotation.uncompressed(path);
            log.compressor.start(how, left, say);
        }
        Ok(log)
    }

    /// Takes a line in, into the file where it belongs.
    pub(super) fn push(&mut self, line: &str, is_record: bool) {
        if self.is_due(line)
            && let Err(error) = self.rotate()
        {
            self.fault = Some(error);
        }
        let is_told = self.tell_what_was_dropped(line.len() + 1);
        // A disk that works is never the reason to drop a record.
        if self.backlog.len_bytes() + line.len() >= WRITE_AT && !self.is_failing {
            // The next flush tries again, and says so when that fails, too.
            drop(self.write());
        }
        let is_kept = is_told && self.keep(line, is_record, MAX_KEPT);
        if !is_kept && is_record {
            self.dropped += 1;
            self.untold += 1;
        }
    }

    /// Writes what waits to where the path leads.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let result = if self.file.is_none() {
            let is_needed = self.backlog.len_bytes() > 0 || !self.settings.is_delayed;
            if is_needed { self.write() } else { Ok(()) }
        } else if self.was_moved() {
            self.reopen()
        } else {
            self.write()
        };
        match (result, self.fault.take()) {
            (Ok(()), Some(fault)) => Err(self.named(fault)),
            (result, _) => result,
        }
    }

    /// Opens what the path leads to now. A file that was moved gets what came for it; one that was
    /// removed would swallow it, so that goes to the new one, as does what the old one refuses.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let metadata = file.metadata()?;
        let old = (metadata.dev(), metadata.ino());
        if metadata.nlink() > 0 {
            // What fails here is tried again below.
            drop(self.write());
            self.sync_what_goes();
        }
        self.open_file(false)?;
        if self.file.as_ref().map(identity).transpose()? != Some(old) {
            self.backlog.begin_anew();
        }
        self.write()
    }

    /// Writes what is left, and gives up what cannot be written.
    pub(super) fn close(&mut self) -> io::Result<()> {
        let result = self.flush();
        self.dropped += self.backlog.abandon();
        self.compressor.wait();
        result
    }

    /// Whether everything that was taken in is on disk; what is in the file is synced.
    pub(super) fn secure(&mut self) -> io::Result<bool> {
        if let Some(file) = &self.file {
            match file.sync_data() {
                // A pipe or a device has no disk behind it.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                synced => synced.map_err(|error| self.named(error))?,
            }
            if !self.is_entered {
                enter(&self.path).map_err(|error| self.named(error))?;
                self.is_entered = true;
            }
        }
        Ok(self.is_clean())
    }

    /// Syncs a file that will not be asked again.
    pub(super) fn sync_what_goes(&self) {
        // What fails here failed in writing, or cannot be helped.
        drop(self.file.as_ref().map(File::sync_data));
    }

    /// Records that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether nothing is in it that is not in the file.
    pub(super) fn is_clean(&self) -> bool {
        self.backlog.len_bytes() == 0 && self.untold == 0
    }

    fn keep(&mut self, line: &str, is_record: bool, limit: usize) -> bool {
        self.bytes.clear();
        self.settings.encoding.encode(line, &mut self.bytes);
        self.backlog.push(&self.bytes, is_record, limit)
    }

    /// Says in the file what it lacks at this place; `false` when there is no room for that and
    /// for `more` bytes after it.
    fn tell_what_was_dropped(&mut self, more: usize) -> bool {
        if self.untold == 0 {
            return true;
        }
        let records = self.untold;
        let line = format!("-- {} --", Notice::Unwritten { records });
        let is_told = self.keep(&line, false, MAX_KEPT.saturating_sub(more));
        if is_told {
            self.untold = 0;
        }
        is_told
    }

    fn write(&mut self) -> io::Result<()> {
        let mut result = self.write_backlog();
        if result.is_ok() && self.untold > 0 {
            self.tell_what_was_dropped(0);
            result = self.write_backlog();
        }
        self.is_failing = result.is_err();
        result.map_err(|error| self.named(error))
    }

    fn write_backlog(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            self.open_file(self.settings.truncates && self.size == 0)?;
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let before = self.backlog.len_bytes();
        let result = self.backlog.write_to(file);
        self.size += (before - self.backlog.len_bytes()) as u64;
        result
    }

    /// Whether the file must be rotated before this line: by Python's rules, which count the
    /// line's characters.
    fn is_due(&mut self, line: &str) -> bool {
        let most = self.settings.rotation.size;
        let mut is_due = self.due.is_some_and(|due| (self.clock)() >= due);
        if most > 0 && !is_due {
            if self.file.is_none() && self.open_file(self.settings.truncates).is_err() {
                return false;
            }
            let begun = self.size + self.backlog.len_bytes() as u64;
            let more = line.chars().count() as u64 + 1;
            is_due = begun > 0 && begun + more >= most;
        }
        // Nothing but regular files is ever moved.
        is_due && fs::metadata(&self.path).is_ok_and(|there| there.is_file())
    }

    fn rotate(&mut self) -> io::Result<()> {
        // What came before belongs into the file that goes.
        self.write()?;
        self.compressor.wait();
        let settings = self.settings.clone();
        let (rotation, now) = (&settings.rotation, (self.clock)());
        let due = self.due.unwrap_or(now);
        let moved = rotation.move_away(&self.path, due, now)?;
        if let Some(schedule) = &rotation.schedule {
            self.due = Some(schedule.next(now));
        }
        self.sync_what_goes();
        self.file = None;
        if !settings.is_delayed {
            self.open_file(false)?;
        }
        rotation.retain(&self.path)?;
        if let (Some(how), Some(moved)) = (rotation.compression, moved) {
            self.compressor.start(how, vec![moved], &self.say);
        }
        Ok(())
    }

    fn open_file(&mut self, truncates: bool) -> io::Result<()> {
        let opened = open(&self.path, &self.settings, truncates);
        let file = opened.map_err(|error| self.named(error))?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        self.is_entered = false;
        Ok(())
    }

    fn named(&self, error: io::Error) -> io::Error {
        let path = self.path.display().to_string();
        match error.to_string().contains(&path) {
            true => error,
            false => io::Error::new(error.kind(), format!("{path}: {error}")),
        }
    }

    /// Whether the path leads to another file than the open one, or to none. Notes a file that has
    /// become shorter.
    fn was_moved(&mut self) -> bool {
        let Some(open) = self.file.as_ref().and_then(|file| identity(file).ok()) else {
            return false;
        };
        match fs::metadata(&self.path) {
            Ok(there) => {
                if there.len() < self.size {
                    self.size = there.len();
                }
                (there.dev(), there.ino()) != open
            }
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

fn open(path: &Path, settings: &Settings, truncates: bool) -> io::Result<File> {
    if settings.makes_directories
        && let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)?;
    }
    let is_new = !path.exists();
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    if let Some(permissions) = settings.permissions {
        options.mode(permissions);
    }
    let file = options.open(path)?;
    if is_new {
        if let Some(permissions) = settings.permissions {
            // The umask took some away.
            file.set_permissions(Permissions::from_mode(permissions))?;
        }
        if settings.owner.is_some() || settings.group.is_some() {
            fchown(&file, settings.owner, settings.group)?;
        }
    }
    if truncates {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Syncs the directory in which a file is; the file's own sync does not say that it is there.
fn enter(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let synced = File::open(parent.unwrap_or(Path::new("."))).and_then(|dir| dir.sync_all());
    match synced {
        // A directory that may be written into, and not be read, cannot be opened.
        Err(error)
            if [io::ErrorKind::InvalidInput, io::ErrorKind::PermissionDenied]
                .contains(&error.kind()) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// What tells an open file from every other: device and inode.
fn identity(file: &File) -> io::Result<(u64, u64)> {
    file.metadata()
        .map(|metadata| (metadata.dev(), metadata.ino()))
}
