//! `cargo xtask tidy`: the rules of the house that a compiler does not know.
//!
//! Only `transport` names zmq or nng; `schemas` knows no socket, thread, file or clock; every
//! source file begins with its head comment; every path that a document names exists; the help
//! texts in the README are the real ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::setup::root;

/// What a crate's sources and manifest must not hold.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "schemas",
        &[
            "std::net",
            "std::thread",
            "std::fs",
            "SystemTime",
            "Instant::",
            "tokio",
            "zmq::",
            "nng::",
            "logbus_transport",
        ],
    ),
    (
        "transport",
        &["logbus_schemas", "serde_json", "rmp", "logbus_publisher"],
    ),
    (
        "publisher",
        &[
            "zmq::",
            "nng::",
            "zmq-sys",
            "logbus_broker",
            "logbus_subscriber",
        ],
    ),
    ("publisher/python", &["intern!(", "PyOnceLock", "LazyLock"]),
    (
        "bus-broker",
        &[
            "zmq::",
            "nng::",
            "zmq-sys",
            "logbus_publisher",
            "logbus_subscriber",
        ],
    ),
    ("subscriber", &["zmq::", "nng::", "zmq-sys"]),
    // It uses libzmq itself, which is a peer.
    ("bench", &["logbus_transport", "logbus_broker", "nng::"]),
];
const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/dialects.md",
    "docs/durable.md",
    "docs/performance.md",
    "docs/reliability.md",
    "schemas/WIRE.md",
];
/// Programs whose `--help` stands in the README.
const HELPED: &[&str] = &["logsub"];

pub(crate) fn tidy() -> anyhow::Result<()> {
    let mut faults = Vec::new();
    for (folder, banned) in ARROWS {
        for file in sources(&root().join(folder).join("src"))? {
            let text = fs::read_to_string(&file)?;
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for (at, line) in code.enumerate() {
                for word in banned.iter().filter(|word| names(line, word)) {
                    faults.push(format!(
                        "{}:{at}: {folder} must not know {word}",
                        shown(&file)
                    ));
                }
            }
        }
    }
    for file in sources(&root())? {
        if !fs::read_to_string(&file)?.starts_with("//!") && !is_part_of_promises(&file) {
            faults.push(format!(
                "{} does not begin with its head comment",
                shown(&file)
            ));
        }
    }
    for document in DOCUMENTS {
        let text =
            fs::read_to_string(root().join(document)).with_context(|| (*document).to_owned())?;
        faults.extend(missing_paths(document, &text));
    }
    faults.extend(wrong_help()?);
    if !faults.is_empty() {
        bail!("{} faults:\n  {}", faults.len(), faults.join("\n  "));
    }
    println!("tidy: the rules hold");
    Ok(())
}

/// Whether `word` stands in `line` and is not the end of a longer name.
fn names(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(is_part))
}

/// Modules of the promises are described in their list, `tests/promises/main.rs`.
fn is_part_of_promises(file: &Path) -> bool {
    file.starts_with(root().join("tests/promises"))
}

/// Every Rust file below `folder`, build results and fuzzing apart.
fn sources(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| shown(folder))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "fuzz" {
            found.extend(sources(&path)?);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Paths in backquotes that hold a slash and an ending, and do not exist.
fn missing_paths(document: &str, text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_path = |word: &&str| {
        word.contains('/')
            && [".rs", ".md", ".py", ".json", ".toml"]
                .iter()
                .any(|ending| word.ends_with(ending))
            && !word.contains([' ', '*', '<', '{', ':'])
    };
    quoted
        .filter(is_path)
        .filter(|path| !root().join(path).exists())
        .map(|path| format!("{document} names {path}, which does not exist"))
        .collect()
}

/// Programs whose help text in the README is not what they print.
fn wrong_help() -> anyhow::Result<Vec<String>> {
    let readme = fs::read_to_string(root().join("README.md"))?;
    let mut wrong = Vec::new();
    for program in HELPED {
        let path = root().join("target/debug").join(program);
        if !path.exists() {
            bail!("{program} is not built; run: cargo build --workspace --bins");
        }
        let output = Command::new(path)
            .arg("-h")
            .env("COLUMNS", "100")
            .output()?;
        let help = String::from_utf8_lossy(&output.stdout);
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        let readme: Vec<&str> = readme.lines().map(str::trim_end).collect();
        if !readme.windows(help.len()).any(|window| window == help) {
            wrong.push(format!(
                "README.md does not hold what `{program} -h` prints"
            ));
        }
    }
    Ok(wrong)
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}
