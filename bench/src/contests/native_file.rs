//! A native publisher with a backlog, through logsub into a formatted file.
//!
//! Beside it is what libzmq alone does where each record is a message: batching is what makes the
//! difference.

use crate::arena::Arena;
use crate::contest::{Contender, Contenders, Contest, Picture, Ratio, Target};
use crate::program::Program;

use super::bus::ANYWHERE;
use super::{CPU, RATE, cookbook_file, into_file, progress};

/// Records of a round.
const RECORDS: u64 = 3_000_000;

pub(super) const CONTEST: Contest = Contest {
    name: "native-file",
    title: "A native publisher with a backlog, into a formatted file",
    quantities: &[RATE, CPU],
    contenders: Contenders::InTurn(&[
        Contender {
            name: "libzmq, a message a record",
            run: cookbook_file::raw,
        },
        Contender {
            name: "publisher and logsub",
            run: logsub,
        },
    ]),
    ratios: &[Ratio {
        of: "publisher and logsub",
        to: "libzmq, a message a record",
        quantity: RATE.name,
        target: Target::AtLeast(3.0),
    }],
    picture: Picture::Bars,
};

fn logsub(arena: &Arena) -> anyhow::Result<Vec<f64>> {
    let count = arena.amount(RECORDS);
    let folder = arena.folder()?;
    let file = folder.path().join("log");
    let mut command = arena.own("logsub")?;
    command.args(["--no-console", "--bind", ANYWHERE, "--file"]);
    let receiver = Program::start_telling(command.arg(&file))?;
    let endpoint = receiver.wait_for("logsub: receiving at ")?;
    let count_text = count.to_string();
    let publish = ["--connect", &endpoint, "--count", &count_text, "--windowed"];
    let sender = arena.peer("publish", &publish)?;
    let progress = progress(&sender.wait_for("acks")?)?;
    let result = into_file(&sender, &receiver, &file, count, progress);
    receiver.end()?;
    result
}
