//! Outlets for those who read text: each record as pyzmq's own handler would send it.
//!
//! `python -m zmq.log` takes messages of two frames and ends at any other, so it can read nothing
//! where subscribers of native messages are. It gets endpoints of its own, and there alone the
//! broker looks into native payloads. Heartbeats are left out: these readers count nothing. Which
//! topics they want is not carried back to the publishers, because a level stands in the middle of
//! what they subscribe to: as long as anybody reads here, the broker wants everything.

use logbus_schemas::dialect::pyzmq;
use logbus_schemas::wire::{Header, Native, WireError};
use logbus_schemas::{Level, Record, Topic};
use logbus_transport::{Error, Frame, Message, Outlet, Sent, SubscriptionEvent};

/// All of them, and how many subscriptions stand there.
pub(crate) struct PyzmqOutlets {
    outlets: Vec<Box<dyn Outlet>>,
    subscriptions: usize,
}

impl PyzmqOutlets {
    pub(crate) fn new(outlets: Vec<Box<dyn Outlet>>) -> Self {
        Self {
            outlets,
            subscriptions: 0,
        }
    }

    pub(crate) fn outlets(&self) -> &[Box<dyn Outlet>] {
        &self.outlets
    }

    pub(crate) fn into_outlets(self) -> Vec<Box<dyn Outlet>> {
        self.outlets
    }

    /// Subscriptions that came or went, each as one to everything.
    pub(crate) fn subscription_events(&mut self) -> Result<Vec<SubscriptionEvent>, Error> {
        let mut all = Vec::new();
        for outlet in &mut self.outlets {
            for event in outlet.subscription_events()? {
                all.push(if event.is_added() {
                    self.subscriptions += 1;
                    SubscriptionEvent::Added(Vec::new())
                } else {
                    self.subscriptions = self.subscriptions.saturating_sub(1);
                    SubscriptionEvent::Removed(Vec::new())
                });
            }
        }
        Ok(all)
    }

    /// Sends the records of a native message, when anybody reads here.
    pub(crate) fn send(&mut self, message: &Message) -> Result<(), Error> {
        if self.subscriptions == 0 {
            return Ok(());
        }
        let frames = message.slices();
        for line in lines_of(&frames) {
            for outlet in &mut self.outlets {
                let line = line.iter().map(|frame| Frame::from(&frame[..])).collect();
                match outlet.send(line)? {
                    // These outlets drop for the subscriber that is full, so they are never busy.
                    Sent::Taken | Sent::Busy(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// A message for each record; records that cannot be read become one that says so.
fn lines_of(frames: &[&[u8]]) -> Vec<[Vec<u8>; 2]> {
    // The hub passes on native messages only, and has looked at their topics and headers.
    let Some(native) = Native::split(frames) else {
        return Vec::new();
    };
    let (Ok(topic), Ok(header)) = (
        Topic::from_bytes(native.topic),
        Header::parse(native.header),
    ) else {
        return Vec::new();
    };
    if header.flags.is_heartbeat() {
        return Vec::new();
    }
    let line_of = |record: Result<Record, _>| match record {
        Ok(record) => pyzmq::write(&topic, &record),
        Err(error) => {
            let text = format!("-- malformed: {} --", WireError::Payload(error));
            pyzmq::write(&topic, &Record::new(topic.as_str(), Level::ERROR.0, &text))
        }
    };
    let records = header.codec.decode_all(native.payload);
    records.map(line_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use logbus_schemas::codec::MSGPACK;
    use logbus_schemas::wire::{Flags, SenderId, join};

    fn shown(frames: &[&[u8]]) -> Vec<String> {
        let lines = lines_of(frames).into_iter();
        lines
            .map(|line| String::from_utf8(line.join(&b"|"[..])).unwrap())
            .collect()
    }

    #[test]
    fn each_record_is_a_line_and_what_cannot_be_read_says_so() {
        let header = Header {
            count: 3,
            ..Header::new(MSGPACK, SenderId(1))
        };
        let mut payload = Vec::new();
        MSGPACK.encode(&Record::new("my.app", 20, "one"), &mut payload);
        MSGPACK.encode(&Record::new("my.app", 30, "two"), &mut payload);
        payload.push(0xC1);
        let lines = shown(&[b"my.app", &header.to_bytes(), &payload]);
        assert_eq!(lines[..2], ["my.INFO.app|one\n", "my.WARNING.app|two\n"]);
        assert!(
            lines[2].starts_with("my.ERROR.app|-- malformed: "),
            "{lines:?}"
        );
        let body = join(b"my.app", &header.to_bytes(), &payload);
        assert_eq!(shown(&[&body]), lines);
    }

    #[test]
    fn heartbeats_are_for_those_who_count() {
        let header = Header {
            flags: Flags::HEARTBEAT,
            ..Header::new(MSGPACK, SenderId(1))
        };
        assert!(lines_of(&[b"my.app", &header.to_bytes(), b"\x80"]).is_empty());
    }
}
