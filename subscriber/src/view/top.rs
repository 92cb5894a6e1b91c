//! `--top`: a table that stays where it is, in place of records.
//!
//! ```text
//! SENDER         RATE/s   RECORDS   ERRORS   LOST  DISCARDED  LAST   CLOCK
//! shop:613        120.4    14,210       12      0          0    0s   -0.2s
//! all              ...
//! ```
//!
//! On a terminal it is drawn anew twice a second, in its place; elsewhere it is written once, at the
//! end. It is a handler like the streaming view.

use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

use logbus_process as process;
use unicode_width::UnicodeWidthStr;

use super::badge::Badges;
use super::census::{Account, Census, Key};
use super::config::Config;
use super::filters::Filters;
use super::style::{Style, Theme};
use super::styled::Styled;
use crate::handler::{Fault, Handler};
use crate::item::Item;

pub use super::census::TopBy;

const DRAW_EVERY: Duration = Duration::from_millis(500);
const HEADINGS: [&str; 7] = [
    "RATE/s",
    "RECORDS",
    "ERRORS",
    "LOST",
    "DISCARDED",
    "LAST",
    "CLOCK",
];
const WIDTHS: [usize; 7] = [9, 10, 8, 7, 10, 6, 9];

/// How large a terminal is, in columns and rows.
pub type Size = fn() -> Option<(u16, u16)>;

/// The view; see the head of this file.
pub struct Top {
    filters: Filters,
    badges: Badges,
    census: Census,
    theme: Theme,
    /// How large the terminal is, when it is one.
    size: Option<Size>,
    drawn: Option<Instant>,
    /// Lines of the table that stands there.
    height: usize,
    out: Box<dyn Write + Send>,
    held_back: u64,
}

impl Top {
    /// A table on `out`.
    pub fn new(by: TopBy, config: Config, size: Option<Size>, out: Box<dyn Write + Send>) -> Self {
        Self {
            filters: config.filters,
            badges: Badges::new(config.look.theme.senders),
            census: Census::new(by),
            theme: config.look.theme,
            size,
            drawn: None,
            height: 0,
            out,
            held_back: 0,
        }
    }

    fn draw(&mut self) -> Result<(), Fault> {
        let (columns, rows) = self
            .size
            .and_then(|size| size())
            .unwrap_or((u16::MAX, u16::MAX));
        let table = self.table(usize::from(rows).saturating_sub(3), process::now());
        let mut text = String::new();
        if self.height > 0 {
            // Up to where the table begins, and everything below away (ECMA-48, CUU and ED). A key may
            // have been shown in front of the cursor.
            let _written = write!(text, "\r\x1b[{}A\x1b[J", self.height);
        }
        for line in &table {
            line.cut(usize::from(columns)).write_ansi(&mut text);
            text.push('\n');
        }
        self.height = table.len();
        self.drawn = Some(Instant::now());
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// The table: a heading, an account a line, at most so many, and the sum.
    fn table(&self, most: usize, now: u64) -> Vec<Styled> {
        let mut accounts: Vec<(String, Style, &Account)> = self
            .census
            .accounts()
            .map(|(key, account)| {
                let (name, style) = self.name_of(key, account);
                (name, style, account)
            })
            .collect();
        accounts.sort_by(|(one, _, a), (other, _, b)| {
            let rates = b.rate(now).total_cmp(&a.rate(now));
            rates
                .then(b.records.cmp(&a.records))
                .then_with(|| one.cmp(other))
        });
        let hidden = accounts.len().saturating_sub(most);
        accounts.truncate(most);
        let all = match hidden {
            0 => "all".to_owned(),
            hidden => format!("all, {hidden} not shown"),
        };
        let names = accounts.iter().map(|(name, ..)| name.width());
        let widest = names.max().unwrap_or(0).max(all.width()).max(8);
        let mut table = vec![self.heading(widest)];
        for (name, style, account) in &accounts {
            table.push(self.line(name, *style, account, widest, now));
        }
        table.push(self.line(&all, self.theme.time, self.census.all(), widest, now));
        table
    }

    fn name_of(&self, key: &Key, account: &Account) -> (String, Style) {
        match key {
            Key::Sender(source) => match self.badges.get(*source) {
                Some(badge) => (
                    badge.name.to_string(),
                    badge.color.map_or(Style::PLAIN, Style::of),
                ),
                None => ("unknown".to_owned(), Style::PLAIN),
            },
            Key::Name(_) => (account.name.to_string(), self.theme.message),
            Key::Level(level) => (account.name.to_string(), self.theme.level(*level)),
            Key::Others => ("others".to_owned(), self.theme.time),
        }
    }

    fn heading(&self, widest: usize) -> Styled {
        let mut line = Styled::default();
        let what = match self.census.by() {
            TopBy::Sender => "SENDER",
            TopBy::Topic => "TOPIC",
            TopBy::Level => "LEVEL",
            TopBy::Logger => "LOGGER",
        };
        line.push(self.theme.time, &format!("{what:widest$}"));
        for (heading, width) in HEADINGS.iter().zip(WIDTHS) {
            line.push(self.theme.time, &format!(" {heading:>width$}"));
        }
        line
    }

    fn line(&self, name: &str, style: Style, account: &Account, widest: usize, now: u64) -> Styled {
        let mut line = Styled::default();
        line.push(style, name);
        line.pad(widest.saturating_sub(name.width()));
        let (theme, usual) = (&self.theme, self.theme.message);
        let alarm = |count: u64| if count > 0 { theme.loss } else { theme.time };
        let cells = [
            (usual, format!("{:.1}", account.rate(now))),
            (usual, thousands(account.records)),
            (
                if account.errors > 0 {
                    theme.level(40)
                } else {
                    theme.time
                },
                thousands(account.errors),
            ),
            (alarm(account.lost), thousands(account.lost)),
            (alarm(account.discarded), thousands(account.discarded)),
            (theme.time, last_heard(account, now)),
            (theme.time, account.offset.map_or("-".to_owned(), clock)),
        ];
        for ((style, text), width) in cells.into_iter().zip(WIDTHS) {
            line.push(style, &format!(" {text:>width$}"));
        }
        line
    }
}

/// `14,210`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How long ago something was last heard; `ended` of who says so, or is silent.
pub fn last_heard(account: &Account, now: u64) -> String {
    if account.has_ended {
        return "ended".to_owned();
    }
    if account.heard == 0 {
        return "-".to_owned();
    }
    let seconds = now.saturating_sub(account.heard) / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        _ => format!("{}h", seconds / 3600),
    }
}

