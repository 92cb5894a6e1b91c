//! The commands that look at a journal: `bus-broker journal` and `bus-broker consumers`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is what they are for"
)]

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use logbus_broker::{ConsumerInfo, JournalError, Offline, ask_consumers};
use logbus_transport::{Endpoint, Security};

use crate::cli::{ConsumersCommand, JournalArgs, JournalCommand, KeyArgs};

/// How long a running broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn journal(what: &JournalCommand, args: &JournalArgs) -> anyhow::Result<ExitCode> {
    let dir = args.dir.as_deref();
    let dir = dir.context("say which one with --journal DIR")?;
    match what {
        JournalCommand::Ls => list(&open(dir)?)?,
        JournalCommand::Verify => return verify(&open(dir)?),
        JournalCommand::Export { file } => export(&open(dir)?, file)?,
        JournalCommand::Import { file } => import(&mut Offline::open_or_make(dir)?, file)?,
        JournalCommand::Compact => {
            let (before, after) = open(dir)?.compact()?;
            println!("{} before, {} now", size(before), size(after));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(dir: &Path) -> anyhow::Result<Offline> {
    let journal = Offline::open(dir)?;
    for notice in journal.notices() {
        eprintln!("bus-broker: {notice}");
    }
    Ok(journal)
}

fn list(journal: &Offline) -> anyhow::Result<()> {
    let topics = journal.topics();
    let mut rows =
        vec![["topic", "messages", "records", "bytes", "deleted records"].map(str::to_owned)];
    rows.extend(topics.iter().map(|topic| {
        let [messages, records, deleted] =
            [topic.entries, topic.records, topic.deleted].map(|n| n.to_string());
        [
            visible(&topic.topic),
            messages,
            records,
            size(topic.bytes),
            deleted,
        ]
    }));
    print(&rows);
    let ends = journal.ends()?;
    let range = ends.map_or_else(
        || format!("no messages; the next one is {}", journal.next()),
        |[(first, from), (last, to)]| {
            format!(
                "messages {first} to {last}, from {} to {}",
                time(from),
                time(to)
            )
        },
    );
    println!("{range}; {} on disk", size(journal.disk_space()));
    Ok(())
}

fn verify(journal: &Offline) -> anyhow::Result<ExitCode> {
    let verified = journal.verify(|damage| {
        let topic = damage.topic.as_deref().map_or_else(String::new, |topic| {
            format!(" of {}, {} records", visible(topic), damage.records)
        });
        println!("message {}{topic}: {}", damage.offset, damage.what);
    })?;
    println!(
        "{} messages with {} records are whole, {} are damaged",
        verified.entries, verified.records, verified.damaged
    );
    let is_good = verified.damaged == 0;
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn export(journal: &Offline, file: &Path) -> anyhow::Result<()> {
    if file == Path::new("-") {
        journal.export(&mut io::stdout().lock())?;
        return Ok(());
    }
    let made = File::create_new(file).with_context(|| file.display().to_string())?;
    let mut to = BufWriter::new(made);
    let count = journal.export(&mut to)?;
    to.flush()?;
    to.get_ref().sync_all()?;
    println!("{count} messages");
    Ok(())
}

fn import(journal: &mut Offline, file: &Path) -> anyhow::Result<()> {
    let mut from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file).with_context(|| file.display().to_string())?;
        Box::new(BufReader::new(opened))
    };
    let (new, known, passed_over) = journal.import(&mut from)?;
    println!("{new} messages are new, {known} were here already");
    if passed_over > 0 {
        println!("{passed_over} bytes of the file belong to no whole message");
    }
    Ok(())
}

/// From the folder, or from the broker that has it open.
pub(crate) fn consumers(
    what: Option<&ConsumersCommand>,
    args: &JournalArgs,
    keys: &KeyArgs,
) -> anyhow::Result<()> {
    let forget = what.map(|ConsumersCommand::Rm { name }| name.as_str());
    let offline = match &args.dir {
        Some(dir) => match Offline::open(dir) {
            Ok(journal) => Some(journal),
            Err(JournalError::Locked(_)) => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    let (all, was) = match offline {
        Some(mut journal) => {
            let was = forget
                .map(|name| journal.remove_consumer(name))
                .transpose()?;
            (journal.consumers()?, was.unwrap_or(true))
        }
        None => ask(forget, args, keys)?,
    };
    match forget {
        Some(name) if !was => {
            bail!(
                "there is no durable subscription {name:?}, or it is being read, or it is \
                 another client's"
            )
        }
        Some(_) => {}
        None => show(&all),
    }
    Ok(())
}

fn ask(
    forget: Option<&str>,
    args: &JournalArgs,
    keys: &KeyArgs,
) -> anyhow::Result<(Vec<ConsumerInfo>, bool)> {
    let text = args
        .durable_endpoint
        .first()
        .context("--durable-endpoint is empty")?;
    let endpoint: Endpoint = text.parse().context("--durable-endpoint")?;
    let security = Security::from_files(keys.key.as_deref(), keys.server_key.as_deref())?;
    let answer = ask_consumers(&endpoint, security, forget, PATIENCE)?;
    answer.with_context(|| {
        format!("no broker answers at {endpoint}; say where with --durable-endpoint, or name its folder with --journal")
    })
}

fn show(all: &[ConsumerInfo]) {
    let mut rows = vec![
        [
            "name",
            "next message",
            "messages behind",
            "records behind",
            "records lost",
            "heard",
            "topics",
        ]
        .map(str::to_owned),
    ];
    rows.extend(all.iter().map(|one| {
        let [offset, messages, records, lost] =
            [one.offset, one.lag.0, one.lag.1, one.lost].map(|n| n.to_string());
        let topics = if one.topics.is_empty() {
            "*".to_owned()
        } else {
            one.topics.join(",")
        };
        [
            visible(&one.name),
            offset,
            messages,
            records,
            lost,
            time(one.heard),
            visible(&topics),
        ]
    }));
    if all.iter().all(|one| one.owner.is_none()) {
        return print(&rows);
    }
    let owners = all.iter().map(|one| one.owner.as_deref().map(visible));
    let owners = owners.map(Option::unwrap_or_default);
    let owners = std::iter::once("client".to_owned()).chain(owners);
    let rows = rows.into_iter().zip(owners);
    let rows: Vec<[String; 8]> = rows
        .map(|([a, b, c, d, e, f, g], owner)| [a, b, c, d, e, f, g, owner])
        .collect();
    print(&rows);
}

/// Rows of equal columns; numbers stand on the right.
fn print<const N: usize>(rows: &[[String; N]]) {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let is_number = (1..5).contains(&column);
            let width = width(column);
            if is_number {
                format!("{cell:>width$}")
            } else {
                format!("{cell:width$}")
            }
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn size(bytes: u64) -> String {
    let units = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    let unit = units.iter().find(|(factor, _)| bytes >= *factor);
    #[expect(clippy::cast_precision_loss, reason = "it is for people")]
    let scaled = |factor: u64| bytes as f64 / factor as f64;
    unit.map_or_else(
        || format!("{bytes} B"),
        |(factor, name)| format!("{:.1} {name}", scaled(*factor)),
    )
}

fn time(nanos: u64) -> String {
    let time = i128::from(nanos);
    jiff::Timestamp::from_nanosecond(time).map_or_else(
        |_| "?".to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

/// What others wrote, without what a terminal would act on.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
