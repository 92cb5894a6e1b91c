//! The account as people read it: a table with a line for each sender.

use logbus_schemas::wire::ledger::Totals;

use crate::decode::Summary;
use crate::dispatch::HandlerReport;

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
pub fn table(summary: &Summary, handlers: &[HandlerReport]) -> String {
    let mut rows: Vec<(String, Totals)> = summary
        .senders
        .iter()
        .map(|(sender, totals)| (sender.to_string(), *totals))
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
    for (kind, count) in &summary.malformed {
        line(format_args!(
            "{count} messages that could not be read: {kind}"
        ));
    }
    for HandlerReport {
        name,
        written,
        skipped,
        failed,
    } in handlers
    {
        line(format_args!(
            "{name}: {written} records written, {skipped} skipped, {failed} failed"
        ));
    }
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

    #[test]
    fn every_sender_has_a_line_and_numbers_stand_below_their_headings() {
        let totals = Totals {
            received: 7,
            lost: 17,
            ..Totals::default()
        };
        let sender = logbus_schemas::wire::ledger::Sender {
            id: logbus_schemas::wire::SenderId(1),
            identity: None,
        };
        let summary = Summary {
            senders: vec![(sender, totals)],
            totals,
            ..Summary::default()
        };
        let table = table(&summary, &[]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("sender 0000000000000001"));
        assert_eq!(
            lines[0].find("lost").map(|at| at + 4),
            lines[1].find("17").map(|at| at + 2)
        );
    }
}
