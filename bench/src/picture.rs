//! A contest's picture.
//!
//! A bar for each contender, as long as its median of the first quantity, with the quartiles as a line
//! across its end; or lines over what grows (`lines.rs`), where the contest says so.

mod lines;

use std::path::Path;

use anyhow::Context;
use plotters::prelude::*;

use crate::arena::root;
use crate::contest::{Outcome, Picture};
use crate::contests::CONTESTS;
use crate::statistics::Spread;

/// The drawing library's errors hold what it drew on; they are only told.
type Drawn = Result<(), Box<dyn std::error::Error>>;

const WIDTH: u32 = 860;
const BAR: u32 = 34;
const OWN: RGBColor = RGBColor(38, 110, 180);
const PEER: RGBColor = RGBColor(170, 175, 182);

/// The file under `docs/pictures/`.
pub(crate) fn name(contest: &str) -> String {
    format!("performance-{contest}.svg")
}

/// Draws it.
pub(crate) fn draw(outcome: &Outcome) -> anyhow::Result<()> {
    if outcome.figures.is_empty() {
        return Ok(());
    }
    let path = root().join("docs/pictures").join(name(&outcome.name));
    let contest = CONTESTS.iter().find(|contest| contest.name == outcome.name);
    let drawn = match contest.map(|contest| &contest.picture) {
        Some(Picture::Lines(form)) => lines::draw(&path, form, outcome),
        Some(Picture::Bars) | None => draw_bars(&path, outcome),
    };
    drawn
        .map_err(|error| anyhow::anyhow!("{error}"))
        .with_context(|| path.display().to_string())
}

fn draw_bars(path: &Path, outcome: &Outcome) -> Drawn {
    let Some(first) = outcome.figures.first() else {
        return Ok(());
    };
    let of_first = outcome
        .figures
        .iter()
        .filter(|f| f.quantity == first.quantity);
    let bars: Vec<(&str, Spread)> = of_first
        .map(|figures| (figures.contender.as_str(), Spread::of(&figures.rounds)))
        .collect();
    bar_chart(path, &bars, &format!("{}, {}", first.quantity, first.unit))
}

fn bar_chart(path: &Path, bars: &[(&str, Spread)], axis: &str) -> Drawn {
    let height = BAR * bars.len() as u32 + 60;
    // A range of segments has its last one, too.
    let last = bars.len().saturating_sub(1);
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let most = bars
        .iter()
        .map(|(_, s)| s.high.max(s.median))
        .fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .margin(8)
        .margin_right(30)
        .x_label_area_size(40)
        .y_label_area_size(290)
        .build_cartesian_2d(0.0..most * 1.05, (0..last).into_segmented())?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_x_mesh()
        .x_desc(axis)
        .x_label_formatter(&|value| short(*value))
        .y_labels(bars.len())
        .y_label_formatter(&|place| match place {
            SegmentValue::CenterOf(at) => label(bars, *at),
            _ => String::new(),
        })
        .label_style(("sans-serif", 13))
        .draw()?;
    for (at, (name, spread)) in bars.iter().enumerate() {
        let row = last - at;
        let colour = if is_own(name) { OWN } else { PEER };
        let corners = [
            (0.0, SegmentValue::Exact(row)),
            (spread.median, SegmentValue::Exact(row + 1)),
        ];
        let mut bar = Rectangle::new(corners, colour.filled());
        bar.set_margin(5, 5, 0, 0);
        chart.draw_series([bar])?;
        let ends = [spread.low, spread.high].map(|end| (end, SegmentValue::CenterOf(row)));
        chart.draw_series([PathElement::new(ends.to_vec(), BLACK.stroke_width(2))])?;
    }
    Ok(area.present()?)
}

/// The first bar is on top.
fn label(bars: &[(&str, Spread)], row: usize) -> String {
    let at = bars.len().checked_sub(row + 1);
    let bar = at.and_then(|at| bars.get(at));
    bar.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}

/// Whether this is one of the project's programs, which have a colour.
fn is_own(contender: &str) -> bool {
    ["logsub", "logbus", "bus-broker", "Seq handler"]
        .iter()
        .any(|name| contender.contains(name))
}

fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.1} M", value / 1e6),
        value if value >= 1e3 => format!("{:.0} k", value / 1e3),
        value if value.fract() == 0.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}
