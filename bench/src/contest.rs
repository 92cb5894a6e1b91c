//! A contest: the same work for every contender, in turn, round after round.
//!
//! Rounds go over all contenders before the next begins, so that whatever else the machine does meets
//! all of them; a round before them warms up and does not count. Ratios are taken within each round,
//! and the median of those is what a target is held against. What a contender measures are its
//! contest's quantities. How contests look to a reader is `report.rs`'s part.

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::arena::Arena;
use crate::statistics::Spread;

/// Some contenders for the same work, and what is expected of them.
pub(crate) struct Contest {
    /// Its name on the command line and in file names.
    pub(crate) name: &'static str,
    /// What it is about, in a line.
    pub(crate) title: &'static str,
    /// What every contender measures, the most important first.
    pub(crate) quantities: &'static [Quantity],
    pub(crate) contenders: Contenders,
    /// The ratios that the table shows.
    pub(crate) ratios: &'static [Ratio],
    pub(crate) picture: Picture,
}

/// Something that is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quantity {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
}

/// How it is drawn.
pub(crate) enum Picture {
    /// A bar for each contender: the first quantity.
    Bars,
    /// Lines over what grows from point to point.
    Lines(Lines),
}

/// Some lines with the same axes. What grows is on an axis of powers of ten.
pub(crate) struct Lines {
    /// What grows.
    pub(crate) over: &'static str,
    /// What was measured.
    pub(crate) what: &'static str,
    /// Whether that has an axis of powers of ten, too.
    pub(crate) is_by_powers: bool,
    pub(crate) lines: fn() -> Vec<Line>,
}

/// A line of a picture.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) is_dashed: bool,
    pub(crate) points: Vec<Point>,
}

/// Whose figure stands where on a line.
pub(crate) struct Point {
    pub(crate) at: u64,
    pub(crate) contender: &'static str,
    pub(crate) quantity: &'static str,
}

/// Who takes part.
pub(crate) enum Contenders {
    /// These, each called once a round.
    InTurn(&'static [Contender]),
    /// Those of a script, which goes over them in turn by itself.
    Script(fn(&Arena) -> anyhow::Result<Vec<Figures>>),
}

/// One who takes part.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// Does the work once, and gives one value for each of the contest's quantities.
    pub(crate) run: fn(&Arena) -> anyhow::Result<Vec<f64>>,
}

/// One contender beside another.
pub(crate) struct Ratio {
    pub(crate) of: &'static str,
    pub(crate) to: &'static str,
    pub(crate) quantity: &'static str,
    pub(crate) target: Target,
}

impl Ratio {
    /// No ratio: a contender's own figure is expected to be no more than this.
    pub(crate) const fn itself(of: &'static str, quantity: &'static str, most: f64) -> Self {
        Self {
            of,
            to: of,
            quantity,
            target: Target::FigureAtMost(most),
        }
    }
}

/// What is expected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// The contender's own figure, whatever the other's is.
    FigureAtLeast(f64),
    FigureAtMost(f64),
    /// It is only shown.
    None,
}

/// What one contender measured of one quantity, round by round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) contender: String,
    pub(crate) quantity: String,
    pub(crate) unit: String,
    pub(crate) rounds: Vec<f64>,
}

/// A ratio as it was measured, or the figure that something is expected of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compared {
    pub(crate) of: String,
    pub(crate) to: String,
    pub(crate) quantity: String,
    pub(crate) ratio: Spread,
    pub(crate) target: Target,
    /// Whether the target is met; nothing where there is none.
    pub(crate) is_met: Option<bool>,
}

/// What came of a contest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) figures: Vec<Figures>,
    pub(crate) compared: Vec<Compared>,
}

impl Contest {
    /// Lets everybody do the work, round after round.
    pub(crate) fn hold(&self, arena: &Arena) -> anyhow::Result<Outcome> {
        let figures = match &self.contenders {
            Contenders::InTurn(contenders) => self.go_round(contenders, arena)?,
            Contenders::Script(run) => run(arena)?,
        };
        let compared = self.ratios.iter().map(|ratio| ratio.compare(&figures));
        Ok(Outcome {
            name: self.name.to_owned(),
            title: self.title.to_owned(),
            compared: compared.collect::<anyhow::Result<_>>()?,
            figures,
        })
    }

