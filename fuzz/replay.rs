//! A corpus without a fuzzer: seeds, and whatever once broke the promise. Each crate's tests take
//! this file in and hold their promises against it.

use std::fs;
use std::path::Path;

/// Holds a promise against every file of `corpus/NAME`; the last file that is printed broke it.
pub(crate) fn replay(name: &str, promise: impl Fn(&[u8])) {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");
    let mut files = 0;
    for entry in fs::read_dir(Path::new(corpus).join(name)).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        promise(&fs::read(&path).unwrap());
        files += 1;
    }
    assert!(files > 0, "no corpus for {name}");
}
