//! Where records go is slow: a Seq server at the end of a narrow road that stands still and breaks.

use std::time::Duration;

use super::Plan;
use super::bus::{Bus, owned};
use super::reckoning::nothing_missing;
use super::relay::{Relay, Weather};
use crate::seq_server::SeqServer;

/// A rate at which even a small server is behind on such a road.
const MOST: u32 = 4_000;
const SLOW: Weather = Weather {
    delay: Duration::from_millis(100),
    jitter: Duration::from_millis(200),
    bytes_per_second: Some(200_000),
    piece: Some(1_500),
    stall_every: Some(400_000),
    stall: Duration::from_secs(1),
    reset_every: Some(1_500_000),
};

/// A durable reader with Seq behind it, which takes far less than is said, and answers late or not at all:
/// all of it arrives, some of it perhaps twice, for Seq's answers are lost on the way, too.
pub(super) fn slow_seq(plan: Plan) -> String {
    let mut bus = Bus::new();
    let server = SeqServer::start();
    let target = server.url.rsplit('/').next().unwrap().parse().unwrap();
    let road = Relay::start(target, plan.seed, SLOW);
    let broker = bus.broker(&[]);
    let url = format!("http://{}", road.address);
    let durable = bus.own.durable.as_str();
    let args = [
        "--durable",
        "seq",
        "--durable-endpoint",
        durable,
        "-t",
        "fault",
        "--no-console",
    ];
    let args = owned(&[&args[..], &["--seq", &url]].concat());
    let state = bus.folder.path().to_str().unwrap();
    let reader = bus.start_with("logsub", &args, &[("XDG_STATE_HOME", state)]);
    reader.wait_for("reading the journal");
    let issuers = bus.issuers(2, plan.rate.min(MOST), true);
    bus.pause(Duration::from_secs(plan.seconds.into()));
    let arrived = || bus.account(&server.ids("@mt").join("\n"));
    let then = arrived().delivered;
    bus.end_all(issuers);
    road.set(Weather::default());
    let owed = bus.acknowledged();
    bus.until(|| server.state().events.len() as u64 >= owed);
    bus.until(|| arrived().missing == 0);
    let account = arrived();
    reader.stop();
    broker.stop();
    let told =
        format!("{then} had arrived when the road became good\n  road: {road}\n  Seq: {account}");
    nothing_missing(&account, &told);
    assert_eq!(account.acknowledged, account.issued, "{told}");
    told
}