    fn go_round(&self, contenders: &[Contender], arena: &Arena) -> anyhow::Result<Vec<Figures>> {
        let mut figures: Vec<Figures> = Vec::new();
        for contender in contenders {
            figures.extend(self.quantities.iter().map(|quantity| Figures {
                contender: contender.name.to_owned(),
                quantity: quantity.name.to_owned(),
                unit: quantity.unit.to_owned(),
                rounds: Vec::new(),
            }));
        }
        for round in 0..=arena.rounds {
            for (at, contender) in contenders.iter().enumerate() {
                let values = (contender.run)(arena)
                    .with_context(|| format!("{}: {}", self.name, contender.name))?;
                ensure!(
                    values.len() == self.quantities.len(),
                    "{}: {} gave {} values",
                    self.name,
                    contender.name,
                    values.len()
                );
                arena.say(&format!(
                    "{} {round}: {} {values:.2?}",
                    self.name, contender.name
                ));
                // The first round warms up.
                if round > 0 {
                    let own = &mut figures[at * values.len()..];
                    for (figure, value) in own.iter_mut().zip(values) {
                        figure.rounds.push(value);
                    }
                }
            }
        }
        Ok(figures)
    }
}

impl Ratio {
    fn compare(&self, figures: &[Figures]) -> anyhow::Result<Compared> {
        let find = |contender: &str| {
            figures
                .iter()
                .find(|f| f.contender == contender && f.quantity == self.quantity)
                .with_context(|| format!("nobody measured {} of {contender}", self.quantity))
        };
        let (of, to) = (find(self.of)?, find(self.to)?);
        let pairs = of.rounds.iter().zip(&to.rounds);
        let ratios: Vec<f64> = pairs.map(|(of, to)| of / to).collect();
        // What is expected of a figure alone is held against that; beside nothing there is no ratio.
        let ratio = match self.target {
            Target::FigureAtLeast(_) | Target::FigureAtMost(_) => Spread::of(&of.rounds),
            Target::AtLeast(_) | Target::AtMost(_) | Target::None => Spread::of(&ratios),
        };
        Ok(Compared {
            of: self.of.to_owned(),
            to: self.to.to_owned(),
            quantity: self.quantity.to_owned(),
            ratio,
            target: self.target,
            is_met: match self.target {
                Target::AtLeast(bound) | Target::FigureAtLeast(bound) => {
                    Some(ratio.median >= bound)
                }
                Target::AtMost(bound) | Target::FigureAtMost(bound) => Some(ratio.median <= bound),
                Target::None => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(contender: &str, rounds: &[f64]) -> Figures {
        Figures {
            contender: contender.to_owned(),
            quantity: "rate".to_owned(),
            unit: "records/s".to_owned(),
            rounds: rounds.to_vec(),
        }
    }

    fn compare(target: Target) -> Compared {
        // The machine was half as fast in the second round, for both.
        let figures = [figures("a", &[20.0, 10.0]), figures("b", &[10.0, 5.0])];
        let ratio = Ratio {
            of: "a",
            to: "b",
            quantity: "rate",
            target,
        };
        ratio.compare(&figures).unwrap()
    }

    #[test]
    fn a_slow_round_that_met_both_leaves_the_ratio_as_it_is() {
        let ratio = compare(Target::None).ratio;
        assert_eq!((ratio.low, ratio.median, ratio.high), (2.0, 2.0, 2.0));
    }

    #[test]
    fn a_target_is_held_against_the_median() {
        assert_eq!(compare(Target::AtLeast(2.0)).is_met, Some(true));
        assert_eq!(compare(Target::AtMost(1.9)).is_met, Some(false));
        assert_eq!(compare(Target::FigureAtLeast(16.0)).is_met, Some(false));
        assert_eq!(compare(Target::None).is_met, None);
    }

    #[test]
    fn whom_nobody_measured_is_said_by_name() {
        let ratio = Ratio {
            of: "a",
            to: "nobody",
            quantity: "rate",
            target: Target::None,
        };
        let said = ratio.compare(&[figures("a", &[1.0])]).unwrap_err();
        assert!(said.to_string().contains("nobody"), "{said}");
    }
}
