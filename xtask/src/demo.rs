//! `cargo xtask demo`: the main job on real input, for about 15 seconds.
//!
//! `logsub` is the bus; four Python processes log through a handler of the Logging Cookbook's
//! kind, and a Rust service logs beside them. What is shown is what `logsub` prints.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::setup::{self, root, venv_python};
use crate::{cargo, run};

const SECONDS: u64 = 15;

pub(crate) fn demo() -> anyhow::Result<()> {
    setup::install()?;
    setup::python()?;
    run(cargo().args(["build", "--release", "--bins", "--examples"]))?;
    let bin = root().join("target/release");
    println!("\n$ logsub --topics shop --stats");
    let mut logsub = start(Command::new(bin.join("logsub")).args(["--topics", "shop", "--stats"]))?;
    let mut workers = Vec::new();
    for number in 1..=4 {
        let worker = root().join("examples/cookbook_worker.py");
        let mut command = Command::new(venv_python());
        workers.push(start(command.arg(worker).arg(format!("worker-{number}")))?);
    }
    workers.push(start(&mut Command::new(bin.join("examples/service")))?);
    let end = Instant::now() + Duration::from_secs(SECONDS);
    while Instant::now() < end && logsub.try_wait()?.is_none() {
        std::thread::park_timeout(Duration::from_millis(200));
    }
    // The workers end when their standard input does, and say what is left to say.
    for worker in &mut workers {
        drop(worker.stdin.take());
    }
    for mut worker in workers {
        worker.wait()?;
    }
    run(Command::new("kill").args(["-INT", &logsub.id().to_string()]))?;
    logsub.wait()?;
    Ok(())
}

fn start(command: &mut Command) -> anyhow::Result<Child> {
    let started = command.current_dir(root()).stdin(Stdio::piped()).spawn();
    started.with_context(|| format!("cannot start {command:?}"))
}
