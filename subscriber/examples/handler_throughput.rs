//! How fast handlers take records: opens each handler of a configuration, hands it so many records in
//! batches, closes it, and prints its name and the seconds that took.
//!
//! ```console
//! $ cargo run --release -p logbus-subscriber --example handler_throughput -- FILE RECORDS
//! ```
//!
//! `bench/handlers.py` runs it beside Python's own handlers.
#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use logbus_schemas::{Record, Topic, Value};
use logbus_subscriber::config::Config;
use logbus_subscriber::handler::Setting;
use logbus_subscriber::item::{Delivered, Item};

/// Records of one batch, about as many as come at once under load.
const BATCH: usize = 1000;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("FILE is missing")?;
    let records: usize = arguments.next().context("RECORDS is missing")?.parse()?;
    let config = Config::check(&[path.into()], false);
    let config = config.map_err(|problems| anyhow::anyhow!("{}", problems.line()))?;
    let topic = Topic::new("shop").map_err(|error| anyhow::anyhow!("{error}"))?;
    let batch: Vec<Item> = (0..BATCH).map(|number| item(number, &topic)).collect();
    for plan in config.plan.handlers {
        let name = plan.name.clone();
        let mut handler = (plan.open)(Setting {
            name: plan.name,
            formatter: plan.formatter,
            verbose: false,
            say: Arc::new(|_| {}),
            target: Arc::default(),
        })?;
        let begin = Instant::now();
        let mut result = Ok(());
        for _ in 0..records / BATCH {
            result = result.and(handler.emit(&batch)).and(handler.flush());
        }
        let result = result.and(handler.close());
        result.map_err(|fault| anyhow::anyhow!("{name}: {fault}"))?;
        let seconds = begin.elapsed().as_secs_f64();
        anyhow::ensure!(handler.dropped() == 0, "{name} dropped records");
        println!("{name} {seconds}");
    }
    Ok(())
}

/// The record that `bench/handlers.py` hands to Python's handlers.
fn item(number: usize, topic: &Topic) -> Item {
    let mut record = Record::new("shop.orders", 20, "order %d of %s accepted");
    record.set("args", vec![Value::from(number as i64), Value::from("ann")]);
    record.set("created", 1795207453.0 + number as f64 / 1000.0);
    record.set("process", 613);
    record.set("processName", "MainProcess");
    record.set("threadName", "MainThread");
    record.set("pathname", "/srv/shop/app.py");
    record.set("lineno", 40);
    record.set("funcName", "handle");
    record.set("user", "fred");
    Item::Record(Arc::new(Delivered {
        record,
        topic: topic.clone(),
        origin: None,
        sender: None,
        offset: None,
        received: 0,
    }))
}
