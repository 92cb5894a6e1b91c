//! `cargo xtask fuzz`: looks for bytes that break a reader's promise.
//!
//! Each target of `fuzz/` runs for so many seconds, some at a time, and goes on from the corpus that
//! earlier runs have left in `fuzz/target/corpus`. At the end stands a table of what was run. A file
//! that breaks a promise ends its target; it is to be copied into `fuzz/corpus/TARGET`, which the
//! tests replay. cargo-fuzz is installed where it is missing. The compiler is the stable one: what
//! the fuzzer needs of it is unstable, and switched on by RUSTC_BOOTSTRAP.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::{cargo, run, setup};

/// One run of a target may take so many seconds, which is for loaded machines; what takes longer is
/// a finding.
const TIMEOUT: u32 = 40;
/// A target that needs so many MiB is a finding.
const MEMORY: u32 = 2560;
/// Where temporary files are made, if there is such a place.
const IN_MEMORY: &str = "/dev/shm";

struct Wish {
    targets: Vec<String>,
    seconds: u64,
    jobs: usize,
}

/// What became of a target.
struct Outcome {
    target: String,
    executions: String,
    took: Duration,
    finding: Option<String>,
}

/// Runs all targets, or those that are named.
pub(crate) fn fuzz(arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let wish = Wish::read(arguments)?;
    setup::cargo_command("fuzz")?;
    build(&wish.targets)?;
    let queue = Mutex::new(VecDeque::from(wish.targets));
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..wish.jobs {
            scope.spawn(|| {
                while let Some(target) = next(&queue) {
                    let outcome = look(&target, wish.seconds);
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes.push(outcome);
                    }
                }
            });
        }
    });
    report(outcomes.into_inner().unwrap_or_default())
}

impl Wish {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let known = targets()?;
        let mut wish = Self {
            targets: Vec::new(),
            seconds: 60,
            jobs: 2,
        };
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let number = arguments.next().and_then(|text| text.parse().ok());
                number.with_context(|| format!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--seconds" => wish.seconds = number()?,
                "--jobs" => wish.jobs = usize::try_from(number()?)?,
                target if known.iter().any(|known| known == target) => {
                    wish.targets.push(argument);
                }
                other => bail!("{other:?} is no target; there are {}", known.join(", ")),
            }
        }
        if wish.targets.is_empty() {
            wish.targets = known;
        }
        Ok(wish)
    }
}

/// Every target, by the file that it is.
fn targets() -> anyhow::Result<Vec<String>> {
    let folder = setup::root().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder:?}"))? {
        let path = entry?.path();
        targets.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    targets.sort();
    Ok(targets)
}

/// Builds all at once where all are wished for, because they share what they link.
fn build(wished: &[String]) -> anyhow::Result<()> {
    if wished.len() == targets()?.len() {
        return run(&mut cargo_fuzz("build"));
    }
    for target in wished {
        run(cargo_fuzz("build").arg(target))?;
    }
    Ok(())
}

fn cargo_fuzz(what: &str) -> Command {
    let mut command = cargo();
    command.args(["fuzz", what, "--fuzz-dir", "fuzz"]);
    command.env("RUSTC_BOOTSTRAP", "1");
    command.current_dir(setup::root());
    command
}

fn next(queue: &Mutex<VecDeque<String>>) -> Option<String> {
    queue.lock().ok()?.pop_front()
}

/// Runs one target. What it says goes into a file beside what it finds.
fn look(target: &str, seconds: u64) -> Outcome {
    let began = Instant::now();
    let log = setup::root().join(format!("fuzz/target/{target}.log"));
    let ran = look_into(target, seconds, &log);
    let said = fs::read_to_string(&log).unwrap_or_default();
    let executions = after(&said, "stat::number_of_executed_units:").unwrap_or("?");
    let finding = match ran {
        Ok(true) => None,
        Ok(false) => {
            let written = after(&said, "Test unit written to ");
            Some(written.map_or_else(|| format!("see {}", log.display()), str::to_owned))
        }
        Err(error) => Some(format!("{error:#}")),
    };
    eprintln!("xtask: {target} is done, {executions} executions");
    Outcome {
        target: target.to_owned(),
        executions: executions.to_owned(),
        took: began.elapsed(),
        finding,
    }
}

fn look_into(target: &str, seconds: u64, log: &Path) -> anyhow::Result<bool> {
    let corpus = setup::root().join("fuzz/target/corpus").join(target);
    fs::create_dir_all(&corpus)?;
    let seeds: PathBuf = setup::root().join("fuzz/corpus").join(target);
    let file = File::create(log)?;
    let mut command = cargo_fuzz("run");
    // Promises about files make some for each execution, and what is synced there costs nothing.
    if Path::new(IN_MEMORY).is_dir() {
        command.env("TMPDIR", IN_MEMORY);
    }
    let status = command
        .arg(target)
        .args([&corpus, &seeds])
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={TIMEOUT}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg("-print_final_stats=1")
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()?;
    Ok(status.success())
}

/// The rest of the last line that has this in it.
fn after<'a>(said: &'a str, text: &str) -> Option<&'a str> {
    let line = said.lines().rev().find_map(|line| line.split_once(text));
    line.map(|(_, rest)| rest.trim())
}

fn report(mut outcomes: Vec<Outcome>) -> anyhow::Result<()> {
    outcomes.sort_by(|a, b| a.target.cmp(&b.target));
    println!("| target | executions | minutes | finding |\n|---|---|---|---|");
    for outcome in &outcomes {
        let minutes = outcome.took.as_secs_f64() / 60.0;
        let finding = outcome.finding.as_deref().unwrap_or_default();
        let Outcome {
            target, executions, ..
        } = outcome;
        println!("| {target} | {executions} | {minutes:.1} | {finding} |");
    }
    match outcomes
        .iter()
        .filter(|outcome| outcome.finding.is_some())
        .count()
    {
        0 => Ok(()),
        count => bail!("{count} targets found something; copy it into fuzz/corpus and mend it"),
    }
}
