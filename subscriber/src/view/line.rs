//! A record as a line: time, level, sender, logger, message, extras; tracebacks in a block below.
//!
//! ```text
//!  10:38:59.126 ERR shop:613 │ shop.orders: order 17 failed  user=fred
//!     │ Traceback (most recent call last):
//!     │   File "orders.py", line 12, in take
//!     │ KeyError: 'rate'
//! ```
//!
//! The first column is the mark of a record that came too late for its place. The level is text,
//! so that nothing is lost where there are no colours. A block has its sender's colour at its
//! edge. Whatever a sender wrote is escaped (`styled.rs`).

use std::ops::Range;

use clap::ValueEnum;
use compact_str::{CompactString, format_compact};
use logbus_schemas::record::ATTRIBUTES;
use logbus_schemas::{Level, Record, Value};
use regex::Regex;

use super::badge::Badge;
use super::moment::{Moment, TimeBase};
use super::style::{Style, Theme};
use super::styled::Styled;
use super::traceback::{self, Line};
use crate::format::flat;
use crate::item::Delivered;

/// What stands before each line of a block.
const EDGE: &str = "    ";
const BAR: &str = "│ ";
/// What the Python handler says of an exception besides its traceback.
const OF_EXCEPTIONS: [&str; 3] = ["exc_type", "exc_module", "exc_value"];

/// How what does not fit one line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Expand {
    /// On one line, and of a traceback only what was raised
    Never,
    /// In a block below, where there is more than a line
    #[default]
    Auto,
    /// All of it on one line
    Inline,
    /// In a block below, each extra on a line of its own
    Always,
}

/// What is shown of a record, and how.
#[derive(Debug, Clone)]
pub struct Look {
    /// The styles.
    pub theme: Theme,
    /// Which time.
    pub base: TimeBase,
    /// What does not fit a line.
    pub expand: Expand,
    /// Frames of a traceback that are shown; 0 is all.
    pub fold: usize,
    /// Characters of a value that are shown; 0 is all.
    pub truncate: usize,
    /// Attributes to show besides, and extras to show although they are hidden.
    pub show: Vec<String>,
    /// Parts (`time`, `level`, `sender`, `logger`) and extras not to show; `*` is all extras.
    pub hide: Vec<String>,
    /// What to highlight.
    pub highlights: Vec<Highlight>,
    /// Whether there is a column for the mark of late records.
    pub has_gutter: bool,
}

/// A text to highlight.
#[derive(Debug, Clone)]
pub struct Highlight {
    /// What fits is highlighted.
    pub regex: Regex,
    /// How.
    pub style: Style,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            theme: Theme::plain(),
            base: TimeBase::default(),
            expand: Expand::default(),
            fold: 0,
            truncate: 0,
            show: Vec::new(),
            hide: Vec::new(),
            highlights: Vec::new(),
            has_gutter: true,
        }
    }
}

/// How a record stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// It came too late for its place.
    pub is_late: bool,
    /// It is there because one near it was asked for.
    pub is_context: bool,
}

/// Makes lines.
#[derive(Debug, Clone)]
pub struct Lines {
    look: Look,
    moment: Moment,
    shows: Shows,
    text: String,
}

/// The parts that are shown.
#[derive(Debug, Clone, Copy)]
struct Shows {
    time: bool,
    level: bool,
    sender: bool,
    logger: bool,
    extras: bool,
}

impl Lines {
    /// Lines of this look.
    pub fn new(look: Look, moment: Moment) -> Self {
        let shows = |part: &str| !look.hide.iter().any(|hidden| hidden == part);
        Self {
            shows: Shows {
                time: moment.is_shown() && shows("time"),
                level: shows("level"),
                sender: shows("sender"),
                logger: shows("logger"),
                extras: shows("*"),
            },
            look,
            moment,
            text: String::new(),
        }
    }

    /// Goes on with another way for what does not fit one line.
    pub fn expand(&mut self, expand: Expand) {
        self.look.expand = expand;
    }

    /// What the lines look like.
    pub fn look(&self) -> &Look {
        &self.look
    }

    /// Adds a record without a last line feed. Badges are as wide as the widest.
    pub fn record(
        &mut self,
        delivered: &Delivered,
        badge: &Badge,
        widest: usize,
        standing: Standing,
        out: &mut Styled,
    ) {
        self.head(delivered, badge, widest, standing, out);
        let record = &delivered.record;
        let message = record.get_message();
        let mut rest = None;
        // A line feed at the end begins no further line.
        let lines = message.trim_end_matches('\n');
        let (first, is_whole) = match lines.split_once('\n') {
            Some((first, more)) if self.has_blocks() => {
                rest = Some(more);
                (first, false)
            }
            _ if self.has_blocks() => (lines, true),
            _ => (&*message, true),
        };
        let style = self.message_style(standing);
        if is_whole && first.contains('\n') {
            self.marked(style, &first.replace('\n', "\\n"), out);
        } else {
            self.marked(style, first, out);
        }
        let mut blocks = Blocks {
            edge: badge.color.map_or(Style::PLAIN, Style::of),
            out: Styled::default(),
        };
        if let Some(rest) = rest {
            for line in rest.split('\n') {
                blocks.begin();
                self.marked(style, line, &mut blocks.out);
            }
        }
        self.extras(delivered, &mut blocks, out);
        self.tracebacks(record, &mut blocks, out);
        out.append(&blocks.out);
    }

