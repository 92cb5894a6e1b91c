//! Rotated files: what they are called, how they move up, and which are deleted.
//!
//! Names are Python's: `app.log.1` is the youngest of those rotated by size, `app.log.2026-11-20`
//! holds the day it names. Every step is a rename that either happened or did not, from the oldest
//! file to the youngest, so whatever a crash interrupts is found and finished by the next
//! rotation. No file is deleted to make room for a name; only what retention says is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::compress::{Compression, ENDINGS};
use super::schedule::{Schedule, is_suffix};

/// What is kept of rotated files.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Retention {
    /// How many; none means all, or for numbered files none at all.
    pub(super) count: Option<usize>,
    /// How long, after they were last written.
    pub(super) age: Option<Duration>,
    /// How many bytes in all.
    pub(super) bytes: Option<u64>,
}

/// When a file is rotated, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rotation {
    /// Before it would reach so many bytes; 0 is never.
    pub(super) size: u64,
    pub(super) schedule: Option<Schedule>,
    pub(super) retention: Retention,
    pub(super) compression: Option<Compression>,
}

impl Rotation {
    /// Whether files are numbered: those that are rotated by nothing but their size.
    fn is_numbered(&self) -> bool {
        self.schedule.is_none()
    }

    /// Moves the file at `path` out of the way; says where it is now. Where files are numbered and
    /// none is kept, as Python's `backupCount=0` says, it stays.
    pub(super) fn move_away(&self, path: &Path, due: i64, now: i64) -> io::Result<Option<PathBuf>> {
        let Some(schedule) = &self.schedule else {
            return match self.retention.count {
                Some(0) => Ok(None),
                count => number(path, count).map(Some),
            };
        };
        let name = with_suffix(path, &schedule.suffix(due, now));
        let mut free = name.clone();
        let mut next = 1;
        while variants(&free).any(|taken| taken.exists()) {
            // Two of one name: rotation by size within the day, or a clock that was set back.
            free = with_suffix(&name, &next.to_string());
            next += 1;
        }
        fs::rename(path, &free)?;
        Ok(Some(free))
    }

    /// Deletes what is not to be kept.
    pub(super) fn retain(&self, path: &Path) -> io::Result<()> {
        let Retention { count, age, bytes } = self.retention;
        let mut rotated = rotated(path)?;
        // Numbered files are counted by their numbers; to Python a count of 0 keeps all others.
        let count = count.filter(|count| !self.is_numbered() && *count > 0);
        let now = SystemTime::now();
        let (mut kept, mut sum) = (0, 0);
        // The youngest first.
        rotated.sort_by(|a, b| b.written.cmp(&a.written).then(b.path.cmp(&a.path)));
        for file in rotated {
            kept += 1;
            sum += file.bytes;
            let is_old =
                age.is_some_and(|age| now.duration_since(file.written).unwrap_or_default() > age);
            if count.is_some_and(|count| kept > count)
                || bytes.is_some_and(|most| sum > most)
                || is_old
            {
                fs::remove_file(&file.path)?;
            }
        }
        Ok(())
    }

    /// Files that were rotated and are not compressed yet: those of a run that ended before.
    pub(super) fn uncompressed(&self, path: &Path) -> Vec<PathBuf> {
        let is_plain = |file: &Rotated| {
            let name = file.path.to_string_lossy();
            !ENDINGS.iter().any(|ending| name.ends_with(ending))
        };
        let found = match self.compression {
            Some(_) => rotated(path).unwrap_or_default(),
            None => Vec::new(),
        };
        found
            .into_iter()
            .filter(is_plain)
            .map(|file| file.path)
            .collect()
    }
}

/// Moves numbered files up, the oldest first, and `path` to number 1.
fn number(path: &Path, count: Option<usize>) -> io::Result<PathBuf> {
    let numbered = |n: usize| with_suffix(path, &n.to_string());
    let mut last = 0;
    while count.is_none_or(|count| last + 1 < count)
        && variants(&numbered(last + 1)).any(|file| file.exists())
    {
        last += 1;
    }
    // A gap, which an interrupted rotation leaves, ends the moving: what is behind it has moved.
    for n in (1..=last).rev() {
        let targets: Vec<PathBuf> = variants(&numbered(n + 1)).collect();
        for (from, to) in variants(&numbered(n)).zip(&targets) {
            if from.exists() {
                fs::rename(&from, to)?;
                // The last place may have held a file of another ending.
                for other in targets
                    .iter()
                    .filter(|other| *other != to && other.exists())
                {
                    fs::remove_file(other)?;
                }
            }
        }
    }
    let first = numbered(1);
    fs::rename(path, &first)?;
    for other in variants(&first).filter(|other| *other != first && other.exists()) {
        fs::remove_file(other)?;
    }
    Ok(first)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// A rotated file's name, as it is and compressed.
fn variants(path: &Path) -> impl Iterator<Item = PathBuf> {
    let endings = [""].into_iter().chain(ENDINGS.iter().copied());
    let path = path.as_os_str().to_owned();
    endings.map(move |ending| {
        let mut name = path.clone();
        name.push(ending);
        PathBuf::from(name)
    })
}

/// A rotated file.
struct Rotated {
    path: PathBuf,
    written: SystemTime,
    bytes: u64,
}

/// The rotated files of `path`, whichever way they were rotated.
fn rotated(path: &Path) -> io::Result<Vec<Rotated>> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let base = path.file_name().unwrap_or_default().to_string_lossy();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Some(suffix) = name
            .strip_prefix(&*base)
            .and_then(|rest| rest.strip_prefix('.'))
        else {
            continue;
        };
        if !is_rotated(suffix) {
            continue;
        }
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            found.push(Rotated {
                path: entry.path(),
                written: metadata.modified()?,
                bytes: metadata.len(),
            });
        }
    }
    Ok(found)
}

