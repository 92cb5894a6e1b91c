//! Looks for bytes that break the listeners' promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    logbus_broker::fuzzing::pickle_tcp(bytes);
    logbus_broker::fuzzing::seq_http(bytes);
});
