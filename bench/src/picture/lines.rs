//! Lines over what grows: the median at each point, with the quartiles as a line across it.
//!
//! What was not measured, as in an outcome that is older than a point of its line, is left out.

use std::path::Path;

use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::element::{DashedPathElement, DynElement, IntoDynElement};
use plotters::prelude::*;

use crate::contest::{Line, Lines, Outcome};
use crate::statistics::Spread;

use super::{Drawn, OWN, PEER, WIDTH, is_own, short};

const HEIGHT: u32 = 380;
const MARGIN: i32 = 8;
/// What stands left of the axes, and above them: the height of a line's name, and how much of it is shown.
const LEFT: i32 = 78;
const NAME: i32 = 20;
const SAMPLE: i32 = 34;
/// By how much an axis goes beyond its figures.
const FREE: f64 = 1.15;

/// A line as it was measured.
struct Measured {
    name: String,
    is_dashed: bool,
    points: Vec<(f64, Spread)>,
}

impl Measured {
    fn colour(&self) -> RGBColor {
        if is_own(&self.name) { OWN } else { PEER }
    }
}

/// Draws them.
pub(super) fn draw(path: &Path, form: &Lines, outcome: &Outcome) -> Drawn {
    let lines: Vec<Measured> = (form.lines)()
        .into_iter()
        .map(|line| measured(line, outcome))
        .collect();
    let figures = |figure: fn(&(f64, Spread)) -> [f64; 3]| {
        let points = lines.iter().flat_map(|line| &line.points);
        points.flat_map(figure).filter(|figure| *figure > 0.0)
    };
    let (Some((left, right)), Some((low, high))) = (
        ends(figures(|(at, _)| [*at; 3])),
        ends(figures(|(_, s)| [s.low, s.median, s.high])),
    ) else {
        return Ok(());
    };
    let over = (left / FREE..right * FREE).log_scale();
    if form.is_by_powers {
        let what = 10f64.powf(low.log10().floor())..10f64.powf(high.log10().ceil());
        chart(path, form, &lines, over, what.log_scale())
    } else {
        chart(path, form, &lines, over, 0.0..high * FREE)
    }
}

/// What was measured at a line's points.
fn measured(line: Line, outcome: &Outcome) -> Measured {
    let spread = |contender: &str, quantity: &str| {
        let of = |f: &&crate::contest::Figures| f.contender == contender && f.quantity == quantity;
        let figures = outcome.figures.iter().find(of)?;
        Some(Spread::of(&figures.rounds)).filter(|spread| spread.low > 0.0)
    };
    let points = line
        .points
        .iter()
        .filter_map(|p| Some((p.at as f64, spread(p.contender, p.quantity)?)));
    Measured {
        points: points.collect(),
        name: line.name,
        is_dashed: line.is_dashed,
    }
}

/// The least and the greatest; nothing of none.
fn ends(figures: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    figures.fold(None, |ends, figure| {
        let (least, most) = ends.unwrap_or((figure, figure));
        Some((figure.min(least), figure.max(most)))
    })
}

fn chart<X, Y>(path: &Path, form: &Lines, lines: &[Measured], over: X, what: Y) -> Drawn
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let area = SVGBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    area.fill(&WHITE)?;
    let (names, area) = area.split_vertically(NAME * lines.len() as i32 + MARGIN);
    for (at, line) in lines.iter().enumerate() {
        let middle = NAME * at as i32 + MARGIN + NAME / 2;
        let sample = [(LEFT, middle), (LEFT + SAMPLE, middle)];
        names.draw(&stroke(line, sample.into()))?;
        let place = (LEFT + SAMPLE + MARGIN, middle - NAME / 2 + 2);
        names.draw(&Text::new(line.name.clone(), place, ("sans-serif", 13)))?;
    }
    let mut chart = ChartBuilder::on(&area)
        .margin(MARGIN)
        .margin_right(30)
        .x_label_area_size(40)
        .y_label_area_size(LEFT - MARGIN)
        .build_cartesian_2d(over, what)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(PEER.mix(0.4))
        .y_labels(6)
        .x_desc(form.over)
        .y_desc(form.what)
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| short(*value))
        .label_style(("sans-serif", 13))
        .draw()?;
    for line in lines {
        let medians: Vec<_> = line.points.iter().map(|(at, s)| (*at, s.median)).collect();
        let colour = line.colour();
        let dots = medians
            .iter()
            .map(|at| Circle::new(*at, 3, colour.filled()));
        chart.draw_series(dots)?;
        chart.draw_series([stroke(line, medians)])?;
        let across = line.points.iter().map(|(at, spread)| {
            PathElement::new(vec![(*at, spread.low), (*at, spread.high)], BLACK)
        });
        chart.draw_series(across)?;
    }
    Ok(area.present()?)
}

/// A line's own stroke from point to point.
fn stroke<D, C>(line: &Measured, points: Vec<C>) -> DynElement<'static, D, C>
where
    D: DrawingBackend,
    C: Clone + 'static,
{
    let style = line.colour().stroke_width(2);
    if line.is_dashed {
        DashedPathElement::new(points, 8, 5, style).into_dyn()
    } else {
        PathElement::new(points, style).into_dyn()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::{Figures, Point};

    fn outcome(figures: &[(&str, &[f64])]) -> Outcome {
        let figures = figures.iter().map(|(contender, rounds)| Figures {
            contender: (*contender).to_owned(),
            quantity: "rate".to_owned(),
            unit: "records/s".to_owned(),
            rounds: rounds.to_vec(),
        });
        Outcome {
            name: "grows".to_owned(),
            title: String::new(),
            figures: figures.collect(),
            compared: Vec::new(),
        }
    }

    fn lines() -> Vec<Line> {
        let points = [(1, "one"), (1000, "a thousand"), (2000, "nobody")];
        vec![Line {
            name: "bus-broker, growing".to_owned(),
            is_dashed: true,
            points: points
                .map(|(at, contender)| Point {
                    at,
                    contender,
                    quantity: "rate",
                })
                .into(),
        }]
    }

    fn drawn(is_by_powers: bool, outcome: &Outcome) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.svg");
        let form = Lines {
            over: "publishers",
            what: "records/s",
            is_by_powers,
            lines,
        };
        draw(&path, &form, outcome).unwrap();
        std::fs::read_to_string(path).ok()
    }

    #[test]
    fn a_point_that_was_not_measured_is_left_out() {
        let outcome = outcome(&[("one", &[3.0, 1.0, 2.0]), ("a thousand", &[8.0])]);
        let line = measured(lines().remove(0), &outcome);
        let medians: Vec<_> = line.points.iter().map(|(at, s)| (*at, s.median)).collect();
        assert_eq!(medians, [(1.0, 2.0), (1000.0, 8.0)]);
    }

    #[test]
    fn a_picture_names_its_lines_and_axes() {
        let outcome = outcome(&[("one", &[1.0, 2.0, 30.0]), ("a thousand", &[500.0])]);
        for is_by_powers in [false, true] {
            let text = drawn(is_by_powers, &outcome).unwrap();
            for name in ["bus-broker, growing", "publishers", "records/s"] {
                assert!(text.contains(name), "{name}");
            }
            // Two points.
            assert_eq!(text.matches("<circle").count(), 2);
        }
    }

    #[test]
    fn of_nothing_there_is_no_picture() {
        assert_eq!(drawn(true, &outcome(&[])), None);
    }
}
