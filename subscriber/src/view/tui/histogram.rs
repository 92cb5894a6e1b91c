//! How many records of which level came when: the visible ones, in columns of equal time.

use std::collections::BTreeMap;

use super::index::Levels;

/// Lengths of columns that people can count in, in seconds.
const STEPS: &[i64] = &[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400,
];

/// The columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// Seconds that a column stands for.
    pub(crate) step: i64,
    /// The second in which the first one begins.
    pub(crate) begin: i64,
    /// Records of each.
    pub(crate) columns: Vec<Levels>,
}

impl Histogram {
    /// Seconds in at most so many columns.
    pub(crate) fn new(seconds: &BTreeMap<i64, Levels>, width: usize) -> Option<Self> {
        let (first, _) = seconds.first_key_value()?;
        let (last, _) = seconds.last_key_value()?;
        let width = i64::try_from(width).ok().filter(|width| *width > 0)?;
        let step = step(*first, *last, width);
        let begin = first.div_euclid(step) * step;
        let count = (last - begin).div_euclid(step) + 1;
        let mut columns = vec![Levels::default(); count as usize];
        for (second, levels) in seconds {
            let column = &mut columns[((second - begin) / step) as usize];
            for (sum, more) in column.iter_mut().zip(levels) {
                *sum += more;
            }
        }
        Some(Self {
            step,
            begin,
            columns,
        })
    }

    /// The most that a column has.
    pub(crate) fn highest(&self) -> u64 {
        let sums = self.columns.iter().map(|levels| levels.iter().sum());
        sums.max().unwrap_or(0)
    }

    /// The column of a time in ns, or the nearest one.
    pub(crate) fn column(&self, time: i64) -> usize {
        let at = (time.div_euclid(1_000_000_000) - self.begin).div_euclid(self.step.max(1));
        at.clamp(0, self.columns.len() as i64 - 1) as usize
    }
}

/// The shortest step with which everything has room.
fn step(first: i64, last: i64, width: i64) -> i64 {
    let fits = |step: i64| last.div_euclid(step) - first.div_euclid(step) < width;
    let known = STEPS.iter().copied().find(|step| fits(*step));
    known.unwrap_or_else(|| {
        let day = 86_400;
        ((last - first) / width / day + 1) * day * 2
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_one_column_and_all_have_room() {
        for (last, width) in [(0, 1), (59, 60), (60, 60), (9_999, 80), (1_000_000_000, 3)] {
            let seconds: BTreeMap<i64, Levels> = [0, last / 2, last]
                .into_iter()
                .map(|at| (at + 7, [0, 0, 2, 0, 1, 0]))
                .collect();
            let histogram = Histogram::new(&seconds, width).unwrap();
            assert!(histogram.columns.len() <= width, "{last} {histogram:?}");
            let all: u64 = histogram.columns.iter().flatten().sum();
            assert_eq!(all, 3 * seconds.len() as u64);
            assert_eq!(histogram.column(i64::MIN), 0);
        }
        assert_eq!(Histogram::new(&BTreeMap::new(), 80), None);
    }
}