/// How far a clock is ahead (`+`) or behind (`-`), from by how much it is behind in ns.
pub fn clock(behind: i64) -> String {
    let ahead = -(behind as f64) / 1e9;
    match ahead.abs() {
        size if size < 0.005 => "ok".to_owned(),
        size if size < 10.0 => format!("{ahead:+.2}s"),
        size if size < 3600.0 => format!("{ahead:+.0}s"),
        _ => format!("{:+.1}h", ahead / 3600.0),
    }
}

impl Handler for Top {
    fn name(&self) -> &str {
        super::NAME
    }

    fn emit(&mut self, batch: &[Item]) -> Result<(), Fault> {
        for item in batch {
            match item {
                Item::Record(delivered) => {
                    self.badges.of(delivered);
                    if self.filters.admit(delivered) {
                        self.census.record(delivered);
                    } else {
                        self.held_back += 1;
                    }
                }
                Item::Notice(notice) => {
                    if let crate::item::Notice::Ledger(notice) = notice {
                        self.badges.notice(notice);
                    }
                    self.census.notice(notice);
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let is_time = self.drawn.is_none_or(|drawn| drawn.elapsed() >= DRAW_EVERY);
        if self.size.is_some() && is_time {
            self.draw()?;
        }
        Ok(())
    }

    fn due(&self) -> Option<Instant> {
        let drawn = self.drawn.filter(|_| self.size.is_some())?;
        Some(drawn + DRAW_EVERY)
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.draw()
    }

    fn held_back(&self) -> u64 {
        self.held_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_times_and_clocks_are_short() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(thousands),
            ["0", "999", "1,000", "1,234,567"]
        );
        let heard = |seconds: u64| {
            let mut account = Account::default();
            account.heard = 1_000_000_000;
            last_heard(&account, (seconds + 1) * 1_000_000_000)
        };
        assert_eq!([0, 59, 60, 7200].map(heard), ["0s", "59s", "1m", "2h"]);
        let behind = [1_000_000, 250_000_000, -90_000_000_000, 7_200_000_000_000];
        assert_eq!(behind.map(clock), ["ok", "-0.25s", "+90s", "-2.0h"]);
    }
}
