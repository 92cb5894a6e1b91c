//! Events to a server that answers at once: logsub's Seq handler, on disk first, beside seqlog.

use crate::arena::{Arena, free_port};
use crate::contest::{Contender, Contenders, Contest, Picture, Ratio, Target};
use crate::program::Program;

use super::{CPU, RATE, figures};

/// Events of a round.
const EVENTS: u64 = 300_000;
/// seqlog is given fewer, because it takes so long.
const FEWER: u64 = 30_000;

pub(super) const CONTEST: Contest = Contest {
    name: "seq",
    title: "Events to a Seq server that answers at once",
    quantities: &[RATE, CPU],
    contenders: Contenders::InTurn(&[
        Contender {
            name: "logsub, durable",
            run: logsub,
        },
        Contender {
            name: "seqlog",
            run: seqlog,
        },
    ]),
    ratios: &[Ratio {
        of: "logsub, durable",
        to: "seqlog",
        quantity: RATE.name,
        target: Target::AtLeast(10.0),
    }],
    picture: Picture::Bars,
};

fn logsub(arena: &Arena) -> anyhow::Result<Vec<f64>> {
    let count = arena.amount(EVENTS).to_string();
    let folder = arena.folder()?;
    // The sender is told by the server, the server is told to logsub, and logsub to the sender.
    let endpoint = format!("tcp://127.0.0.1:{}", free_port()?);
    let publish = ["--connect", &endpoint, "--count", &count, "--windowed"];
    let sender = arena.peer("publish", &publish)?;
    let acks = sender.wait_for("acks")?;
    let http = ["--count", &count, "--mark", "\"@t\":", "--acks", &acks];
    let server = arena.peer("http", &http)?;
    let mut command = arena.own("logsub")?;
    command.args(["--no-console", "--bind", &endpoint]);
    command.args(["--seq", &server.wait_for("at")?]);
    // Its events wait below there.
    let receiver = Program::start(command.env("XDG_STATE_HOME", folder.path()))?;
    let result = measure(&sender, &receiver, &server, arena.amount(EVENTS));
    receiver.end()?;
    result
}

fn seqlog(arena: &Arena) -> anyhow::Result<Vec<f64>> {
    let count = arena.amount(FEWER);
    let number = count.to_string();
    let server = arena.peer("http", &["--count", &number, "--mark", "\"Timestamp\":"])?;
    let mut command = arena.script("peers/seqlog_sender.py");
    let sender = Program::start(command.arg(server.wait_for("at")?).arg(&number))?;
    measure(&sender, &sender, &server, count)
}

fn measure(
    sender: &Program,
    measured: &Program,
    server: &Program,
    count: u64,
) -> anyhow::Result<Vec<f64>> {
    let begin = sender.wait_for_number("begin")?;
    let before = measured.cpu()?;
    let end = server.wait_for_number("end")?;
    Ok(figures(count, begin, end, measured.cpu()? - before))
}
