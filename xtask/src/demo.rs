//! `cargo xtask demo`: the main job on real input, for about 15 seconds.
//!
//! `logsub` is the bus; a small Flask shop under Gunicorn with four workers is asked for things on
//! loopback, and a Rust service logs beside it. What is shown is what `logsub` prints.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::setup::{self, root, venv_python};
use crate::{cargo, run, wheel};

const SECONDS: u64 = 15;

pub(crate) fn demo() -> anyhow::Result<()> {
    setup::install()?;
    setup::python()?;
    run(cargo().args(["build", "--release", "--bins", "--examples"]))?;
    let bin = root().join("target/release");
    wheel::install("release")?;
    println!("\n$ logsub --topics shop,gunicorn --hide '*' --stats");
    let shown = ["--topics", "shop,gunicorn", "--hide", "*", "--stats"];
    let mut logsub = start(Command::new(bin.join("logsub")).args(shown))?;
    let mut service = start(&mut Command::new(bin.join("examples/service")))?;
    let port = free_port()?;
    let mut gunicorn = start(&mut gunicorn(port))?;
    let mut load = Command::new(venv_python());
    load.args(["examples/gunicorn-flask/load.py", &port.to_string()]);
    let mut load = start(load.arg(SECONDS.to_string()))?;
    let end = Instant::now() + Duration::from_secs(SECONDS);
    while Instant::now() < end && logsub.try_wait()?.is_none() {
        std::thread::park_timeout(Duration::from_millis(200));
    }
    // The service ends when its standard input does, and says what is left to say.
    drop(service.stdin.take());
    load.wait()?;
    interrupt(&mut gunicorn)?;
    service.wait()?;
    interrupt(&mut logsub)
}

fn gunicorn(port: u16) -> Command {
    let mut gunicorn = Command::new(venv_python());
    gunicorn.args([
        "-m",
        "gunicorn",
        "--workers",
        "4",
        "--chdir",
        "examples/gunicorn-flask",
    ]);
    gunicorn.args(["--bind", &format!("127.0.0.1:{port}")]);
    gunicorn.args(["--name", "shop", "--error-logfile", "/dev/null"]);
    gunicorn.args(["--logger-class", "logbus.gunicorn.Logger", "app:app"]);
    gunicorn
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn interrupt(program: &mut Child) -> anyhow::Result<()> {
    run(Command::new("kill").args(["-INT", &program.id().to_string()]))?;
    program.wait()?;
    Ok(())
}

fn start(command: &mut Command) -> anyhow::Result<Child> {
    // What the user likes to see is another matter.
    let command = command.env("LOGSUB_USER_CONFIG", "");
    let started = command.current_dir(root()).stdin(Stdio::piped()).spawn();
    started.with_context(|| format!("cannot start {command:?}"))
}
