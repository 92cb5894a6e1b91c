//! Looks for bytes that break the promises for what peers' programs say when they connect.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    logbus_transport::fuzzing::zap(bytes);
    logbus_transport::fuzzing::sp(bytes);
});
