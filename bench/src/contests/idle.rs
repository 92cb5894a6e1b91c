//! What programs cost that have nothing to do: processor time, turns on a processor, and memory.
//!
//! Each has passed on a record before it is left alone for [`QUIET`]. Memory is what Linux counts as
//! resident, shared libraries included.

use std::time::Duration;

use crate::arena::{Arena, free_port};
use crate::contest::{Contender, Contenders, Contest, Picture, Quantity, Ratio};
use crate::program::Program;

/// How long nothing happens.
const QUIET: Duration = Duration::from_secs(10);

const FILE: &str = "logsub, a file";
const TERMINAL: &str = "logsub, a terminal's lines";
const PUBLISHER: &str = "Rust publisher";

const CPU: &str = "processor time in 10 s";
const TURNS: &str = "turns a second";
const MEMORY: &str = "resident memory";

pub(super) const CONTEST: Contest = Contest {
    name: "idle",
    title: "Programs that have nothing to do",
    quantities: &[
        Quantity {
            name: MEMORY,
            unit: "MB",
        },
        Quantity {
            name: CPU,
            unit: "ms",
        },
        Quantity {
            name: TURNS,
            unit: "/s",
        },
    ],
    contenders: Contenders::InTurn(&[
        Contender {
            name: FILE,
            run: |arena| subscriber(arena, true),
        },
        Contender {
            name: TERMINAL,
            run: |arena| subscriber(arena, false),
        },
        Contender {
            name: PUBLISHER,
            run: publisher,
        },
    ]),
    // Linux counts processor time in steps of 10 ms: one step is as good as none.
    ratios: &[
        Ratio::itself(FILE, MEMORY, 15.0),
        Ratio::itself(TERMINAL, MEMORY, 15.0),
        Ratio::itself(PUBLISHER, MEMORY, 15.0),
        Ratio::itself(FILE, CPU, 10.0),
        Ratio::itself(TERMINAL, CPU, 10.0),
        Ratio::itself(PUBLISHER, CPU, 10.0),
    ],
    picture: Picture::Bars,
};

fn subscriber(arena: &Arena, into_file: bool) -> anyhow::Result<Vec<f64>> {
    let folder = arena.folder()?;
    let (logsub, idle) = pair(arena, into_file.then(|| folder.path().join("log")))?;
    let figures = watch(&logsub);
    idle.end()?;
    logsub.end()?;
    figures
}

fn publisher(arena: &Arena) -> anyhow::Result<Vec<f64>> {
    let (logsub, idle) = pair(arena, None)?;
    let figures = watch(&idle);
    idle.end()?;
    logsub.end()?;
    figures
}

fn pair(arena: &Arena, file: Option<std::path::PathBuf>) -> anyhow::Result<(Program, Program)> {
    let endpoint = format!("tcp://127.0.0.1:{}", free_port()?);
    let mut command = arena.own("logsub")?;
    command.args(["--bind", &endpoint]);
    if let Some(file) = file {
        command.arg("--no-console").arg("--file").arg(file);
    }
    let logsub = Program::start(&mut command)?;
    let idle = arena.peer("idle", &[&endpoint])?;
    idle.wait_for("ready")?;
    Ok((logsub, idle))
}

#[expect(clippy::disallowed_methods, reason = "that nothing happens takes time")]
fn watch(program: &Program) -> anyhow::Result<Vec<f64>> {
    // What a start leaves to be done is done by then.
    std::thread::sleep(Duration::from_secs(3));
    let (cpu, turns) = (program.cpu()?, program.turns()?);
    std::thread::sleep(QUIET);
    let (cpu, turns) = (program.cpu()? - cpu, program.turns()? - turns);
    let seconds = QUIET.as_secs_f64();
    Ok(vec![program.resident()?, cpu * 1e3, turns as f64 / seconds])
}
