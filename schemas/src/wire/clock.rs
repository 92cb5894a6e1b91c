//! How far a sender's clock is from the receiver's.
//!
//! Each message says when it was sent, by the sender's clock, and the receiver knows when it came,
//! by its own. The difference is how far the clocks are apart plus how long the message was on its
//! way. A delay only ever makes it larger, so the least difference of many messages is the best
//! estimate there is, and what is wrong with it is the least delay. Clocks drift and are set, so
//! only what was measured lately counts: a new least difference at once, an old one no longer than
//! a [`WINDOW`]. Two half-windows, each with its least difference, are all that is kept for that.
//! A [`Clock`] has none of its own: times come in as arguments.

/// How long a difference counts, at most, in ns. It counts for half as long at least.
pub const WINDOW: u64 = 60_000_000_000;

/// What is known of one sender's clock.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    present: Option<Half>,
    /// The least difference of the half-window before the present one.
    before: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Half {
    /// Which one, counted from 1970-01-01 00:00 UTC.
    number: u64,
    /// The least difference in it.
    least: i64,
}

impl Clock {
    /// Enters a message that was `sent` by the sender's clock when it came `now` by the receiver's,
    /// both in ns since 1970-01-01 00:00 UTC.
    pub fn sample(&mut self, sent: u64, now: u64) {
        let apart = difference(now, sent);
        let number = now / (WINDOW / 2);
        let least = match self.present {
            Some(present) if present.number == number => present.least.min(apart),
            present => {
                // What lies further back is too old, and what lies ahead was measured before the
                // receiver's own clock was set back.
                let is_next = |half: &Half| half.number + 1 == number;
                self.before = present.filter(is_next).map(|half| half.least);
                apart
            }
        };
        self.present = Some(Half { number, least });
    }

    /// By how many ns the sender's clock is behind the receiver's, as the latest messages show it;
    /// below 0 when it is ahead, and nothing before the first message.
    pub fn offset(&self) -> Option<i64> {
        let present = self.present?.least;
        Some(self.before.map_or(present, |before| before.min(present)))
    }
}

/// What a forged header says may be any number, and need not wrap.
fn difference(now: u64, sent: u64) -> i64 {
    let apart = i128::from(now) - i128::from(sent);
    i64::try_from(apart).unwrap_or(if apart < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-21 00:00 UTC.
    const BEGIN: u64 = 1_795_219_200_000_000_000;
    const SECOND: i64 = 1_000_000_000;

    fn after(time: u64, ns: i64) -> u64 {
        time.checked_add_signed(ns).unwrap()
    }

    #[test]
    fn nothing_is_known_before_the_first_message() {
        assert_eq!(Clock::default().offset(), None);
    }

    #[test]
    fn a_smaller_difference_counts_at_once() {
        let mut clock = Clock::default();
        for (delay, expected) in [(9, 9), (2, 2), (5, 2), (-3, -3)] {
            clock.sample(BEGIN, after(BEGIN, delay));
            assert_eq!(clock.offset(), Some(expected));
        }
    }

    #[test]
    fn after_a_long_silence_only_what_is_new_counts() {
        let mut clock = Clock::default();
        clock.sample(BEGIN, BEGIN);
        clock.sample(BEGIN, BEGIN + WINDOW);
        assert_eq!(clock.offset(), Some(WINDOW as i64));
    }

    #[test]
    fn what_was_measured_before_the_receivers_clock_was_set_back_is_forgotten() {
        let mut clock = Clock::default();
        clock.sample(BEGIN, BEGIN);
        // The sender's clock was set back as well, and further.
        clock.sample(BEGIN - 3 * WINDOW, BEGIN - 2 * WINDOW);
        assert_eq!(clock.offset(), Some(WINDOW as i64));
    }

    #[test]
    fn a_forged_time_does_not_wrap() {
        let mut clock = Clock::default();
        clock.sample(0, u64::MAX);
        assert_eq!(clock.offset(), Some(i64::MAX));
        clock.sample(u64::MAX, 0);
        assert_eq!(clock.offset(), Some(i64::MIN));
    }

    proptest! {
        #[test]
        fn the_offset_is_the_skew_and_the_least_delay_of_the_window(
            skew in -1_000 * SECOND..1_000 * SECOND,
            messages in prop::collection::vec((0..20 * SECOND, 0..SECOND), 1..60),
        ) {
            let mut clock = Clock::default();
            let mut came: Vec<(u64, i64)> = Vec::new();
            let mut now = BEGIN;
            for (pause, delay) in messages {
                now = after(now, pause);
                clock.sample(after(now, -delay - skew), now);
                came.push((now, delay));
                let least_since = |begin: u64| {
                    let lately = came.iter().filter(|(at, _)| *at >= begin);
                    lately.map(|(_, delay)| *delay).min().unwrap()
                };
                let offset = clock.offset().unwrap();
                prop_assert!(offset >= skew);
                prop_assert!(offset <= skew + least_since(now - WINDOW / 2));
                prop_assert!(offset >= skew + least_since(now - WINDOW));
            }
        }

        #[test]
        fn within_half_a_window_the_offset_is_exact(
            skew in -1_000 * SECOND..1_000 * SECOND,
            delays in prop::collection::vec(0..SECOND, 1..30),
        ) {
            let mut clock = Clock::default();
            for (at, delay) in delays.iter().enumerate() {
                let now = after(BEGIN, at as i64 * SECOND);
                clock.sample(after(now, -delay - skew), now);
                let least = delays[..=at].iter().min().unwrap();
                prop_assert_eq!(clock.offset(), Some(skew + least));
            }
        }

        #[test]
        fn a_step_of_the_clock_is_followed_within_the_window(
            skew in -1_000 * SECOND..1_000 * SECOND,
            step in -1_000 * SECOND..1_000 * SECOND,
            pause in SECOND..10 * SECOND,
            delays in prop::collection::vec(0..SECOND, 20..40),
            delays_after in prop::collection::vec(0..SECOND, 100),
        ) {
            let mut clock = Clock::default();
            let mut now = BEGIN;
            for delay in delays {
                now = after(now, pause);
                clock.sample(after(now, -delay - skew), now);
            }
            let (stepped, skew) = (now, skew + step);
            for delay in delays_after {
                now = after(now, pause);
                clock.sample(after(now, -delay - skew), now);
                // One that goes forward by more than any delay is seen at once.
                if now - stepped >= WINDOW || step < -SECOND {
                    let offset = clock.offset().unwrap();
                    prop_assert!((skew..skew + SECOND).contains(&offset));
                }
            }
        }
    }
}
