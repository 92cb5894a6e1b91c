//! Looks for bytes that break the promise of this name.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| logbus_subscriber::fuzzing::config_json(bytes));
