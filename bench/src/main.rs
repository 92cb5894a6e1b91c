//! What the programs cost, beside their peers, in one run: `cargo xtask bench [CONTEST …]`.
//!
//! It prints one table of ratios, keeps every figure under `target/bench/`, and writes
//! `docs/performance.md` with its pictures. A contest is a file under `contests/`; who takes part beside
//! the project's programs is under `peers/`. What it starts are release builds.
#![allow(clippy::print_stdout, reason = "this is the program that speaks")]

mod contest;
mod contests;
mod arena;
mod program;
mod peers;
mod sample;
mod statistics;
mod machine;
mod report;
mod picture;

use anyhow::{Context, ensure};
use clap::Parser;

use crate::arena::Arena;
use crate::contest::Contest;
use crate::contests::CONTESTS;

/// Measure what things cost beside their peers; docs/performance.md is written anew.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Cli {
    /// Contests to hold; all when not given
    contests: Vec<String>,
    /// Rounds that count; one more before them warms up
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// What the amount of work is multiplied by
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Say every figure as it is measured
    #[arg(long, short)]
    verbose: bool,
    /// Hold none, and write the page anew from the figures that are kept
    #[arg(long)]
    rewrite: bool,
    /// Name the contests and end
    #[arg(long)]
    list: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("peer", rest)) = arguments.split_first().map(|(a, b)| (a.as_str(), b)) {
        return peers::run(rest);
    }
    let cli = Cli::parse();
    if cli.list {
        for contest in CONTESTS {
            println!("{:16} {}", contest.name, contest.title);
        }
        return Ok(());
    }
    if cli.rewrite {
        return report::write();
    }
    let arena = Arena {
        rounds: cli.rounds.max(1),
        scale: cli.scale,
        is_talkative: cli.verbose,
    };
    for contest in chosen(&cli.contests)? {
        let outcome = contest.hold(&arena).context(contest.name)?;
        print!("{}", report::text(&outcome));
        report::keep(&outcome)?;
    }
    report::write()
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Contest>> {
    let is_known = |name: &String| CONTESTS.iter().any(|contest| contest.name == name);
    let unknown = names.iter().find(|name| !is_known(name));
    ensure!(
        unknown.is_none(),
        "there is no contest {unknown:?}; --list names them"
    );
    let is_chosen =
        |contest: &&Contest| names.is_empty() || names.iter().any(|n| n == contest.name);
    Ok(CONTESTS.iter().filter(is_chosen).collect())
}
