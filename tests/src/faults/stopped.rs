//! Readers that stand still under load: stopped by a signal, or writing into a pipe that nobody
//! reads. Publishers begin meanwhile.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use super::Plan;
use super::bus::Bus;
use super::reckoning::{Row, nothing_missing, rows};
use crate::{command, path_of};

/// A durable reader that is stopped loses nothing, nor one whose output stands still; a PUB/SUB reader
/// that is stopped knows exactly what it lost.
pub(super) fn readers(plan: Plan) -> String {
    // A durable bus and a PUB/SUB one: what one loses must not be the other's.
    let (mut kept, mut counted) = (Bus::new(), Bus::new());
    let brokers = [
        kept.broker(&[]),
        counted.broker(&["--subscriber-queue", "8"]),
    ];
    let reader = kept.durable_reader("sink");
    let counter = counted.counting_reader("sink");
    let args = ["-o", "raw", "--durable", "pipe", "--count", "100000000"];
    let mut piped = command(path_of("logsub"))
        .args(args)
        .args(["-t", "fault", "--durable-endpoint", &kept.own.durable])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let rate = plan.rate / 4;
    let mut issuers = vec![kept.issuer(0, rate, true), counted.issuer(0, rate, false)];
    let first = issuers[1].name.clone();
    counted.wait_for_notice("sink", &first, "");
    for program in [&reader, &counter] {
        program.signal("-STOP");
    }
    let half = Duration::from_secs(plan.seconds.into()) / 2;
    kept.pause(half);
    issuers.push(kept.issuer(1, rate, true));
    issuers.push(counted.issuer(1, rate, false));
    kept.pause(half);
    for program in [&reader, &counter] {
        program.signal("-CONT");
    }
    let names = [&issuers[1], &issuers[3]].map(|issuer| issuer.name.clone());
    for name in &names {
        counted.wait_for_notice("sink", name, "");
    }
    // Heartbeats come through again before the goodbyes do.
    kept.pause(Duration::from_secs(2));
    kept.end_all(issuers);
    for name in &names {
        counted.wait_for_notice("sink", name, " ended");
    }
    let lines = counter.stop();
    let sink = kept.wait_for_all("sink");
    reader.stop();
    // Only now does somebody read the pipe.
    let mut output = piped.stdout.take().unwrap();
    let mut text = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    while text.iter().filter(|byte| **byte == b'\n').count() < sink.owed as usize {
        match output.read(&mut buffer).unwrap() {
            0 => break,
            read => text.extend_from_slice(&buffer[..read]),
        }
    }
    drop(piped.kill());
    drop(piped.wait());
    let pipe = kept.account(&String::from_utf8_lossy(&text));
    let default = counted.account_of_file("sink");
    let Row {
        received,
        lost,
        discarded,
        duplicate,
        earlier,
        ..
    } = Row::sum(rows(&lines).values());
    for broker in brokers {
        broker.stop();
    }
    let told = format!(
        "durable, stopped: {sink}\n  durable, pipe:    {pipe}\n  PUB/SUB, stopped: {} issued = \
         {received} received + {lost} lost + {discarded} discarded + {earlier} earlier",
        default.issued
    );
    for account in [&sink, &pipe] {
        nothing_missing(account, &told);
        assert_eq!(account.again, 0, "{told}");
    }
    assert_eq!(
        default.issued,
        received + lost + discarded + earlier,
        "{told}"
    );
    assert_eq!((default.delivered, duplicate), (received, 0), "{told}");
    told
}
