//! The project's own commands: `cargo xtask demo`, `test`, `check`, `deny`, `faults`, `fuzz`, `tidy`,
//! `bench`, `guard`.
//!
//! Each installs what it needs itself. This program links none of the libraries it installs, so
//! it builds on a machine that has Rust and nothing else.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is the program that speaks"
)]

mod setup;
mod demo;
mod fuzz;
mod tidy;
mod guard;
mod wheel;

use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo      install what is needed, build, and show a shop under Gunicorn and a Rust service
  test      install what is needed and run all tests
  check     what a change must pass besides: format, clippy, documentation
  deny      dependencies: licences, duplicates, sources, and known faults where their list can be had
  faults    kill, stop, damage and cut off real programs, and reconcile every record:
            cargo xtask faults [NAME …] [--seed N] [--kills N] [--seconds N] [--rate N]
            --release takes release builds, here and for soak
  soak      memory, threads and files at a steady rate: cargo xtask soak [--minutes N] [--rate N]
  fuzz      look for bytes that break a reader's promise:
            cargo xtask fuzz [TARGET …] [--seconds N] [--jobs N]
  bench     what things cost beside their peers, into docs/performance.md:
            cargo xtask bench [CONTEST …] [--list] [--rounds N] [--verbose]
  guard     how many instructions a record costs, held against limits; --write writes them anew
  pictures  draw the terminal's pictures in docs/pictures anew, from a real run
  tidy      the rules of the house: arrows between crates, head comments, paths in documents";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let result = match command.as_str() {
        "demo" => demo::demo(),
        "test" => test(),
        "check" => check(),
        "tidy" => tidy::tidy(),
        "deny" => deny(),
        "faults" | "soak" => faults(),
        "fuzz" => fuzz::fuzz(std::env::args().skip(2)),
        "bench" => bench(),
        "guard" => guard::guard(),
        "pictures" => pictures(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// Every test there is. The programs are built first: the tests start them.
fn test() -> anyhow::Result<()> {
    setup::install()?;
    setup::python()?;
    run(cargo().args(["build", "--workspace", "--bins"]))?;
    tidy::tidy()?;
    run(cargo().args(["test", "--workspace", "--no-fail-fast"]))?;
    wheel::install("dev")?;
    wheel::test()
}

/// What things cost beside their peers, in release builds; `bench/src/main.rs` reads the arguments.
fn bench() -> anyhow::Result<()> {
    setup::install()?;
    setup::peers()?;
    wheel::install("release")?;
    let programs = [
        "-p",
        "logbus-broker",
        "-p",
        "logbus-subscriber",
        "-p",
        "logbus-bench",
    ];
    run(cargo()
        .args(["build", "--release", "--bins"])
        .args(programs))?;
    let example = ["-p", "logbus-subscriber", "--example", "handler_throughput"];
    run(cargo().args(["build", "--release"]).args(example))?;
    let mut bench = Command::new(setup::root().join("target/release/logbus-bench"));
    run(bench.args(std::env::args().skip(2)))
}

/// What README shows of the terminal.
fn pictures() -> anyhow::Result<()> {
    setup::install()?;
    run(cargo().args(["build", "--workspace", "--bins"]))?;
    run(cargo().args([
        "run",
        "--quiet",
        "-p",
        "logbus-tests",
        "--example",
        "pictures",
    ]))
}

/// Faults on purpose; `tests/examples/faults.rs` reads the arguments. The programs are beside it.
fn faults() -> anyhow::Result<()> {
    setup::install()?;
    let args = std::env::args().skip(1);
    let (profile, args): (Vec<_>, Vec<_>) = args.partition(|arg| arg == "--release");
    run(cargo()
        .args(["build", "--workspace", "--bins"])
        .args(&profile))?;
    let example = ["--quiet", "-p", "logbus-tests", "--example", "faults"];
    run(cargo()
        .arg("run")
        .args(profile)
        .args(example)
        .arg("--")
        .args(args))
}

fn check() -> anyhow::Result<()> {
    setup::install()?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut doc = cargo();
    doc.args([
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Holds the dependencies against `deny.toml`, and where the list of known faults can be had, against that.
fn deny() -> anyhow::Result<()> {
    setup::cargo_command("deny")?;
    let quietly = ["--hide-inclusion-graph"];
    run(cargo()
        .args(["deny", "check"])
        .args(quietly)
        .args(["bans", "licenses", "sources"]))?;
    if run(cargo().args(["deny", "fetch", "db"])).is_err() {
        eprintln!(
            "xtask: the list of known faults cannot be fetched: dependencies were not held against it"
        );
        return Ok(());
    }
    run(cargo()
        .args(["deny", "check", "--disable-fetch"])
        .args(quietly)
        .arg("advisories"))
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command in the project's folder and fails when it fails.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .current_dir(setup::root())
        .status()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
