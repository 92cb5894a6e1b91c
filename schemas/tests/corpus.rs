//! The fuzzer's corpus, without a fuzzer: seeds from captures and golden messages, and whatever
//! once broke the promise.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/promise.rs"]
mod promise;

#[test]
fn every_file_of_the_corpus_is_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/decode");
    let mut files = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        println!("{}", path.display());
        promise::any_bytes_are_read_or_refused(&bytes);
        files += 1;
    }
    assert!(files >= 30);
}
