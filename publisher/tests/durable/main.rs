//! What durable delivery promises: every record is acknowledged, discarded with a reason, or left,
//! whatever broker, network and process do. One test file a promise's neighbourhood:
//! `delivery.rs` without a spool, `spool.rs` with one, `processes.rs` across killed processes,
//! `weather.rs` where everything comes together.
#![allow(clippy::unwrap_used, reason = "a test fails where something fails")]

mod broker;
mod delivery;
mod processes;
mod spool;
mod weather;

use std::time::Duration;

use broker::Broker;
use logbus_publisher::{Config, Delivery, DurableConfig, Publisher, Report, Stats, Tell, stamped};

/// Longer than anything takes on a slow machine.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) fn config(broker: &Broker, durable: DurableConfig) -> Config {
    Config {
        program: "test".to_owned(),
        delivery: Delivery::Durable(DurableConfig {
            endpoint: Some(broker.endpoint.clone()),
            tell: Tell::nobody(),
            ..durable
        }),
        ..Config::default()
    }
}

pub(crate) fn publisher(broker: &Broker, durable: DurableConfig) -> Publisher {
    Publisher::new(config(broker, durable)).unwrap()
}

pub(crate) fn publish(publisher: &Publisher, topic: &str, count: usize) {
    for at in 0..count {
        publisher.publish(&stamped(topic, 20, &format!("{topic} {at}")));
    }
}

/// The account of a publisher that has ended.
#[track_caller]
pub(crate) fn assert_adds_up(stats: &Stats, report: &Report) {
    let discarded: u64 = report.discarded.values().sum();
    let sum = report.acknowledged + discarded + report.left + report.kept;
    assert_eq!(stats.published, sum, "{stats:?} {report:?}");
}
