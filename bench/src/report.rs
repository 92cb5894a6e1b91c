//! What a reader gets of contests: text, JSON, and the measured part of `docs/performance.md`.
//!
//! Every outcome is kept under `target/bench/`. The document is made of what is kept, so a contest that
//! is held again alone takes its place among the others; its ratios are always of one run. What stands
//! outside the two markers is left as it is.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use crate::arena::root;
use crate::contest::{Compared, Outcome, Target};
use crate::contests::CONTESTS;
use crate::statistics::Spread;
use crate::{machine, picture};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// A contest as it is printed.
pub(crate) fn text(outcome: &Outcome) -> String {
    let mut text = format!("{}: {}\n", outcome.name, outcome.title);
    for figures in &outcome.figures {
        let (name, quantity) = (&figures.contender, &figures.quantity);
        let shown = shown(Spread::of(&figures.rounds), &figures.unit);
        // Writing to a string never fails, here and below.
        let _infallible = writeln!(text, "  {name:<44} {quantity:<6} {shown}");
    }
    for compared in &outcome.compared {
        let pair = match beside(compared) {
            "" => compared.of.clone(),
            to => format!("{} : {to}", compared.of),
        };
        let Compared {
            quantity, ratio, ..
        } = compared;
        let (ratio, target) = (factor(*ratio), expected(compared));
        let _infallible = writeln!(text, "  {pair:<70} {quantity:<6} {ratio} {target}");
    }
    text
}

/// Keeps an outcome for the document.
pub(crate) fn keep(outcome: &Outcome) -> anyhow::Result<()> {
    let path = kept(&outcome.name);
    fs::create_dir_all(path.with_file_name(""))?;
    Ok(fs::write(path, serde_json::to_vec_pretty(outcome)?)?)
}

/// Writes the measured part of the document, and its pictures.
pub(crate) fn write() -> anyhow::Result<()> {
    let names = CONTESTS.iter().map(|contest| contest.name);
    let kept = names.filter_map(|name| fs::read(kept(name)).ok());
    let outcomes: Vec<Outcome> = kept
        .map(|bytes| serde_json::from_slice(&bytes))
        .collect::<Result<_, _>>()?;
    let path = root().join("docs/performance.md");
    let text = fs::read_to_string(&path).context("docs/performance.md")?;
    let (head, rest) = text
        .split_once(BEGIN)
        .context("the first marker is missing")?;
    let (_, tail) = rest.split_once(END).context("the last marker is missing")?;
    let measured = markdown(&outcomes);
    fs::write(path, format!("{head}{BEGIN}\n{measured}{END}{tail}"))?;
    for outcome in &outcomes {
        picture::draw(outcome)?;
    }
    Ok(())
}

fn kept(name: &str) -> PathBuf {
    root().join("target/bench").join(format!("{name}.json"))
}

fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for (what, value) in machine::description() {
        let _infallible = writeln!(text, "- {what}: {value}");
    }
    text.push_str(
        "\n| | beside | | ratio, or figure | quartiles | target | |\n|---|---|---|---|---|---|---|\n",
    );
    for compared in outcomes.iter().flat_map(|outcome| &outcome.compared) {
        let Spread { low, median, high } = compared.ratio;
        let verdict = compared
            .is_met
            .map_or("", |is_met| if is_met { "met" } else { "missed" });
        let _infallible = writeln!(
            text,
            "| {} | {} | {} | {} | {} to {} | {} | {verdict} |",
            compared.of,
            beside(compared),
            compared.quantity,
            number(median),
            number(low),
            number(high),
            bound(compared.target),
        );
    }
    for outcome in outcomes {
        section(outcome, &mut text);
    }
    text
}

fn section(outcome: &Outcome, text: &mut String) {
    let (name, title) = (&outcome.name, &outcome.title);
    let picture = picture::name(name);
    let _infallible = writeln!(text, "\n### {title}\n\n![{title}](pictures/{picture})\n");
    text.push_str("| | | median | quartiles |\n|---|---|---|---|\n");
    for figures in &outcome.figures {
        let Spread { low, median, high } = Spread::of(&figures.rounds);
        let _infallible = writeln!(
            text,
            "| {} | {}, {} | {} | {} to {} |",
            figures.contender,
            figures.quantity,
            figures.unit,
            number(median),
            number(low),
            number(high)
        );
    }
}

/// What something is measured beside, if it is beside anything.
fn beside(compared: &Compared) -> &str {
    match compared.target {
        Target::FigureAtLeast(_) | Target::FigureAtMost(_) => "",
        Target::AtLeast(_) | Target::AtMost(_) | Target::None => &compared.to,
    }
}

fn expected(compared: &Compared) -> String {
    match compared.is_met {
        Some(is_met) => {
            let verdict = if is_met { "met" } else { "MISSED" };
            format!("target {} {verdict}", bound(compared.target))
        }
        None => String::new(),
    }
}

fn bound(target: Target) -> String {
    match target {
        Target::AtLeast(bound) => format!("≥ {bound}"),
        Target::AtMost(bound) => format!("≤ {bound}"),
        Target::FigureAtLeast(bound) => format!("≥ {}", number(bound)),
        Target::FigureAtMost(bound) => format!("≤ {}", number(bound)),
        Target::None => String::new(),
    }
}

fn factor(ratio: Spread) -> String {
    let Spread { low, median, high } = ratio;
    let (low, median, high) = (number(low), number(median), number(high));
    format!("{median} ({low} to {high})")
}

fn shown(spread: Spread, unit: &str) -> String {
    let Spread { low, median, high } = spread;
    let (low, median, high) = (number(low), number(median), number(high));
    format!("{median} {unit} ({low} to {high})")
}

/// A number with three digits that count, and its thousands apart.
fn number(value: f64) -> String {
    if value >= 1000.0 {
        let scale = 10f64.powi(value.log10() as i32 - 2);
        return grouped((value / scale).round() * scale);
    }
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        let shown = [0.5, 1.234, 12.34, 612.4, 1234.0, 1_234_567.0].map(number);
        assert_eq!(shown, ["0.50", "1.23", "12.3", "612", "1,230", "1,230,000"]);
    }
}
