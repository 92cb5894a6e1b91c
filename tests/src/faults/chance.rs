//! Chance that can be had again: numbers from a seed (splitmix64, Steele, Lea, Flood 2014).

use std::time::Duration;

/// A row of numbers that its seed decides.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// A time from half of `mean` to three halves.
    pub fn around(&mut self, mean: Duration) -> Duration {
        let percent = 50 + u32::try_from(self.below(101)).unwrap();
        mean * percent / 100
    }
}
