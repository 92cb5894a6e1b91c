//! Watching configuration files: whether one of them is another than before.
//!
//! Files are looked at, not subscribed to: an editor or a deployment may move another file, or a
//! link, into the place of the one that was read, and a look at the place sees all of that.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What a file looks like from outside: device, inode, length and time of change; nothing where
/// there is none.
type Look = Option<(u64, u64, u64, i64, i64)>;

/// The files as they were when last looked at.
pub struct Watch {
    files: Vec<(PathBuf, Look)>,
}

impl Watch {
    /// Looks at these files.
    pub fn new(paths: &[PathBuf]) -> Self {
        let files = paths.iter().map(|path| (path.clone(), look(path)));
        Self {
            files: files.collect(),
        }
    }

    /// Looks again: whether one has changed, and is there.
    pub fn has_changed(&mut self) -> bool {
        let mut is_changed = false;
        for (path, before) in &mut self.files {
            let now = look(path);
            // Between the old one and the new one there may be none for a moment.
            is_changed |= now.is_some() && now != *before;
            *before = now.or(*before);
        }
        is_changed
    }
}

fn look(path: &PathBuf) -> Look {
    let seen = std::fs::metadata(path).ok()?;
    Some((
        seen.dev(),
        seen.ino(),
        seen.len(),
        seen.mtime(),
        seen.mtime_nsec(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_or_replaced_has_changed_once() {
        let dir = tempfile::tempdir().unwrap();
        let (path, next) = (dir.path().join("a.yaml"), dir.path().join("b.yaml"));
        std::fs::write(&path, "version: 1").unwrap();
        let mut watch = Watch::new(std::slice::from_ref(&path));
        assert!(!watch.has_changed());
        std::fs::write(&path, "version: 1\n").unwrap();
        assert!(watch.has_changed() && !watch.has_changed());
        std::fs::remove_file(&path).unwrap();
        assert!(!watch.has_changed());
        std::fs::write(&next, "version: 1\n").unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert!(watch.has_changed() && !watch.has_changed());
    }
}
