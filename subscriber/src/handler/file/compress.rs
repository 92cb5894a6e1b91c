//! Compressing rotated files, on a thread of its own.
//!
//! The compressed file is written beside the plain one under another name, synced, and renamed
//! when it is whole; only then is the plain one removed. So a crash leaves the plain one, and the
//! next run begins again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use flate2::write::GzEncoder;

use super::super::Say;

/// The endings of compressed files.
pub(super) const ENDINGS: &[&str] = &[".gz", ".zst"];
/// What a file is called while it is written.
const UNFINISHED: &str = ".unfinished";
/// zstd's own usual level.
const ZSTD_LEVEL: i32 = 3;

/// How rotated files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    fn ending(self) -> &'static str {
        match self {
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        }
    }

    /// Compresses a file and removes it.
    fn compress(self, path: &Path) -> io::Result<()> {
        let target = with(path, self.ending());
        let unfinished = with(&target, UNFINISHED);
        let mut source = File::open(path)?;
        let metadata = source.metadata()?;
        let out = File::create(&unfinished)?;
        out.set_permissions(metadata.permissions())?;
        let out = match self {
            Compression::Gzip => {
                let mut encoder = GzEncoder::new(out, flate2::Compression::default());
                io::copy(&mut source, &mut encoder)?;
                encoder.finish()?
            }
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(out, ZSTD_LEVEL)?;
                io::copy(&mut source, &mut encoder)?;
                encoder.finish()?
            }
        };
        // Retention by age goes by when the lines were written.
        out.set_modified(metadata.modified()?)?;
        (&out).flush()?;
        out.sync_all()?;
        fs::rename(&unfinished, &target)?;
        fs::remove_file(path)
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The work that is under way. Dropped, it waits for its end.
#[derive(Default)]
pub(super) struct Compressor {
    work: Option<JoinHandle<()>>,
}

impl Compressor {
    /// Compresses files in the background, one after the other, after what is under way.
    pub(super) fn start(&mut self, how: Compression, paths: Vec<PathBuf>, say: &Say) {
        self.wait();
        if paths.is_empty() {
            return;
        }
        let say = say.clone();
        let work = std::thread::Builder::new()
            .name("logsub-compress".to_owned())
            .spawn(move || {
                for path in paths {
                    if let Err(error) = how.compress(&path) {
                        say(&format!("cannot compress {}: {error}", path.display()));
                    }
                }
            });
        // Without a thread they stay as they are, for the next run.
        self.work = work.ok();
    }

    /// Waits until nothing is under way: names must not change under it.
    pub(super) fn wait(&mut self) {
        if let Some(work) = self.work.take() {
            // A panic there has been printed; the plain file is still there.
            drop(work.join());
        }
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        self.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_compressed_file_holds_the_same_and_the_plain_one_is_gone() {
        let text = "a line\n".repeat(1000);
        for how in [Compression::Gzip, Compression::Zstd] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.log.1");
            fs::write(&path, &text).unwrap();
            let say: Say = Arc::new(|_| {});
            Compressor::default().start(how, vec![path.clone()], &say);
            let packed = fs::read(with(&path, how.ending())).unwrap();
            let mut unpacked = String::new();
            match how {
                Compression::Gzip => flate2::read::GzDecoder::new(&packed[..])
                    .read_to_string(&mut unpacked)
                    .map(drop)
                    .unwrap(),
                Compression::Zstd => {
                    unpacked = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
                }
            }
            assert!(unpacked == text && packed.len() < text.len() && !path.exists());
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_cannot_be_compressed_is_said_and_stays() {
        let said = Arc::<Mutex<Vec<String>>>::default();
        let lines = said.clone();
        let say: Say = Arc::new(move |line| lines.lock().unwrap().push(line.to_owned()));
        let mut compressor = Compressor::default();
        compressor.start(Compression::Gzip, vec!["no/such/file".into()], &say);
        compressor.wait();
        assert!(said.lock().unwrap()[0].starts_with("cannot compress no/such/file: "));
    }
}
