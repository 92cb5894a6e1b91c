//! Opening a journal whatever state it is in.
//!
//! The database below reads its write-ahead files up to the first damaged place and cuts off what
//! is behind it, and does not open at all where certain files are damaged. Entries tell for
//! themselves what they are, so after a crash the write-ahead files are searched before it opens,
//! and what it did not find is put back. Where it does not open, every entry and durable subscription
//! that is whole in its files moves to a new one (`anew.rs`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::anew::{start_anew, sync, take_place};
use super::book::Book;
use super::entry::{Entry, MARK};
use super::limits::Fsync;
use super::rows::{CONSUMER_MARK, Consumer};
use super::store::{FOLDER, JournalError, Store, Watch};

/// A file that is there while the journal is open, with the id of this start of the system and with
/// when what is written is synced.
const OPEN: &str = "open";
/// Offsets that are left out after a power cut that may have taken entries.
const SKIPPED: u64 = 1 << 20;

/// What had to be done to open a journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rescue {
    /// Entries that were put back.
    pub(crate) restored: u64,
    /// Entries of which nothing is known but that they were there.
    pub(crate) lost: u64,
    /// Where the files lie that could not be used.
    pub(crate) set_aside: Option<PathBuf>,
    /// Whether a power cut may have taken the last entries.
    pub(crate) is_after_power_cut: bool,
    /// Whether it was not ended properly.
    pub(crate) was_open: bool,
}

impl Rescue {
    /// What an operator should know of it.
    pub(crate) fn notices(&self) -> Vec<String> {
        let Rescue { restored, lost, .. } = self;
        let mut notices = Vec::new();
        if let Some(aside) = &self.set_aside {
            notices.push(format!(
                "the journal was damaged: {restored} messages were saved, {lost} are lost; what is left of its files is in {}, which nobody needs but you",
                aside.display()
            ));
        } else if *restored > 0 {
            notices.push(format!(
                "the journal did not end properly, or is damaged: {restored} messages were saved, {lost} are lost"
            ));
        }
        if self.is_after_power_cut {
            notices.push(
                "the system ended while the journal was open: what was not synced by then is lost"
                    .to_owned(),
            );
        }
        notices
    }
}

/// What was found in files, by offset and by name.
#[derive(Default)]
pub(super) struct Found {
    /// In which file, and where. Only that is remembered: entries can be large.
    pub(super) entries: BTreeMap<u64, (usize, usize)>,
    pub(super) consumers: BTreeMap<String, Consumer>,
    files: Vec<Searched>,
}

impl Found {
    /// Of the rows of one name the last one counts.
    pub(super) fn learn(&mut self, name: String, consumer: Consumer) {
        let known = self.consumers.get(&name);
        if known.is_none_or(|known| known.below <= consumer.below) {
            self.consumers.insert(name, consumer);
        }
    }
}

/// A file that was searched.
struct Searched {
    path: PathBuf,
    /// What was in it, where opening the database changes it.
    bytes: Option<Vec<u8>>,
}

impl Searched {
    fn bytes(&self) -> Result<Cow<'_, [u8]>, JournalError> {
        match &self.bytes {
            Some(bytes) => Ok(bytes.into()),
            None => Ok(fs::read(&self.path)?.into()),
        }
    }
}

/// Opens the journal in this folder. What the system refuses is told with the folder's name.
pub(crate) fn open(
    dir: &Path,
    fsync: Fsync,
    watch: Option<Watch>,
) -> Result<(Book, Rescue), JournalError> {
    open_unnamed(dir, fsync, watch, false).map_err(|error| named(dir, error))
}

/// The same where the database opens and is damaged nevertheless: what is whole moves to a new one.
pub(super) fn open_anew(
    dir: &Path,
    fsync: Fsync,
    watch: Option<Watch>,
) -> Result<(Book, Rescue), JournalError> {
    open_unnamed(dir, fsync, watch, true).map_err(|error| named(dir, error))
}

fn named(dir: &Path, error: JournalError) -> JournalError {
    match error {
        JournalError::Disk(error) => {
            let text = format!("the journal in {}: {error}", dir.display());
            JournalError::Disk(io::Error::new(error.kind(), text))
        }
        other => other,
    }
}

fn open_unnamed(
    dir: &Path,
    fsync: Fsync,
    watch: Option<Watch>,
    is_damaged: bool,
) -> Result<(Book, Rescue), JournalError> {
    let mut rescue = Rescue::default();
    let boot = boot_id();
    let left_open = fs::read_to_string(dir.join(OPEN)).ok();
    take_place(dir, &mut rescue)?;
    let is_locked = matches!(is_free(dir), Ok(false));
    let found = match &left_open {
        Some(_) if !is_locked => search(&dir.join(FOLDER), &["jnl"])?,
        _ => Found::default(),
    };
    let opened = match is_damaged {
        true if is_locked => Err(JournalError::Locked(dir.to_owned())),
        true => Err(JournalError::Damaged("known already".to_owned())),
        false => open_with(dir, watch.clone(), &found, &mut rescue),
    };
    let mut book = match opened {
        Err(JournalError::Damaged(_)) => start_anew(dir, watch, &found, &mut rescue)?,
        other => other?,
    };
    rescue.was_open = left_open.is_some();
    if left_open.is_some_and(|left| may_have_lost(&left, &boot)) {
        rescue.is_after_power_cut = true;
        book.skip(SKIPPED)?;
    }
    book.store.sync()?;
    fs::write(dir.join(OPEN), format!("{boot} {}", fsync.word()))?;
    sync(&dir.join(OPEN))?;
    Ok((book, rescue))
}