    fn has_blocks(&self) -> bool {
        matches!(self.look.expand, Expand::Auto | Expand::Always)
    }

    fn message_style(&self, standing: Standing) -> Style {
        match standing.is_context {
            true => self.look.theme.extra,
            false => self.look.theme.message,
        }
    }

    /// Everything before the message.
    fn head(
        &mut self,
        delivered: &Delivered,
        badge: &Badge,
        widest: usize,
        standing: Standing,
        out: &mut Styled,
    ) {
        let theme = &self.look.theme;
        if self.look.has_gutter {
            match standing.is_late {
                true => out.push(theme.late, "!"),
                false => out.pad(1),
            }
        }
        if self.shows.time {
            self.text.clear();
            self.moment
                .write(self.look.base.of(delivered), &mut self.text);
            out.push(theme.time, &self.text);
            out.pad(1);
        }
        let record = &delivered.record;
        if self.shows.level {
            let level = record.level().unwrap_or(Level::NOTSET);
            out.foreign(theme.level(level.0), &level_tag(record));
            out.pad(1);
        }
        if self.shows.sender {
            out.push(badge.color.map_or(Style::PLAIN, Style::of), &badge.name);
            out.pad(widest.saturating_sub(badge.width));
            out.push(theme.logger, " │ ");
        }
        if self.shows.logger
            && let Some(name) = record.name().filter(|name| !name.is_empty())
        {
            out.foreign(theme.logger, name);
            out.push(theme.logger, ": ");
        }
    }

    /// Extras behind the message; those that have more than a line in the blocks.
    fn extras(&self, delivered: &Delivered, blocks: &mut Blocks, out: &mut Styled) {
        let (mut is_first, record) = (true, &delivered.record);
        let mut add = |key: &str, text: &str| {
            let in_block = match self.look.expand {
                Expand::Always => true,
                Expand::Auto => text.trim_end().contains('\n'),
                Expand::Never | Expand::Inline => false,
            };
            if in_block {
                return self.extra_block(key, text, blocks);
            }
            out.pad(if std::mem::take(&mut is_first) { 2 } else { 1 });
            out.foreign(self.look.theme.extra, key);
            out.push(self.look.theme.extra, "=");
            self.marked(self.look.theme.extra, &quoted(&self.cut(text)), out);
        };
        for name in &self.look.show {
            if ATTRIBUTES.contains(&name.as_str()) || record.get(name).is_none() {
                shown_value(delivered, name, &mut add);
            }
        }
        for (key, value) in record.extras() {
            let is_shown = self.look.show.iter().any(|shown| shown == key);
            // A traceback says it all.
            let is_said = OF_EXCEPTIONS.contains(&key) && record.has("exc_text");
            let is_hidden = !self.shows.extras || is_said || self.hides(key);
            if is_shown || !is_hidden {
                flat::each(key, value, &mut |key, text| {
                    if !self.hides(key) {
                        add(key, text);
                    }
                });
            }
        }
    }

    /// Whether a field is not to be shown: an extra, or one within it.
    fn hides(&self, key: &str) -> bool {
        let is_named = |names: &[String]| names.iter().any(|name| name == key);
        is_named(&self.look.hide) && !is_named(&self.look.show)
    }

    fn extra_block(&self, key: &str, text: &str, blocks: &mut Blocks) {
        let style = self.look.theme.extra;
        for (at, line) in self.cut(text).trim_end().split('\n').enumerate() {
            blocks.begin();
            if at == 0 {
                blocks.out.foreign(style, key);
                blocks.out.push(style, "=");
            } else {
                blocks.out.push(style, "  ");
            }
            self.marked(style, line, &mut blocks.out);
        }
    }

    fn tracebacks(&self, record: &Record, blocks: &mut Blocks, out: &mut Styled) {
        for (field, key) in [("exc_text", "error"), ("stack_info", "stack")] {
            let Some(text) = record.text(field).filter(|text| !text.trim().is_empty()) else {
                continue;
            };
            let theme = &self.look.theme;
            match self.look.expand {
                Expand::Auto | Expand::Always => self.traceback(text, blocks),
                Expand::Never => {
                    out.push(theme.extra, &format!("  {key}="));
                    self.marked(theme.raised, &quoted(traceback::raised(text)), out);
                }
                Expand::Inline => {
                    out.push(theme.extra, &format!("  {key}="));
                    self.marked(theme.traceback, &quoted(text.trim_end()), out);
                }
            }
        }
    }

