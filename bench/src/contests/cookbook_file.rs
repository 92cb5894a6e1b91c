//! The Logging Cookbook's messages, one JSON dict each, into a formatted file.
//!
//! The same sender feeds all: a plain SUB socket that forgets what it takes, which is the limit;
//! logsub; and the Cookbook's own listener. No more than a window of messages is on its way, so nothing is lost.

use crate::arena::Arena;
use crate::contest::{Contender, Contenders, Contest, Picture, Ratio, Target};
use crate::program::Program;

use super::{CPU, RATE, figures, into_file, progress};

/// Messages of a round.
const MESSAGES: u64 = 600_000;
/// The Cookbook's listener is given fewer, because it takes so long.
const FEWER: u64 = 40_000;

pub(super) const CONTEST: Contest = Contest {
    name: "cookbook-file",
    title: "Logging Cookbook messages (568 bytes of JSON) into a formatted file",
    quantities: &[RATE, CPU],
    contenders: Contenders::InTurn(&[
        Contender {
            name: "libzmq, received and forgotten",
            run: raw,
        },
        Contender {
            name: "logsub",
            run: logsub,
        },
        Contender {
            name: "Cookbook listener",
            run: cookbook,
        },
    ]),
    ratios: &[
        Ratio {
            of: "logsub",
            to: "libzmq, received and forgotten",
            quantity: RATE.name,
            target: Target::AtLeast(0.9),
        },
        Ratio {
            of: "logsub",
            to: "libzmq, received and forgotten",
            quantity: CPU.name,
            target: Target::AtMost(2.2),
        },
        Ratio {
            of: "logsub",
            to: "Cookbook listener",
            quantity: RATE.name,
            target: Target::AtLeast(6.0),
        },
    ],
    picture: Picture::Bars,
};

/// The limit; `native_file.rs` has it, too.
pub(super) fn raw(arena: &Arena) -> anyhow::Result<Vec<f64>> {
    let count = arena.amount(MESSAGES);
    let (sender, endpoint, acks) = sender(arena, count)?;
    let count_text = count.to_string();
    let receive = [
        "--connect",
        &endpoint,
        "--count",
        &count_text,
        "--acks",
        &acks,
    ];
    let receiver = arena.peer("receive", &receive)?;
    let begin = sender.wait_for_number("begin")?;
    let before = receiver.cpu()?;
    let end = receiver.wait_for_number("end")?;
    Ok(figures(count, begin, end, receiver.cpu()? - before))
}

fn logsub(arena: &Arena) -> anyhow::Result<Vec<f64>> {
    let count = arena.amount(MESSAGES);
    let folder = arena.folder()?;
    let file = folder.path().join("log");
    let (sender, endpoint, acks) = sender(arena, count)?;
    let mut command = arena.own("logsub")?;
    command.args(["--no-console", "--connect", &endpoint, "--file"]);
    let receiver = Program::start(command.arg(&file))?;
    let result = into_file(&sender, &receiver, &file, count, progress(&acks)?);
    receiver.end()?;
    result
}

fn cookbook(arena: &Arena) -> anyhow::Result<Vec<f64>> {
    let count = arena.amount(FEWER);
    let folder = arena.folder()?;
    let file = folder.path().join("log");
    let (sender, endpoint, acks) = sender(arena, count)?;
    let mut command = arena.script("peers/cookbook_listener.py");
    let receiver = Program::start(command.arg(&endpoint).arg(&file))?;
    into_file(&sender, &receiver, &file, count, progress(&acks)?)
}

/// A sender, where it is, and where it is told of progress.
fn sender(arena: &Arena, count: u64) -> anyhow::Result<(Program, String, String)> {
    let sender = arena.peer("send", &["--count", &count.to_string(), "--windowed"])?;
    let (endpoint, acks) = (sender.wait_for("at")?, sender.wait_for("acks")?);
    Ok((sender, endpoint, acks))
}
