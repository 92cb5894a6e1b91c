//! Looks for bytes that break the promise.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../promise.rs"]
mod promise;

fuzz_target!(|bytes: &[u8]| promise::any_bytes_are_read_or_refused(bytes));
