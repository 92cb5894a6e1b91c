//! Colours, styles and themes of the terminal.
//!
//! A [`Style`] is what a piece of text looks like, a [`Theme`] which style each part of a line has.
//! Red and yellow are for levels and for losses alone. The colours of the usual theme can be read
//! on dark and on light, which a test computes from their contrast with both (WCAG 2.1, 1.4.3).

use std::fmt::Write;

use clap::ValueEnum;

/// A colour: one of the 256 that terminals number (the first 16 are the terminal's own choice).
pub type Color = u8;

/// What a piece of text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Its colour; none is the terminal's usual one.
    pub color: Option<Color>,
    /// Heavier.
    pub bold: bool,
    /// Fainter.
    pub dim: bool,
    /// With a line below.
    pub underline: bool,
    /// Colour and background swapped.
    pub reverse: bool,
}

impl Style {
    /// The usual one.
    pub const PLAIN: Style = Style {
        color: None,
        bold: false,
        dim: false,
        underline: false,
        reverse: false,
    };
    const DIM: Style = Style {
        dim: true,
        ..Style::PLAIN
    };
    const BOLD: Style = Style {
        bold: true,
        ..Style::PLAIN
    };

    /// Nothing but a colour.
    pub const fn of(color: Color) -> Self {
        Self {
            color: Some(color),
            ..Style::PLAIN
        }
    }

    const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    const fn reversed(self) -> Self {
        Self {
            reverse: true,
            ..self
        }
    }

    /// Adds the control sequence that switches to this style from the plain one (ECMA-48, SGR).
    pub fn begin(&self, out: &mut String) {
        let mut separator = "\x1b[";
        let mut add = |code: std::fmt::Arguments<'_>| {
            // Writing to a String does not fail.
            let _written = write!(out, "{separator}{code}");
            separator = ";";
        };
        for (is_set, code) in [
            (self.bold, 1),
            (self.dim, 2),
            (self.underline, 4),
            (self.reverse, 7),
        ] {
            if is_set {
                add(format_args!("{code}"));
            }
        }
        match self.color {
            Some(color @ 0..8) => add(format_args!("{}", 30 + color)),
            Some(color @ 8..16) => add(format_args!("{}", 90 + color - 8)),
            Some(color) => add(format_args!("38;5;{color}")),
            None => {}
        }
        if *self != Style::PLAIN {
            out.push('m');
        }
    }

    /// Adds what switches back.
    pub fn end(&self, out: &mut String) {
        if *self != Style::PLAIN {
            out.push_str("\x1b[0m");
        }
    }
}

/// Which style each part has.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    /// Times.
    pub time: Style,
    /// Levels: below debug, debug, info, warning, error, critical.
    pub levels: [Style; 6],
    /// Loggers.
    pub logger: Style,
    /// Messages.
    pub message: Style,
    /// Keys and values of extras.
    pub extra: Style,
    /// Tracebacks.
    pub traceback: Style,
    /// The line of a traceback that says what was raised.
    pub raised: Style,
    /// What is highlighted when no colour is said.
    pub highlight: Style,
    /// Notices of an orderly day.
    pub notice: Style,
    /// Notices of loss.
    pub loss: Style,
    /// The mark of a record that came too late for its place.
    pub late: Style,
    /// Senders: the colours that they are given.
    pub senders: &'static [Color],
}

/// The themes by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ThemeName {
    /// Colours that can be read on dark and on light
    Default,
    /// Brighter colours, for a dark background
    Dark,
    /// Darker colours, for a light background
    Light,
    /// The terminal's own sixteen colours
    Ansi,
    /// No colours: bold, faint and reversed only
    Mono,
}

/// Readable on dark and on light, and neither red nor yellow.
const ON_BOTH: &[Color] = &[
    33, 28, 199, 93, 30, 133, 201, 99, 127, 67, 61, 29, 32, 62, 170, 126, 128, 200, 27, 162,
];
const ON_DARK: &[Color] = &[
    75, 46, 201, 50, 212, 113, 99, 73, 199, 48, 69, 140, 36, 123, 34, 153, 31, 45, 134, 157,
];
const ON_LIGHT: &[Color] = &[
    25, 22, 21, 126, 18, 23, 128, 27, 53, 24, 56, 62, 54, 127, 17, 55, 89, 93, 19, 90,
];
const OF_ANSI: &[Color] = &[6, 5, 4, 2, 14, 13, 12, 10];

impl Theme {
    /// No style for anything: for what is no terminal.
    pub fn plain() -> Self {
        Self {
            time: Style::PLAIN,
            levels: [Style::PLAIN; 6],
            logger: Style::PLAIN,
            message: Style::PLAIN,
            extra: Style::PLAIN,
            traceback: Style::PLAIN,
            raised: Style::PLAIN,
            highlight: Style::PLAIN,
            notice: Style::PLAIN,
            loss: Style::PLAIN,
            late: Style::PLAIN,
            senders: &[],
        }
    }

    /// The theme of this name.
    pub fn named(name: ThemeName) -> Self {
        match name {
            ThemeName::Default => Self::with_colors([28, 136, 160], ON_BOTH),
            ThemeName::Dark => Self::with_colors([78, 220, 203], ON_DARK),
            ThemeName::Light => Self::with_colors([22, 94, 124], ON_LIGHT),
            ThemeName::Ansi => Self::with_colors([2, 3, 1], OF_ANSI),
            ThemeName::Mono => Self::mono(),
        }
    }

