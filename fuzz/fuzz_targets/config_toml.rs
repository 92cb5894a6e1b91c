//! Looks for bytes that break the promises for files in TOML.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    logbus_subscriber::fuzzing::config_toml(bytes);
    logbus_subscriber::fuzzing::defaults(bytes);
});
