//! The machine on which something was measured, as a reader needs it to judge figures.

use std::process::Command;

/// A line for each thing: processor, memory, system, libraries.
pub(crate) fn description() -> Vec<(&'static str, String)> {
    let (major, minor, patch) = zmq::version();
    vec![
        ("processor", processor()),
        ("memory", memory()),
        ("system", system()),
        ("load average at the end", load()),
        ("libzmq", format!("{major}.{minor}.{patch}")),
        ("Rust", said_by("rustc", &["--version"])),
        ("Python", said_by(&python(), &["--version"])),
    ]
}

fn python() -> String {
    let path = crate::arena::root().join("target/venv/bin/python");
    path.to_string_lossy().into_owned()
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = text.lines().filter(|l| l.starts_with("processor")).count();
    format!("{}, {count} cores", value_of(&text, "model name"))
}

fn memory() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = value_of(&text, "MemTotal").replace(" kB", "");
    format!(
        "{:.0} GiB",
        kib.parse::<f64>().unwrap_or(0.0) / 1024.0 / 1024.0
    )
}

/// Of the last one, five and fifteen minutes; what the contests do themselves is in it.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(", ")
}

fn system() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="));
    let kernel = said_by("uname", &["-r"]);
    format!(
        "{}, Linux {kernel}",
        name.unwrap_or_default().trim_matches('"')
    )
}

/// What stands behind the colon of the first line with this key.
fn value_of(text: &str, key: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(key));
    let value = line.and_then(|line| line.split_once(':'));
    value
        .map_or("unknown", |(_, value)| value.trim())
        .to_owned()
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "unknown".to_owned())
}