    fn traceback(&self, text: &str, blocks: &mut Blocks) {
        let theme = &self.look.theme;
        for line in traceback::lines(text, self.look.fold) {
            blocks.begin();
            match line {
                Line::Frame(line) => self.marked(theme.traceback, line, &mut blocks.out),
                Line::Raised(line) => self.marked(theme.raised, line, &mut blocks.out),
                Line::Folded(frames) => {
                    let folded = format!(
                        "  … {frames} more frame{}",
                        if frames == 1 { "" } else { "s" }
                    );
                    blocks.out.push(theme.notice, &folded);
                }
            }
        }
    }

    /// A value without its end, where it is too long.
    fn cut<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        match text.char_indices().nth(self.look.truncate) {
            Some((at, _)) if self.look.truncate > 0 => format!("{}…", &text[..at]).into(),
            _ => text.into(),
        }
    }

    /// Adds a sender's text with what of it is to be highlighted: of several at one place the first
    /// that was asked for.
    fn marked(&self, style: Style, text: &str, out: &mut Styled) {
        let highlights = &self.look.highlights;
        let (mut rest, mut next) = (0, Vec::with_capacity(highlights.len()));
        next.extend(highlights.iter().map(|highlight| highlight.find(text, 0)));
        loop {
            let found = next.iter().zip(highlights);
            let found = found.filter_map(|(range, highlight)| Some((range.clone()?, highlight)));
            let Some((range, highlight)) = found.min_by_key(|(range, _)| range.start) else {
                break;
            };
            out.foreign(style, &text[rest..range.start]);
            out.foreign(highlight.style, &text[range.clone()]);
            rest = range.end;
            // What lies ahead stays as it was found: a long text is not searched again and again.
            for (range, highlight) in next.iter_mut().zip(highlights) {
                if range.as_ref().is_some_and(|range| range.start < rest) {
                    *range = highlight.find(text, rest);
                }
            }
        }
        out.foreign(style, &text[rest..]);
    }
}

impl Highlight {
    /// What fits next; nothing is no find.
    fn find(&self, text: &str, mut from: usize) -> Option<Range<usize>> {
        loop {
            let found = self.regex.find_at(text, from)?;
            if !found.is_empty() {
                return Some(found.range());
            }
            from = found.end() + text[found.end()..].chars().next()?.len_utf8();
        }
    }
}

/// Lines below the record's own.
struct Blocks {
    edge: Style,
    out: Styled,
}

impl Blocks {
    fn begin(&mut self) {
        self.out.push(Style::PLAIN, "\n");
        self.out.push(Style::PLAIN, EDGE);
        self.out.push(self.edge, BAR);
    }
}

/// A level as three letters: `INF`; of a name that is nobody's, its first three; else the number.
pub fn level_tag(record: &Record) -> CompactString {
    let level = record.level();
    let name = record.text("levelname");
    let tag = match level {
        Some(Level(5)) => "TRC",
        Some(Level::DEBUG) => "DBG",
        Some(Level::INFO) => "INF",
        Some(Level::WARNING) => "WRN",
        Some(Level::ERROR) => "ERR",
        Some(Level::CRITICAL) => "CRT",
        _ => match (name.filter(|name| !name.starts_with("Level ")), level) {
            (Some(name), _) => return padded(&name.to_uppercase()),
            (None, Some(Level(number))) => return format_compact!("{number:<3}"),
            (None, None) => "---",
        },
    };
    tag.into()
}

fn padded(name: &str) -> CompactString {
    let mut tag: CompactString = name.chars().take(3).collect();
    while tag.chars().count() < 3 {
        tag.push(' ');
    }
    tag
}

/// An attribute, or what is known of a record beside what it holds.
fn shown_value(delivered: &Delivered, name: &str, add: &mut dyn FnMut(&str, &str)) {
    let own = match name {
        "host" => delivered.host().map(Value::from),
        "topic" => Some(Value::from(delivered.topic.as_str())),
        "sequence" => delivered.origin.map(|(_, sequence)| Value::from(sequence)),
        _ => None,
    };
    match delivered.record.get(name).or(own.as_ref()) {
        Some(Value::Null) | None => {}
        Some(value) => flat::each(name, value, add),
    }
}

/// A value as it stands behind `key=`: in quotes where it would not be one word.
fn quoted(text: &str) -> std::borrow::Cow<'_, str> {
    let is_word = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '"');
    if is_word {
        return text.into();
    }
    let text = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{text}\"").into()
}

#[cfg(test)]
mod tests;
