//! Looks for bytes that break the promises for short texts, each small.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    logbus_transport::fuzzing::endpoints(bytes);
    logbus_transport::fuzzing::key_file(bytes);
    logbus_broker::fuzzing::options(bytes);
    logbus_broker::fuzzing::clients(bytes);
    logbus_subscriber::fuzzing::times(bytes);
});