    fn with_colors([green, yellow, red]: [Color; 3], senders: &'static [Color]) -> Self {
        let (warning, error) = (Style::of(yellow).bold(), Style::of(red).bold());
        Self {
            time: Style::DIM,
            levels: [
                Style::DIM,
                Style::DIM,
                Style::of(green),
                warning,
                error,
                error.reversed(),
            ],
            logger: Style::DIM,
            message: Style::PLAIN,
            extra: Style::DIM,
            traceback: Style::DIM,
            raised: Style::of(red),
            highlight: Style::BOLD.reversed(),
            notice: Style::DIM,
            loss: error,
            late: warning,
            senders,
        }
    }

    fn mono() -> Self {
        Self {
            time: Style::DIM,
            levels: [
                Style::DIM,
                Style::DIM,
                Style::PLAIN,
                Style::BOLD,
                Style::BOLD,
                Style::BOLD.reversed(),
            ],
            logger: Style::DIM,
            extra: Style::DIM,
            traceback: Style::DIM,
            raised: Style::BOLD,
            highlight: Style::PLAIN.reversed(),
            notice: Style::DIM,
            loss: Style::BOLD.reversed(),
            late: Style::BOLD,
            ..Self::plain()
        }
    }

    /// The style of a level with this number.
    pub fn level(&self, level: i64) -> Style {
        let at = match level {
            ..10 => 0,
            10..20 => 1,
            20..30 => 2,
            30..40 => 3,
            40..50 => 4,
            _ => 5,
        };
        self.levels[at]
    }
}

/// The colour of this name, for highlights: one of the terminal's own sixteen or a number.
pub fn color_named(name: &str) -> Option<Color> {
    const NAMES: [&str; 8] = [
        "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
    ];
    let (name, first) = match name.strip_prefix("bright-") {
        Some(name) => (name, 8),
        None => (name, 0),
    };
    match NAMES.iter().position(|known| *known == name) {
        Some(at) => Some(first + at as Color),
        None => name.parse().ok().filter(|_| first == 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red, green and blue of a colour beyond the first 16, as xterm has them.
    fn rgb(color: Color) -> [f64; 3] {
        let level = |step: u8| f64::from(if step == 0 { 0 } else { 55 + 40 * step });
        match color {
            16..232 => {
                let cube = color - 16;
                [cube / 36, cube / 6 % 6, cube % 6].map(level)
            }
            _ => [f64::from(8 + 10 * (color - 232)); 3],
        }
    }

    fn luminance(color: Color) -> f64 {
        let linear = |value: f64| match value / 255.0 {
            value if value <= 0.04045 => value / 12.92,
            value => ((value + 0.055) / 1.055).powf(2.4),
        };
        let [red, green, blue] = rgb(color).map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: f64, other: f64) -> f64 {
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// In degrees: red is 0, yellow 60, blue 240.
    fn hue(color: Color) -> f64 {
        let [red, green, blue] = rgb(color);
        (3_f64.sqrt() * (green - blue))
            .atan2(2.0 * red - green - blue)
            .to_degrees()
            .rem_euclid(360.0)
    }

    fn check(theme: ThemeName, grounds: &[f64]) {
        let theme = Theme::named(theme);
        let levels = theme.levels.iter().filter_map(|style| style.color);
        for color in theme.senders.iter().copied().chain(levels) {
            for ground in grounds {
                let contrast = contrast(luminance(color), *ground);
                assert!(contrast >= 3.0, "{color} on {ground}: {contrast:.2}");
            }
        }
        for color in theme.senders {
            let hue = hue(*color);
            assert!(
                (90.0..330.0).contains(&hue),
                "{color} is red or yellow: {hue:.0}"
            );
        }
    }

    #[test]
    fn what_is_shown_can_be_read_on_the_background_it_is_for() {
        check(ThemeName::Default, &[0.0, 1.0]);
        check(ThemeName::Dark, &[0.0]);
        check(ThemeName::Light, &[1.0]);
    }

    #[test]
    fn no_two_senders_have_one_colour_while_there_are_others() {
        for name in ThemeName::value_variants() {
            let theme = Theme::named(*name);
            let mut colors = theme.senders.to_vec();
            colors.sort_unstable();
            colors.dedup();
            assert_eq!(colors.len(), theme.senders.len(), "{name:?}");
        }
    }

    #[test]
    fn a_style_is_one_control_sequence_and_none_is_none() {
        let mut out = String::new();
        for style in [
            Style::PLAIN,
            Style::of(160).bold(),
            Style::of(9),
            Style::of(6),
        ] {
            style.begin(&mut out);
            out.push('x');
            style.end(&mut out);
        }
        let expected = "x\x1b[1;38;5;160mx\x1b[0m\x1b[91mx\x1b[0m\x1b[36mx\x1b[0m";
        assert_eq!(out, expected);
    }

    #[test]
    fn colours_have_names_and_numbers() {
        assert_eq!(color_named("red"), Some(1));
        assert_eq!(color_named("bright-cyan"), Some(14));
        assert_eq!(color_named("208"), Some(208));
        for none in ["bright-7", "reddish", "256", ""] {
            assert_eq!(color_named(none), None, "{none}");
        }
    }
}
