//! A library that is loaded before a program's others (`shim.c`), by which a disk gives errors, a write is
//! torn, and a clock jumps, while all other programs have the system as it is.
//!
//! It is compiled where it is used; without a C compiler these faults are left out. What it does is said
//! in a small file that it maps, so that it can change while the program runs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::hosts::succeeds;

pub(super) const LEFT_OUT: &str =
    "left out: no C compiler here for the library that stands between";

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/faults/shim.c");

/// The library.
pub(super) struct Shim {
    folder: PathBuf,
    library: PathBuf,
}

/// What one or several programs are told.
pub(super) struct Control(File);

/// What fails.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failing {
    Nothing = 0,
    Writes = 1,
    Syncs = 2,
}

/// What a program finds in its environment.
pub(super) type Variables = [(&'static str, String); 3];

impl Shim {
    /// Compiles it, into this folder; `None` where nobody can.
    pub(super) fn build(folder: &Path) -> Option<Self> {
        // The files are named by the system as they are, without links on the way.
        let folder = folder.canonicalize().unwrap();
        let library = folder.join("shim.so");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library);
        succeeds(cc.args([SOURCE, "-ldl"])).then_some(Self { folder, library })
    }

    /// For programs that shall have trouble under `name`, in the folder.
    pub(super) fn arm(&self, name: &str) -> (Control, Variables) {
        let path = self.folder.join(format!("{name}.control"));
        let mut open = File::options();
        let open = open.read(true).write(true).create(true).truncate(true);
        let control = open.open(&path).unwrap();
        control.write_all_at(&[0; 32], 0).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let variables = [
            ("LD_PRELOAD", text(&self.library)),
            ("FAULTS_CONTROL", text(&path)),
            ("FAULTS_FOLDER", text(&self.folder.join(name))),
        ];
        (Control(control), variables)
    }
}

impl Control {
    fn set(&self, word: u64, value: i64) {
        self.0.write_all_at(&value.to_le_bytes(), word * 8).unwrap();
    }

    /// Sets the clock so many seconds forward or back from what it is.
    pub(super) fn shift_clock(&self, seconds: i64) {
        self.set(0, seconds);
    }

    pub(super) fn fail(&self, what: Failing) {
        self.set(1, what as i64);
    }

    pub(super) fn tear_after(&self, writes: u64) {
        self.set(2, writes as i64);
    }

    /// Calls that failed so far.
    pub(super) fn failed(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, 24).unwrap();
        u64::from_le_bytes(bytes)
    }
}

/// Variables as they are passed on.
pub(super) fn borrowed(variables: &Variables) -> [(&'static str, &str); 3] {
    variables
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()))
}
