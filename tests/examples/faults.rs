//! Runs faults in their long forms, and prints what came of each: `cargo xtask faults`, `soak`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is for people, and must fail where a promise is broken"
)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use logbus_tests::faults::{self, FAULTS, Plan};

fn main() -> anyhow::Result<ExitCode> {
    let mut plan = Plan {
        seed: 0,
        kills: 50,
        seconds: 60,
        rate: 20_000,
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    plan.seed = u64::from(now.subsec_micros());
    let (mut minutes, mut names) = (5.0, Vec::new());
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a number"));
        match arg.as_str() {
            "--seed" => plan.seed = value()?.parse()?,
            "--kills" => plan.kills = value()?.parse()?,
            "--seconds" => plan.seconds = value()?.parse()?,
            "--rate" => plan.rate = value()?.parse()?,
            "--minutes" => minutes = value()?.parse()?,
            name if FAULTS.iter().any(|fault| fault.name == name) => names.push(name.to_owned()),
            _ => bail!("{arg} is neither a flag nor one of:\n{}", list()),
        }
    }
    if command == "soak" {
        println!(
            "{}",
            faults::soak(Duration::from_secs_f64(minutes * 60.0), plan.rate)
        );
        return Ok(ExitCode::SUCCESS);
    }
    let mut broken = Vec::new();
    for fault in FAULTS {
        if !names.is_empty() && !names.iter().any(|name| name == fault.name) {
            continue;
        }
        println!("{}: {} ({plan:?})", fault.name, fault.summary);
        let begin = Instant::now();
        match std::panic::catch_unwind(|| (fault.run)(plan)) {
            Ok(told) => println!("  {told}\n  held, {:.0?}", begin.elapsed()),
            Err(_) => {
                println!(
                    "  BROKEN, {:.0?}; again with --seed {}",
                    begin.elapsed(),
                    plan.seed
                );
                broken.push(fault.name);
            }
        }
    }
    if broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("broken: {}", broken.join(", "));
    Ok(ExitCode::from(1))
}

fn list() -> String {
    let rows = FAULTS
        .iter()
        .map(|fault| format!("  {:14} {}", fault.name, fault.summary));
    rows.collect::<Vec<_>>().join("\n")
}