/// Whether entries that somebody has read are not here, by what the last program that had the journal
/// open left behind: the system ended, and they were not synced before anybody read them.
fn may_have_lost(left: &str, boot: &str) -> bool {
    let (its_boot, fsync) = left.split_once(' ').unwrap_or((left, ""));
    its_boot != boot && fsync != Fsync::Always.word()
}

/// Opens the database, and puts back what it did not find in its write-ahead files.
fn open_with(
    dir: &Path,
    watch: Option<Watch>,
    found: &Found,
    rescue: &mut Rescue,
) -> Result<Book, JournalError> {
    let mut book = open_book(dir, watch)?;
    let restored = put_back(&mut book, found)?;
    if let Some(first) = found.entries.keys().next().filter(|_| restored > 0) {
        rescue.lost += book.mark_lost(*first, logbus_process::now())?;
    }
    rescue.restored += restored;
    Ok(book)
}

/// Ends a journal, and notes that. All of it is in tables then: the next start searches no write-ahead
/// file, in which a damaged place would cost everything behind it.
pub(super) fn close(book: Book, dir: &Path) -> Result<(), JournalError> {
    book.store.settle()?;
    drop(book);
    closed(dir);
    Ok(())
}

/// Notes that a journal was closed with all that it had.
pub(super) fn closed(dir: &Path) {
    // Where the note stays, the next start looks a little longer.
    fs::remove_file(dir.join(OPEN)).ok();
}

pub(super) fn open_book(dir: &Path, watch: Option<Watch>) -> Result<Book, JournalError> {
    let book = Book::open(Store::open(dir, watch)?)?;
    book.id()?;
    Ok(book)
}

/// Whether nobody has the database open.
fn is_free(dir: &Path) -> std::io::Result<bool> {
    let lock = fs::File::open(dir.join(FOLDER).join("lock"))?;
    Ok(lock.try_lock().is_ok())
}

pub(super) fn put_back(book: &mut Book, found: &Found) -> Result<u64, JournalError> {
    let mut restored = 0;
    let mut file = (usize::MAX, Cow::default());
    for (name, at) in found.entries.values() {
        if file.0 != *name {
            file = (*name, found.files[*name].bytes()?);
        }
        if let Some(entry) = file.1.get(*at..).and_then(Entry::read) {
            restored += u64::from(book.restore(&entry)?);
        }
    }
    Ok(restored)
}

/// Searches all files below a folder that have one of these endings (none: any).
pub(super) fn search(folder: &Path, endings: &[&str]) -> Result<Found, JournalError> {
    let mut found = Found::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(listing) = fs::read_dir(&folder) else {
            continue;
        };
        for item in listing {
            let path = item?.path();
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                folders.push(path);
            } else if endings.is_empty() || endings.contains(&&*ending) {
                search_file(&path, !endings.is_empty(), &mut found);
            }
        }
    }
    Ok(found)
}

/// A file that cannot be read holds nothing that could be saved.
fn search_file(path: &Path, is_kept: bool, found: &mut Found) {
    let Ok(mut bytes) = fs::read(path) else {
        return;
    };
    bytes.truncate(used(&bytes));
    search_bytes(&bytes, found);
    found.files.push(Searched {
        path: path.to_owned(),
        bytes: is_kept.then_some(bytes),
    });
}

/// How many bytes come before the zeros at the end: a write-ahead file is given its room in advance.
pub(super) fn used(bytes: &[u8]) -> usize {
    const STEP: usize = 4096;
    let zeros = bytes.rchunks(STEP).take_while(|step| **step == [0; STEP]);
    let end = bytes.len() - zeros.count() * STEP;
    let last = bytes[..end].iter().rposition(|byte| *byte != 0);
    last.map_or(0, |last| last + 1)
}

/// Searches what was read of the file that comes next.
fn search_bytes(bytes: &[u8], found: &mut Found) {
    let file = found.files.len();
    let mut at = 0;
    while let Some(ahead) = bytes[at..].iter().position(|byte| *byte == MARK[0]) {
        at += ahead;
        let rest = &bytes[at..];
        let length = if rest.starts_with(&MARK) {
            found_entry(rest, (file, at), found)
        } else if rest.starts_with(&CONSUMER_MARK) {
            found_consumer(rest, found)
        } else {
            None
        };
        at += length.unwrap_or(1);
    }
}

fn found_entry(bytes: &[u8], place: (usize, usize), found: &mut Found) -> Option<usize> {
    let entry = Entry::read(bytes)?;
    found.entries.insert(entry.offset, place);
    Some(entry.bytes().len())
}

fn found_consumer(bytes: &[u8], found: &mut Found) -> Option<usize> {
    let (name, consumer) = Consumer::read_row(bytes)?;
    found.learn(name, consumer);
    Some(1)
}

/// Another one after each start of the system.
fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

/// The offsets of the entries and the names of the consumers that a rescue finds in these bytes.
#[cfg(any(test, fuzzing))]
pub(super) fn found_in(bytes: &[u8]) -> (Vec<u64>, Vec<String>) {
    let mut found = Found::default();
    search_bytes(bytes, &mut found);
    let entries = found.entries.into_keys().collect();
    (entries, found.consumers.into_keys().collect())
}
