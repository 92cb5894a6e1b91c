//! The account as people read it: a table with a line for each sender, or one line where there
//! was loss.
//!
//! Names are senders' own words and are shown as a terminal may see them.

use logbus_schemas::wire::ledger::Totals;

use crate::decode::Summary;
use crate::dispatch::Undelivered;
use crate::format::visible;
use crate::lane::HandlerReport;

const HEADINGS: [&str; 7] = [
    "received",
    "lost",
    "discarded at source",
    "late",
    "duplicate",
    "malformed",
    "earlier",
];

/// The table of `--stats`: a line a sender, the sum, and what no sender accounts for.
pub fn table(summary: &Summary, undelivered: Undelivered, handlers: &[HandlerReport]) -> String {
    let mut rows: Vec<(String, Totals)> = summary
        .senders
        .iter()
        .map(|(sender, totals)| (shown(&sender.to_string()), *totals))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows.push(("all senders".to_owned(), summary.totals));
    let widest = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);

    let mut text = format!("{:widest$}", "sender");
    for heading in HEADINGS {
        text.push_str(&format!("  {heading}"));
    }
    for (name, totals) in &rows {
        text.push_str(&format!("\n{name:widest$}"));
        for (heading, count) in HEADINGS.iter().zip(columns(totals)) {
            text.push_str(&format!("  {count:>width$}", width = heading.len()));
        }
    }
    text.push('\n');
    let mut line = |args: std::fmt::Arguments<'_>| {
        text.push_str(&args.to_string());
        text.push('\n');
    };
    if summary.foreign > 0 {
        line(format_args!(
            "{} records without sequence numbers",
            summary.foreign
        ));
    }
    if summary.overflow > 0 {
        line(format_args!(
            "{} messages dropped because they came too fast",
            summary.overflow
        ));
    }
    if summary.again > 0 {
        line(format_args!(
            "{} messages of the journal that were handed out before",
            summary.again
        ));
    }
    if summary.gone > 0 {
        line(format_args!(
            "{} records gone from the journal",
            summary.gone
        ));
    }
    for (kind, count) in &summary.malformed {
        line(format_args!(
            "{count} messages that could not be read: {kind}"
        ));
    }
    let Undelivered {
        filtered,
        unhandled,
    } = undelivered;
    for (count, why) in [
        (
            filtered,
            "kept back by the levels and filters of their loggers",
        ),
        (unhandled, "whose loggers have no handler"),
    ] {
        if count > 0 {
            line(format_args!("{count} records {why}"));
        }
    }
    for HandlerReport {
        name,
        written,
        filtered,
        skipped,
        failed,
        is_unread: _,
    } in handlers
    {
        let filtered = match filtered {
            0 => String::new(),
            count => format!("{count} filtered, "),
        };
        line(format_args!(
            "{name}: {written} records written, {filtered}{skipped} skipped, {failed} failed"
        ));
    }
    text
}

/// What a run without `--stats` says at its end: one line where records did not arrive, nothing
/// where all did.
pub fn loss(summary: &Summary, handlers: &[HandlerReport]) -> Option<String> {
    let Totals {
        lost, discarded, ..
    } = summary.totals;
    let sum = |count: fn(&HandlerReport) -> u64| handlers.iter().map(count).sum::<u64>();
    let counts = [
        (lost, "records lost"),
        (discarded, "records discarded at source"),
        (
            summary.overflow,
            "messages dropped, too fast for this subscriber",
        ),
        (summary.gone, "records gone from the journal"),
        (
            summary.malformed.values().sum(),
            "messages that could not be read",
        ),
        (
            sum(|handler| handler.skipped),
            "records skipped by handlers",
        ),
        (
            sum(|handler| match handler.is_unread {
                true => 0,
                false => handler.failed,
            }),
            "records that handlers could not write",
        ),
    ];
    let parts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| match (count, what.split_once("s ")) {
            (1, Some((one, rest))) => format!("1 {one} {rest}"),
            _ => format!("{count} {what}"),
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What a run that shows records says at its end when all is well.
pub fn fine(summary: &Summary) -> String {
    let records = summary.totals.received + summary.foreign;
    let many =
        |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let senders = many(summary.senders.len() as u64, "sender");
    let told = format!("{} from {senders}, none lost", many(records, "record"));
    match summary.silent {
        0 => told,
        silent => format!(
            "{told} that is known of; {} went silent without goodbye",
            many(silent, "sender")
        ),
    }
}

fn shown(name: &str) -> String {
    let mut text = String::new();
    visible::on_one_line(name, &mut text);
    text
}

fn columns(totals: &Totals) -> [u64; HEADINGS.len()] {
    let Totals {
        received,
        malformed,
        lost,
        discarded,
        late,
        duplicate,
        earlier,
    } = *totals;
    [
        received, lost, discarded, late, duplicate, malformed, earlier,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    use logbus_schemas::wire::ledger::Sender;
    use logbus_schemas::wire::{Identity, SenderId};

    fn summary(program: Option<&str>, totals: Totals) -> Summary {
        let identity = program.map(|program| Identity {
            program: program.to_owned(),
            pid: 613,
            ..Identity::default()
        });
        let id = SenderId(1);
        Summary {
            senders: vec![(Sender { id, identity }, totals)],
            totals,
            ..Summary::default()
        }
    }

    fn lossy() -> Totals {
        Totals {
            received: 7,
            lost: 17,
            ..Totals::default()
        }
    }

    #[test]
    fn every_sender_has_a_line_and_numbers_stand_below_their_headings() {
        let table = table(&summary(None, lossy()), Undelivered::default(), &[]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("sender 0000000000000001"));
        assert_eq!(
            lines[0].find("lost").map(|at| at + 4),
            lines[1].find("17").map(|at| at + 2)
        );
    }

    #[test]
    fn a_sender_cannot_steer_the_terminal_or_forge_a_line_by_its_name() {
        let table = table(
            &summary(Some("web\x1b[2J\nall senders"), lossy()),
            Undelivered::default(),
            &[],
        );
        assert_eq!(table.lines().count(), 3);
        assert!(
            table.contains("web\\x1b[2J\\x0aall senders (pid 613)"),
            "{table}"
        );
    }

    #[test]
    fn loss_is_one_line_and_no_loss_is_none() {
        let fine = Totals {
            received: 7,
            late: 1,
            duplicate: 2,
            earlier: 3,
            ..Totals::default()
        };
        assert_eq!(loss(&summary(None, fine), &[]), None);
        assert_eq!(
            super::fine(&summary(None, fine)),
            "7 records from 1 sender, none lost"
        );
        let one = Summary {
            silent: 1,
            overflow: 1,
            ..summary(None, fine)
        };
        assert_eq!(
            super::fine(&one),
            "7 records from 1 sender, none lost that is known of; 1 sender went silent without goodbye"
        );
        assert_eq!(
            loss(&one, &[]).unwrap(),
            "1 message dropped, too fast for this subscriber"
        );
        let report = HandlerReport {
            name: "file".to_owned(),
            written: 7,
            filtered: 0,
            skipped: 3,
            failed: 0,
            is_unread: false,
        };
        let unread = HandlerReport {
            failed: 5,
            is_unread: true,
            ..HandlerReport::default()
        };
        assert_eq!(
            loss(&summary(None, lossy()), &[report, unread]).unwrap(),
            "17 records lost, 3 records skipped by handlers"
        );
    }
}
