//! Messages as stock senders put them on the wire, prepared before anything is timed.
//!
//! A Cookbook message is what `send_json(record.__dict__)` of the Logging Cookbook's ZeroMQ handler
//! sent in `tests/captures/cookbook-zmq.jsonl`, with Python 3.12's `taskName`: one JSON dict of
//! 568 bytes, or one or two fewer. Numbers and times differ from message to message.

/// Different messages that are prepared; a sender goes over them again and again.
const DIFFERENT: u64 = 1024;

/// Some messages of the Cookbook's handler.
pub(crate) fn cookbook() -> Vec<Vec<u8>> {
    (0..DIFFERENT)
        .map(|n| cookbook_message(n).into_bytes())
        .collect()
}

fn cookbook_message(number: u64) -> String {
    let message = format!("GET /api/orders/{} user=fred took 12.345 ms", 1000 + number);
    let millis = number % 1000;
    format!(
        "{{\"name\": \"myapp.http\", \"msg\": \"{message}\", \"args\": null, \"levelname\": \"INFO\", \
         \"levelno\": 20, \"pathname\": \"/srv/app/capture.py\", \"filename\": \"capture.py\", \
         \"module\": \"capture\", \"exc_info\": null, \"exc_text\": null, \"stack_info\": null, \
         \"lineno\": 16, \"funcName\": \"emit_all\", \"created\": 1795207453.{millis:03}9726, \
         \"msecs\": {millis}.0, \"relativeCreated\": 551.530122756958, \"thread\": 140022642875264, \
         \"threadName\": \"MainThread\", \"processName\": \"MainProcess\", \"process\": 9522, \
         \"taskName\": null, \"message\": \"{message}\"}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use logbus_schemas::dialect::{self, Reading};

    #[test]
    fn every_message_is_read_as_a_record_and_has_about_the_same_length() {
        for message in cookbook() {
            assert!((566..=568).contains(&message.len()), "{}", message.len());
            let Ok(Reading::Foreign { record, .. }) = dialect::read(&[&message]) else {
                panic!("{}", String::from_utf8_lossy(&message));
            };
            assert_eq!(record.name(), Some("myapp.http"));
        }
    }
}
