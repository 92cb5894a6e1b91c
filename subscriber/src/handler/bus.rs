//! The bus handler: records on to another bus, under their own topics.
//!
//! ```yaml
//! central: {type: bus, endpoint: 'tcp://logs.example:5556', prefix: web1}
//! ```
//!
//! Records go through a publisher like any other's, with its queue, its numbering and its count of
//! what it had to discard. They must not come back: two buses that hand everything to one another
//! never stop.

use std::time::Duration;

use anyhow::Context;
use logbus_process as process;
use logbus_publisher::{Config, Endpoint, Publisher};
use logbus_schemas::Topic;

use super::{Fault, Handler, Opener, Row, Setting, is_shown};
use crate::config::options::{Form, Kind, Options, parameter};
use crate::item::Item;

/// How long a flush and the end wait for what is queued.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) const ROW: Row = Row {
    name: "bus",
    summary: "on to another bus, under the same topics",
    forms: &[Form {
        class: "bus",
        parameters: &[
            parameter(
                "endpoint",
                Kind::Texts,
                "where the other bus takes publishers, as tcp://HOST:5556",
            ),
            parameter("prefix", Kind::Text, "put before every topic"),
        ],
        read,
    }],
};

fn read(options: &mut Options<'_>) -> Option<Opener> {
    let texts = options.texts("endpoint").unwrap_or_default();
    if texts.is_empty() {
        options.missing("endpoint");
    }
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for text in &texts {
        match text.parse() {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(error) => options.wrong("endpoint", format!("{text}: {error}")),
        }
        if text.contains("127.0.0.1:5556") || text.contains("localhost:5556") {
            options.warn(
                "endpoint",
                "is the bus of this machine: its records must not come here",
            );
        }
    }
    let prefix = options.text("prefix").map(|text| Topic::new(&text));
    let prefix = match prefix.transpose() {
        Ok(prefix) => prefix,
        Err(error) => {
            options.wrong("prefix", error);
            None
        }
    };
    Some(Box::new(move |setting: Setting| {
        let config = Config {
            hold: PATIENCE,
            linger: PATIENCE,
            program: format!("logsub {}", setting.name),
            ..Config::connect(endpoints)
        };
        let publisher = Publisher::new(config).context("cannot publish")?;
        Ok(Box::new(Bus {
            name: setting.name,
            verbose: setting.verbose,
            prefix,
            publisher,
            last: None,
            discarded: 0,
        }) as Box<dyn Handler>)
    }))
}

/// The handler; see the head of this file.
pub struct Bus {
    name: String,
    verbose: bool,
    prefix: Option<Topic>,
    publisher: Publisher,
    /// The topic of the last record: a notice goes under it, too, and so stands behind it.
    last: Option<Topic>,
    /// Records that did not reach the other bus.
    discarded: u64,
}

impl Bus {
    fn topic(&self, topic: &Topic) -> Topic {
        let prefixed = |prefix: &Topic| Topic::new(&format!("{prefix}.{topic}")).ok();
        let with = self.prefix.as_ref().and_then(prefixed);
        with.unwrap_or_else(|| topic.clone())
    }
}

impl Handler for Bus {
    fn name(&self) -> &str {
        &self.name
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            match item {
                Item::Record(delivered) => {
                    let topic = self.topic(&delivered.topic);
                    self.publisher.publish_to(&topic, &delivered.record);
                    if self.last.as_ref() != Some(&topic) {
                        self.last = Some(topic);
                    }
                }
                Item::Notice(notice) if is_shown(notice, self.verbose) => {
                    let record = notice.to_record(process::now());
                    match &self.last {
                        Some(topic) => self.publisher.publish_to(topic, &record),
                        None => self.publisher.publish(&record),
                    }
                }
                Item::Notice(_) => {}
            }
        }
        Ok(())
    }

    /// The publisher sends by itself.
    fn flush(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    /// Whether the other bus has it is not known; the system has it.
    fn secure(&mut self) -> Result<bool, Fault> {
        Ok(self.publisher.flush(PATIENCE))
    }

    fn close(&mut self) -> Result<(), Fault> {
        let report = self.publisher.shutdown(PATIENCE);
        self.discarded = report.not_handed_over();
        Ok(())
    }

    fn dropped(&self) -> u64 {
        self.discarded
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use logbus_broker::{Entrance, tap};

    use super::*;
    use crate::config::Entrances;
    use crate::config::node::Tree;
    use crate::decode::{self, Decoder};
    use crate::handler::conformance::{self, Look};
    use crate::handler::socket::tests::made;
    use crate::receive::Receiving;

    /// For the conformance suite: another bus, and what came there.
    pub(in crate::handler) fn to_bus(dir: &Path, verbose: bool) -> (Box<dyn Handler>, Look) {
        let endpoint = format!("ipc://{}/bus", dir.display());
        let entrances = Entrances {
            own: vec![Entrance::listen(&endpoint).unwrap()],
            ..Entrances::default()
        };
        let (tap, taker) = tap(&[]);
        let receiving = Receiving::start(&entrances, tap, |_: &str| {}).unwrap();
        let options = [("endpoint", Tree::Text(endpoint))];
        let handler = made(&ROW.forms[0], &options, verbose);
        let (handler, count) = conformance::counted(handler, verbose);
        let config = decode::Config {
            topics: Vec::new(),
            levels: Default::default(),
            max_message: 16 << 20,
            rejects: None,
        };
        let state = Mutex::new((
            Decoder::new(config, process::now()),
            String::new(),
            taker,
            receiving,
        ));
        let look = move || {
            let mut state = state.lock().unwrap();
            let (decoder, shown, taker, _) = &mut *state;
            while shown.matches('\n').count() < count() {
                let inbound = taker.take(Duration::from_secs(30)).unwrap();
                let mut items = Vec::new();
                decoder.message(&inbound, process::now(), &mut items);
                for item in items {
                    if let Item::Record(delivered) = item {
                        let visible = |c: char| if c.is_control() { '?' } else { c };
                        shown.extend(delivered.record.get_message().chars().map(visible));
                        shown.push('\n');
                    }
                }
            }
            shown.clone()
        };
        (handler, Box::new(look))
    }

    #[test]
    fn topics_are_kept_behind_the_prefix() {
        let endpoint = ("endpoint", Tree::Text("tcp://127.0.0.1:9".into()));
        drop(made(&ROW.forms[0], std::slice::from_ref(&endpoint), false));
        let bus = Bus {
            name: "bus".to_owned(),
            verbose: false,
            prefix: Some(Topic::new("web1").unwrap()),
            publisher: Publisher::new(Config::connect(["tcp://127.0.0.1:9".parse().unwrap()]))
                .unwrap(),
            last: None,
            discarded: 0,
        };
        let topic = bus.topic(&Topic::new("shop.db").unwrap());
        assert_eq!(topic.as_str(), "web1.shop.db");
    }
}
