//! A new database in the place of a damaged one.
//!
//! It is made beside the damaged one of every entry and durable subscription that is whole in that one's
//! files. Only when all of them are in there it takes the place of the damaged one, which is set aside.
//! Whoever is interrupted at that begins again, or goes on where nothing but names was left to change.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::book::Book;
use super::rescue::{Found, Rescue, open_book, put_back, search};
use super::rows::key;
use super::store::{FOLDER, JournalError, Watch};

/// The folder of a journal that is to take the damaged one's place. It is whole when the damaged one
/// has left its place.
const NEW: &str = "new";
/// A file in there, with what will have to be said.
const NOTE: &str = "note";
/// How the folders of damaged ones are named, before a number that grows.
const ASIDE: &str = "damaged-";

/// Whether there is a journal in this folder.
pub(super) fn is_there(dir: &Path) -> bool {
    [dir.join(FOLDER), dir.join(NEW).join(FOLDER)]
        .iter()
        .any(|folder| folder.is_dir())
}

/// Makes a new database of what is whole in the damaged one, and opens it in that one's place.
pub(super) fn start_anew(
    dir: &Path,
    watch: Option<Watch>,
    earlier: &Found,
    rescue: &mut Rescue,
) -> Result<Book, JournalError> {
    let new = dir.join(NEW);
    clear(&new)?;
    let built = build(dir, &new, watch.clone(), earlier);
    if built.is_err() {
        // Where the disk is full, half of it helps nobody.
        clear(&new)?;
    }
    built?;
    set_aside(dir, watch.as_ref())?;
    take_place(dir, rescue)?;
    open_book(dir, watch)
}

/// Removes a folder that may be there.
fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Writes the new database, and beside it what will have to be said. All of it is on disk then.
fn build(
    dir: &Path,
    new: &Path,
    watch: Option<Watch>,
    earlier: &Found,
) -> Result<(), JournalError> {
    let mut found = search(&dir.join(FOLDER), &[])?;
    let mut book = open_book(new, watch)?;
    let mut restored = put_back(&mut book, &found)?;
    // Opening the damaged one cut off what its write-ahead files had had before.
    restored += put_back(&mut book, earlier)?;
    for (name, consumer) in &earlier.consumers {
        found.learn(name.clone(), consumer.clone());
    }
    let mut batch = book.store.batch();
    for (name, consumer) in &found.consumers {
        batch.insert(&book.store.consumers, name.as_str(), consumer.to_row(name));
    }
    // What was before the first of them went to retention, or is lost with the rest.
    let all = found.entries.keys().chain(earlier.entries.keys());
    let floor = all.min().copied().unwrap_or(0);
    batch.insert(&book.store.meta, "floor", key(floor));
    book.store.commit(batch, "restore")?;
    book.floor = floor;
    let lost = book.mark_lost(floor, logbus_process::now())?;
    let done = found
        .consumers
        .values()
        .map(|consumer| consumer.handed.max(consumer.below));
    let done = done.max().unwrap_or(0);
    if done > book.next {
        book.skip(done - book.next)?;
    }
    book.store.sync()?;
    fs::write(new.join(NOTE), format!("{restored} {lost}"))?;
    sync(&new.join(NOTE))?;
    Ok(sync(new)?)
}

/// Moves the damaged database out of the way. From then on the new one is the journal.
fn set_aside(dir: &Path, watch: Option<&Watch>) -> Result<(), JournalError> {
    let seconds = logbus_process::now() / 1_000_000_000;
    let names = (seconds..).map(|number| dir.join(format!("{ASIDE}{number}")));
    let mut free = names.filter(|path| !path.exists());
    if let Some(aside) = free.next() {
        fs::rename(dir.join(FOLDER), aside)?;
    }
    sync(dir)?;
    logbus_process::crash_point("journal", "aside");
    watch.map_or(Ok(()), |watch| Ok(watch("aside")?))
}

/// Moves the new database to the place that the damaged one has left, where there is one.
pub(super) fn take_place(dir: &Path, rescue: &mut Rescue) -> Result<(), JournalError> {
    let new = dir.join(NEW);
    if dir.join(FOLDER).exists() || !new.join(FOLDER).exists() {
        return Ok(());
    }
    let note = fs::read_to_string(new.join(NOTE)).unwrap_or_default();
    let mut counts = note.split(' ').map(|count| count.parse().unwrap_or(0));
    rescue.restored += counts.next().unwrap_or(0);
    rescue.lost += counts.next().unwrap_or(0);
    rescue.set_aside = last_aside(dir)?;
    fs::rename(new.join(FOLDER), dir.join(FOLDER))?;
    sync(dir)?;
    Ok(clear(&new)?)
}

/// What was set aside last.
fn last_aside(dir: &Path) -> io::Result<Option<PathBuf>> {
    let mut last = None;
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix(ASIDE).and_then(|n| n.parse::<u64>().ok());
        last = last.max(number.map(|number| (number, path)));
    }
    Ok(last.map(|(_, path)| path))
}

/// Has a file, or which names are in a folder, on disk.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}
