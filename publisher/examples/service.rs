//! A service that logs with `tracing`: events in spans, published without a wait.
//!
//! It ends when its standard input does.

use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use logbus_publisher::{Config, Publisher, tracing::Layer};
use tracing_subscriber::layer::SubscriberExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config {
        program: "service".to_owned(),
        ..Config::default()
    };
    let publisher = Arc::new(Publisher::new(config)?);
    logbus_publisher::panic::publish_panics(publisher.clone());
    let layers = tracing_subscriber::registry().with(Layer::new(publisher.clone()));
    tracing::subscriber::set_global_default(layers)?;

    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        ended.send(()).ok();
    });
    for request in 0_u64.. {
        let span = tracing::info_span!("request", request);
        span.in_scope(|| tracing::info!(target: "shop::service", took_ms = 12.5, "request served"));
        if request % 7 == 6 {
            tracing::warn!(target: "shop::service", "cache is cold");
        }
        if end.recv_timeout(Duration::from_millis(700)).is_ok() {
            break;
        }
    }
    let report = publisher.shutdown(Duration::from_secs(1));
    assert!(report.is_complete(), "{report:?}");
    Ok(())
}
