//! `cargo xtask guard`: how many instructions a record costs, held against limits that are committed.
//!
//! A release build of `bench/src/bin/guard.rs` runs under callgrind, which counts the same on a loaded
//! machine and a quiet one. `bench/guard.limits` has what each operation took when it was last written
//! down; an operation that takes [`HEADROOM`] more fails. `--write` writes the file anew, for a change
//! that is meant to cost something and for one that made something cheaper.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context, bail};

use crate::setup::{self, root};
use crate::{cargo, run};

/// The part by which an operation may become dearer: compilers differ, and so do C libraries.
const HEADROOM: f64 = 0.15;
/// How often the program does each operation.
const TIMES: u64 = 1000;
const LIMITS: &str = "bench/guard.limits";
/// What its functions' names begin with.
const PREFIX: &str = "guard::guard_";

/// Instructions by operation.
type Counts = BTreeMap<String, u64>;

pub(crate) fn guard() -> anyhow::Result<()> {
    setup::install()?;
    let program = ["-p", "logbus-bench", "--bin", "guard"];
    run(cargo()
        .args(["build", "--quiet", "--release"])
        .args(program))?;
    let counted = count()?;
    if std::env::args().nth(2).as_deref() == Some("--write") {
        let lines = counted
            .iter()
            .map(|(name, count)| format!("{name} {count}\n"));
        return Ok(fs::write(root().join(LIMITS), lines.collect::<String>())?);
    }
    let limits = fs::read_to_string(root().join(LIMITS)).context(LIMITS)?;
    let limits = limits
        .lines()
        .map(limit)
        .collect::<anyhow::Result<Counts>>()?;
    compare(&counted, &limits)
}

fn limit(line: &str) -> anyhow::Result<(String, u64)> {
    let (name, count) = line
        .split_once(' ')
        .with_context(|| format!("{LIMITS}: {line:?} is no name with a number behind it"))?;
    Ok((
        name.to_owned(),
        count.parse().with_context(|| line.to_owned())?,
    ))
}

/// Runs the program under callgrind.
fn count() -> anyhow::Result<Counts> {
    let profile = root().join("target/guard.callgrind");
    let mut out_file = std::ffi::OsString::from("--callgrind-out-file=");
    out_file.push(&profile);
    let quiet = ["--quiet", "--tool=callgrind"];
    let mut valgrind = Command::new("valgrind");
    valgrind.args(quiet).arg(out_file);
    run(valgrind.arg(root().join("target/release/guard")))?;
    let output = Command::new("callgrind_annotate")
        .args(["--inclusive=yes", "--threshold=100"])
        .arg(&profile)
        .output()
        .context("cannot run callgrind_annotate")?;
    let counts = counts(&String::from_utf8_lossy(&output.stdout));
    if counts.is_empty() {
        bail!("callgrind reported none of the operations");
    }
    Ok(counts)
}

/// Instructions of one operation each, of lines such as `1,000 (5.00%)  guard.rs:guard::guard_log [..]`.
fn counts(annotated: &str) -> Counts {
    let mut counts = Counts::new();
    for line in annotated.lines() {
        let Some((_, named)) = line.split_once(PREFIX) else {
            continue;
        };
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let name: String = named.chars().take_while(|c| is_part(*c)).collect();
        let digits = line.split_whitespace().next().unwrap_or_default();
        if let Ok(count) = digits.replace(',', "").parse::<u64>() {
            // A function may stand there for each file that was inlined into it; the first has it all.
            counts.entry(name).or_insert(count / TIMES);
        }
    }
    counts
}

fn compare(counted: &Counts, limits: &Counts) -> anyhow::Result<()> {
    let mut dearer = Vec::new();
    println!(
        "{:<16} {:>12} {:>12} {:>8}",
        "operation", "instructions", "written down", "change"
    );
    for (name, count) in counted {
        let Some(limit) = limits.get(name) else {
            bail!("{LIMITS} has no {name}; cargo xtask guard --write adds it");
        };
        let change = *count as f64 / *limit as f64 - 1.0;
        println!(
            "{name:<16} {count:>12} {limit:>12} {:>+7.1}%",
            change * 100.0
        );
        if change > HEADROOM {
            dearer.push(name.as_str());
        }
    }
    if let Some(gone) = limits.keys().find(|name| !counted.contains_key(*name)) {
        bail!(
            "{LIMITS} has {gone}, which is counted no more; cargo xtask guard --write removes it"
        );
    }
    if !dearer.is_empty() {
        bail!(
            "{} became more than {:.0} % dearer; where that is meant, cargo xtask guard --write",
            dearer.join(", "),
            HEADROOM * 100.0
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callgrinds_lines_are_read() {
        let annotated = "\
            12,345,678 (50.1%)  bench/src/bin/guard.rs:guard::guard_log [target/release/guard]\n\
            1,000 ( 0.0%)  rust/vec.rs:guard::guard_log [target/release/guard]\n\
            7,654,321 (49.9%)  bench/src/bin/guard.rs:guard::main [target/release/guard]\n";
        let read: Vec<_> = counts(annotated).into_iter().collect();
        assert_eq!(read, [("log".to_owned(), 12_345)]);
    }

    #[test]
    fn what_became_dearer_is_named_and_what_is_within_the_headroom_is_not() {
        let of = |log, query| Counts::from([("log".to_owned(), log), ("query".to_owned(), query)]);
        assert!(compare(&of(114, 50), &of(100, 100)).is_ok());
        let said = compare(&of(116, 50), &of(100, 100))
            .unwrap_err()
            .to_string();
        assert!(said.starts_with("log became"), "{said}");
    }
}
