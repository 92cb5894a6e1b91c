//! The folder of spools: what they are called, and which of them nobody has any more.
//!
//! ```text
//! DIR/PROGRAM.PID.ID/lock        held by the process that the spool belongs to
//! DIR/PROGRAM.PID.ID/000001      a segment, the oldest first
//! ```
//!
//! ID is the sender's id in hexadecimal. A spool is made under a name that begins with a dot, and
//! gets its own when it is locked, so that nobody finds one that is not.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use logbus_process as process;

use super::own;

/// A program's name is cut at this many characters.
const LONGEST_NAME: usize = 60;
const LOCK: &str = "lock";

/// A spool's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) program: String,
    pub(crate) pid: u32,
    pub(crate) id: u64,
}

impl Name {
    /// The name of a spool of this process.
    pub(crate) fn new(program: &str, id: u64) -> Self {
        Self {
            program: file_name(program),
            pid: std::process::id(),
            id,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let is_shown = |name: &&str| !name.is_empty() && !name.starts_with('.');
        let mut parts = text.rsplitn(3, '.');
        let id = parts.next().filter(|id| id.len() == 16)?;
        Some(Self {
            id: u64::from_str_radix(id, 16).ok()?,
            pid: parts.next()?.parse().ok()?,
            program: parts.next().filter(is_shown)?.to_owned(),
        })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{:016x}", self.program, self.pid, self.id)
    }
}

/// A program's name as a part of a file's.
pub(crate) fn file_name(program: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = program
        .chars()
        .take(LONGEST_NAME)
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if name.is_empty() => "_".to_owned(),
        None => name,
    }
}

/// A spool's folder, locked by this process.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) path: PathBuf,
    pub(crate) id: u64,
    lock: Option<File>,
}

impl Held {
    /// Makes a new one.
    pub(crate) fn create(dir: &Path, name: &Name) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let (path, unnamed) = (dir.join(name.to_string()), dir.join(format!(".{name}")));
        // Records are nobody else's business.
        DirBuilder::new().mode(0o700).create(&unnamed)?;
        process::crash_point("spool", "folder");
        let lock = File::create(unnamed.join(LOCK))?;
        own::enter(name.id);
        // A file that nobody else knows is not locked by anybody; an error is one of the file system.
        process::lock::lock_for_process(&lock)?;
        process::crash_point("spool", "folder");
        fs::rename(&unnamed, &path)?;
        process::crash_point("spool", "folder");
        Ok(Self {
            path,
            id: name.id,
            lock: Some(lock),
        })
    }

    /// Takes one whose owner is dead; `None` where somebody has it, or has done with it.
    pub(crate) fn take(dir: &Path, name: &Name) -> io::Result<Option<Self>> {
        if !own::enter(name.id) {
            return Ok(None);
        }
        let path = dir.join(name.to_string());
        let lock = lock_existing(&path.join(LOCK));
        if !matches!(lock, Ok(Some(_))) {
            own::leave(name.id);
        }
        Ok(lock?.map(|lock| Self {
            path,
            id: name.id,
            lock: Some(lock),
        }))
    }

    /// Removes it with all that is in it.
    pub(crate) fn remove(self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // The lock goes last: whoever takes it now finds that it is gone.
            if entry.file_name() != LOCK {
                fs::remove_file(entry.path())?;
                process::crash_point("spool", "remove");
            }
        }
        fs::remove_file(self.path.join(LOCK))?;
        process::crash_point("spool", "remove");
        fs::remove_dir(&self.path)
    }

    /// The segments that are there, the oldest first.
    pub(crate) fn segments(&self) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            numbers.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Where a segment is.
    pub(crate) fn segment(&self, number: u32) -> PathBuf {
        self.path.join(format!("{number:06}"))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Closed first: once it is left, another publisher here may lock it, and closing unlocks.
        self.lock = None;
        own::leave(self.id);
    }
}

fn lock_existing(path: &Path) -> io::Result<Option<File>> {
    let file = match File::options().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Whoever had it a moment ago may have removed it since it was opened.
    let is_taken = process::lock::lock_for_process(&file)? && file.metadata()?.nlink() > 0;
    Ok(is_taken.then_some(file))
}

/// The spools in a folder that are not this process's own, the oldest first.
pub(crate) fn spools(dir: &Path) -> io::Result<Vec<Name>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_str().and_then(Name::parse);
        if let Some(name) = name.filter(|name| !own::is_own(name.id)) {
            // One that was removed meanwhile has no age.
            let age = entry
                .metadata()
                .and_then(|data| data.created().or(data.modified()));
            found.extend(age.map(|age| (age, name)).ok());
        }
    }
    found.sort_by_key(|(age, _)| *age);
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for program in ["web", "my.app 2/x", ".hidden", "", "größe"] {
            let name = Name::new(program, 0xAB);
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        for other in ["web", "web.12.34", ".web.12.00000000000000ab", "lost+found"] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_spool_of_this_process_is_not_taken_a_second_time() {
        let dir = tempfile::tempdir().unwrap();
        let name = Name::new("web", 0xAB01);
        let held = Held::create(dir.path(), &name).unwrap();
        assert_eq!(spools(dir.path()).unwrap(), []);
        assert!(Held::take(dir.path(), &name).unwrap().is_none());
        drop(held);
        assert_eq!(spools(dir.path()).unwrap(), std::slice::from_ref(&name));
        let held = Held::take(dir.path(), &name).unwrap().unwrap();
        held.remove().unwrap();
        assert_eq!(spools(dir.path()).unwrap(), []);
        assert!(Held::take(dir.path(), &name).unwrap().is_none());
    }
}