fn is_rotated(suffix: &str) -> bool {
    let plain = ENDINGS
        .iter()
        .find_map(|ending| suffix.strip_suffix(ending))
        .unwrap_or(suffix);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(plain) || is_suffix(plain) && plain.split('.').skip(1).all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn write(folder: &Path, name: &str, text: &str) {
        fs::write(folder.join(name), text).unwrap();
    }

    fn numbered(count: usize) -> Rotation {
        Rotation {
            size: 1,
            retention: Retention {
                count: Some(count),
                ..Retention::default()
            },
            ..Rotation::default()
        }
    }

    #[test]
    fn numbered_files_move_up_and_the_last_one_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        for round in 0..5 {
            write(dir.path(), "a.log", &round.to_string());
            numbered(3).move_away(&path, 0, 0).unwrap();
        }
        assert_eq!(names(dir.path()), ["a.log.1", "a.log.2", "a.log.3"]);
        assert_eq!(fs::read_to_string(dir.path().join("a.log.3")).unwrap(), "2");
    }

    #[test]
    fn whatever_step_a_crash_comes_after_nothing_is_lost() {
        // The renames of a rotation with three kept files, as far as they came.
        let steps = [
            ("a.log.2", "a.log.3"),
            ("a.log.1", "a.log.2"),
            ("a.log", "a.log.1"),
        ];
        for done in 0..=steps.len() {
            let dir = tempfile::tempdir().unwrap();
            for name in ["a.log", "a.log.1", "a.log.2"] {
                write(dir.path(), name, name);
            }
            for (from, to) in &steps[..done] {
                fs::rename(dir.path().join(from), dir.path().join(to)).unwrap();
            }
            // The next run: a new line, and another rotation.
            let path = dir.path().join("a.log");
            if !path.exists() {
                write(dir.path(), "a.log", "new");
            }
            numbered(9).move_away(&path, 0, 0).unwrap();
            let all: String = names(dir.path())
                .iter()
                .map(|name| fs::read_to_string(dir.path().join(name)).unwrap() + " ")
                .collect();
            for text in ["a.log ", "a.log.1 ", "a.log.2 "] {
                assert!(all.contains(text), "after {done}: {all}");
            }
        }
    }

    #[test]
    fn compressed_files_move_up_with_the_others() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.log", "a.log.1", "a.log.2.gz", "a.log.3.gz"] {
            write(dir.path(), name, name);
        }
        numbered(3)
            .move_away(&dir.path().join("a.log"), 0, 0)
            .unwrap();
        assert_eq!(names(dir.path()), ["a.log.1", "a.log.2", "a.log.3.gz"]);
    }

    #[test]
    fn a_name_that_is_taken_costs_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation {
            schedule: Some(Schedule::new("D", 1, None, true).unwrap()),
            ..Rotation::default()
        };
        for round in 0..3 {
            write(dir.path(), "a.log", &round.to_string());
            rotation
                .move_away(&dir.path().join("a.log"), 86_400, 86_400)
                .unwrap();
        }
        let expected = [
            "a.log.1970-01-01",
            "a.log.1970-01-01.1",
            "a.log.1970-01-01.2",
        ];
        assert_eq!(names(dir.path()), expected);
    }

    #[test]
    fn retention_deletes_the_oldest_and_nothing_that_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let ours = [
            "a.log.2026-11-18",
            "a.log.2026-11-19.gz",
            "a.log.2026-11-20",
        ];
        for (at, name) in ours.iter().enumerate() {
            write(dir.path(), name, "12345");
            let file = fs::File::options()
                .append(true)
                .open(dir.path().join(name))
                .unwrap();
            let age = Duration::from_secs(3600 * (10 - at as u64));
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        for name in ["a.log", "a.log.old", "a.logx.1", "b.log.1"] {
            write(dir.path(), name, "x");
        }
        let path = dir.path().join("a.log");
        let keep = |retention: Retention| Rotation {
            schedule: Some(Schedule::new("D", 1, None, true).unwrap()),
            retention,
            ..Rotation::default()
        };
        let by_bytes = Retention {
            bytes: Some(12),
            ..Retention::default()
        };
        keep(by_bytes).retain(&path).unwrap();
        assert!(!names(dir.path()).contains(&ours[0].to_owned()));
        let by_age = Retention {
            age: Some(Duration::from_secs(3600 * 8 + 1800)),
            ..Retention::default()
        };
        keep(by_age).retain(&path).unwrap();
        assert!(!names(dir.path()).contains(&ours[1].to_owned()));
        let by_count = Retention {
            count: Some(1),
            ..Retention::default()
        };
        keep(by_count).retain(&path).unwrap();
        assert_eq!(
            names(dir.path()),
            [
                "a.log",
                "a.log.2026-11-20",
                "a.log.old",
                "a.logx.1",
                "b.log.1"
            ]
        );
    }
}
