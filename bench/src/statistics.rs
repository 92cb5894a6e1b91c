//! Medians and quartiles: what is said of several rounds of one thing.
//!
//! Rounds on a machine that does other things, too, have outliers to one side. The median and the
//! quartiles are not moved by a few of them, and the width between the quartiles says how far a figure
//! is to be trusted.

use serde::{Deserialize, Serialize};

/// A median with the quartiles around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of these values; all zero where there is none.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self {
            low: quantile(&sorted, 0.25),
            median: quantile(&sorted, 0.5),
            high: quantile(&sorted, 0.75),
        }
    }
}

/// The value below which this part of the sorted ones lies, between two of them by proportion.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = part * last as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_round_moves_neither_median_nor_quartiles_far() {
        let spread = Spread::of(&[10.0, 11.0, 900.0, 9.0, 10.5]);
        assert_eq!((spread.low, spread.median, spread.high), (10.0, 10.5, 11.0));
    }

    #[test]
    fn no_round_gives_no_figure_and_one_round_itself() {
        assert_eq!(Spread::of(&[]).median, 0.0);
        assert_eq!(Spread::of(&[3.0]).high, 3.0);
    }
}
