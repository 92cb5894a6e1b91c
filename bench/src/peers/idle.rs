//! `idle`: a publisher that has said one record and says nothing more.

use std::time::Duration;

use anyhow::Context;
use logbus_publisher::{Config, Publisher, stamped};

use super::{say, wait_for_the_end};

/// Longer than a subscriber ever takes to come.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let endpoint = arguments.get(1).context("which endpoint?")?;
    let publisher = Publisher::new(Config::connect([endpoint.parse()?]))?;
    publisher.publish(&stamped("myapp", 20, "ready"));
    anyhow::ensure!(publisher.flush(PATIENCE), "nobody took the record");
    say("ready")?;
    wait_for_the_end()
}
