//! `logpub --durable` and `logpub --drain`: what was typed, as the library's settings, and what
//! became of the spools of the dead.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use logbus_publisher::{Config, Delivery, Drained, DurableConfig, Tell, drain as drain_spools};

use crate::cli::Common;

/// What is promised of the records.
pub(crate) fn delivery(common: &Common) -> anyhow::Result<Delivery> {
    if common.is_durable() {
        config(common).map(Delivery::Durable)
    } else {
        Ok(Delivery::BestEffort)
    }
}

fn config(common: &Common) -> anyhow::Result<DurableConfig> {
    let endpoint = common.durable_endpoint.as_ref().map(|text| text.parse());
    Ok(DurableConfig {
        endpoint: endpoint.transpose().context("--durable-endpoint")?,
        spool: common.spool.clone(),
        tell: Tell::new(|line| eprintln!("logpub: {line}")),
        ..DurableConfig::default()
    })
}

/// Sends what is in the spools there; the exit code.
pub(crate) fn drain(dir: &Path, common: &Common) -> anyhow::Result<u8> {
    let patience = Duration::try_from_secs_f64(common.linger).context("--linger")?;
    let settings = Config {
        delivery: Delivery::Durable(config(common)?),
        key_file: common.key.clone(),
        server_key_file: common.server_key.clone(),
        ..Config::default()
    };
    let drained = drain_spools(dir, &settings, patience).context("--drain")?;
    for line in describe(&drained) {
        eprintln!("logpub: {line}");
    }
    Ok(u8::from(!drained.is_complete()))
}

fn describe(drained: &Drained) -> Vec<String> {
    let records = drained.records;
    let mut lines = vec![format!(
        "{} records of {} spools were acknowledged",
        records.acknowledged, drained.spools
    )];
    if drained.spools_left > 0 {
        let (left, spools) = (drained.left(), drained.spools_left);
        lines.push(format!("{left} records in {spools} spools are left"));
    }
    if records.refused > 0 {
        lines.push(format!("{} records were refused", records.refused));
    }
    if records.damages > 0 {
        let places = records.damages;
        lines.push(format!("what stood in {places} damaged places is lost"));
    }
    if drained.spools_unreadable > 0 {
        let spools = drained.spools_unreadable;
        lines.push(format!(
            "{spools} spools cannot be read, and nobody has sent what is in them"
        ));
    }
    if drained.spools_in_use > 0 {
        let spools = drained.spools_in_use;
        lines.push(format!(
            "{spools} spools are in use; their owners send them"
        ));
    }
    lines
}
