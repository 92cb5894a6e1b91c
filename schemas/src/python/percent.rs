//! Python's `%` operator on text.
//!
//! The rules are those of "printf-style String Formatting"
//! (docs.python.org/3/library/stdtypes.html#old-string-formatting). A template is parsed once;
//! rendering it with arguments gives the text, or says that they do not fit each other, as Python
//! raises `TypeError`, `ValueError` or `KeyError`.

use std::borrow::Cow;

use super::{ascii_of, repr_of, str_of};
use crate::value::{Map, Value};

/// Fields are padded to no more than this many characters, however large a width is asked for.
pub(super) const MAX_WIDTH: usize = 4096;
/// A text with so many bytes is not added to: a short template can ask for wide columns, or name a
/// long value many times.
const MAX_RENDERED: usize = 1 << 20;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself.
    Literal(String),
    /// A place for an argument.
    Conversion(Conversion),
}

/// How an argument is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conversion {
    /// The name in brackets, as in `%(name)s`.
    pub key: Option<String>,
    /// `#`: the alternate form.
    pub alternate: bool,
    /// `0`: padded with zeros.
    pub zero: bool,
    /// `-`: at the left.
    pub left: bool,
    /// A space before a positive number.
    pub space: bool,
    /// `+`: a sign before every number.
    pub plus: bool,
    /// The least number of characters.
    pub width: Size,
    /// Digits after the point, or the most characters.
    pub precision: Size,
    /// The letter at the end.
    pub kind: char,
}

/// A width or a precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Size {
    /// None is given.
    #[default]
    None,
    /// This many.
    Of(usize),
    /// `*`: the next argument says.
    FromArgument,
}

/// A template that is none: what is wrong and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub problem: &'static str,
    /// At which byte of the template, counted from 0.
    pub at: usize,
}

/// A template and arguments that do not fit each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch;

impl Template {
    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(percent) = rest.find('%') {
            push_literal(&mut parts, &rest[..percent]);
            let at = text.len() - rest.len() + percent;
            let mut cursor = Cursor { text, at: at + 1 };
            match cursor.conversion()? {
                Conversion { kind: '%', .. } => push_literal(&mut parts, "%"),
                conversion => parts.push(Part::Conversion(conversion)),
            }
            rest = &text[cursor.at..];
        }
        push_literal(&mut parts, rest);
        Ok(Self { parts })
    }

    /// Renders with arguments in order.
    pub fn render_list(&self, args: &[Value]) -> Result<String, Mismatch> {
        let mut args = args.iter();
        let text = self.render_with(&mut args, None)?;
        if args.next().is_some() {
            Err(Mismatch)
        } else {
            Ok(text)
        }
    }

    /// Renders with arguments by name.
    pub fn render_map(&self, args: &Map) -> Result<String, Mismatch> {
        let whole = [Value::Map(args.clone())];
        self.render_with(&mut whole.iter(), Some(args))
    }

    fn render_with(
        &self,
        args: &mut std::slice::Iter<'_, Value>,
        map: Option<&Map>,
    ) -> Result<String, Mismatch> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Conversion(_) if out.len() > MAX_RENDERED => return Err(Mismatch),
                Part::Conversion(conversion) => {
                    let conversion = conversion.with_sizes(args)?;
                    let value = match &conversion.key {
                        Some(key) => map.and_then(|map| map.get(key)),
                        None => args.next(),
                    };
                    conversion.render(value.ok_or(Mismatch)?, &mut out)?;
                }
            }
        }
        Ok(out)
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Literal(literal)) => literal.push_str(text),
        _ => parts.push(Part::Literal(text.to_owned())),
    }
}

/// Where a conversion is being read.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn error(&self, problem: &'static str) -> TemplateError {
        TemplateError {
            problem,
            at: self.at,
        }
    }

    fn conversion(&mut self) -> Result<Conversion, TemplateError> {
        // Only a bare `%%` is a percent sign; CPython refuses one with flags or a width.
        if self.peek() == Some('%') {
            self.take();
            return Ok(Conversion {
                kind: '%',
                ..Conversion::default()
            });
        }
        let mut conversion = Conversion {
            key: self.key()?,
            ..Conversion::default()
        };
        loop {
            match self.peek() {
                Some('#') => conversion.alternate = true,
                Some('0') => conversion.zero = true,
                Some('-') => conversion.left = true,
                Some(' ') => conversion.space = true,
                Some('+') => conversion.plus = true,
                _ => break,
            }
            self.take();
        }
        conversion.width = self.size()?;
        if self.peek() == Some('.') {
            self.take();
            conversion.precision = match self.size()? {
                Size::None => Size::Of(0),
                size => size,
            };
        }
        if matches!(self.peek(), Some('h' | 'l' | 'L')) {
            self.take();
        }
        let at = self.at;
        match self.take() {
            Some(kind) if "diouxXeEfFgGcrsa".contains(kind) => {
                conversion.kind = kind;
                Ok(conversion)
            }
            Some(_) => Err(TemplateError {
                problem: "unknown conversion",
                at,
            }),
            None => Err(TemplateError {
                problem: "incomplete conversion",
                at,
            }),
        }
    }

    /// `(name)`, in which brackets may be nested.
    fn key(&mut self) -> Result<Option<String>, TemplateError> {
        if self.peek() != Some('(') {
            return Ok(None);
        }
        let begin = self.at + 1;
        let mut depth = 0;
        while let Some(c) = self.take() {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            if depth == 0 {
                return Ok(Some(self.text[begin..self.at - 1].to_owned()));
            }
        }
        Err(TemplateError {
            problem: "\"(\" without \")\"",
            at: begin - 1,
        })
    }

    fn size(&mut self) -> Result<Size, TemplateError> {
        if self.peek() == Some('*') {
            self.take();
            return Ok(Size::FromArgument);
        }
        let begin = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.take();
        }
        match &self.text[begin..self.at] {
            "" => Ok(Size::None),
            digits => digits
                .parse()
                .map(Size::Of)
                .map_err(|_| self.error("number too large")),
        }
    }
}

impl Conversion {
    /// This conversion with what `*` stands for.
    fn with_sizes(
        &self,
        args: &mut std::slice::Iter<'_, Value>,
    ) -> Result<Cow<'_, Self>, Mismatch> {
        if self.width != Size::FromArgument && self.precision != Size::FromArgument {
            return Ok(Cow::Borrowed(self));
        }
        let mut conversion = self.clone();
        if self.width == Size::FromArgument {
            let width = args.next().and_then(Value::as_i64).ok_or(Mismatch)?;
            conversion.left |= width < 0;
            conversion.width = Size::Of(width.unsigned_abs() as usize);
        }
        if self.precision == Size::FromArgument {
            let precision = args.next().and_then(Value::as_i64).ok_or(Mismatch)?;
            conversion.precision = Size::Of(usize::try_from(precision).unwrap_or(0));
        }
        Ok(Cow::Owned(conversion))
    }

    /// Whether this is `%s` with nothing between: a text goes through it as it is.
    pub fn is_plain(&self) -> bool {
        self.kind == 's' && self.width == Size::None && self.precision == Size::None
    }

    fn precision(&self) -> Option<usize> {
        match self.precision {
            Size::Of(size) => Some(size),
            _ => None,
        }
    }

    /// Adds `value` as this conversion shows it.
    pub fn render(&self, value: &Value, out: &mut String) -> Result<(), Mismatch> {
        match self.kind {
            's' if self.is_plain() => {
                str_of(value, out);
                Ok(())
            }
            's' | 'r' | 'a' => {
                let mut text = String::new();
                match self.kind {
                    's' => str_of(value, &mut text),
                    'r' => repr_of(value, &mut text),
                    _ => ascii_of(value, &mut text),
                }
                self.pad_text(&text, out);
                Ok(())
            }
            'c' => {
                let c = character(value).ok_or(Mismatch)?;
                self.pad("", &c.to_string(), false, out);
                Ok(())
            }
            'd' | 'i' | 'u' => self.integer(&decimal(value).ok_or(Mismatch)?, "", out),
            'o' | 'x' | 'X' => self.based_integer(value, out),
            _ => self.float(value.as_number().ok_or(Mismatch)?, out),
        }
    }

    /// Adds a text: cut to the precision, padded to the width.
    pub fn pad_text(&self, text: &str, out: &mut String) {
        let end = self
            .precision()
            .and_then(|most| text.char_indices().nth(most));
        self.pad("", end.map_or(text, |(end, _)| &text[..end]), false, out);
    }

    fn based_integer(&self, value: &Value, out: &mut String) -> Result<(), Mismatch> {
        let n = integer(value).ok_or(Mismatch)?;
        let digits = match self.kind {
            'o' => format!("{:o}", n.unsigned_abs()),
            'x' => format!("{:x}", n.unsigned_abs()),
            _ => format!("{:X}", n.unsigned_abs()),
        };
        let prefix = match (self.alternate, self.kind) {
            (true, 'o') => "0o",
            (true, 'x') => "0x",
            (true, _) => "0X",
            _ => "",
        };
        self.integer(
            &format!("{}{digits}", if n < 0 { "-" } else { "" }),
            prefix,
            out,
        )
    }

    fn integer(&self, number: &str, prefix: &str, out: &mut String) -> Result<(), Mismatch> {
        let (sign, digits) = self.signed(number);
        let least = self.precision().unwrap_or(0).min(MAX_WIDTH);
        self.pad(
            &format!("{sign}{prefix}"),
            &format!("{digits:0>least$}"),
            true,
            out,
        );
        Ok(())
    }

    fn float(&self, x: f64, out: &mut String) -> Result<(), Mismatch> {
        let precision = self.precision().unwrap_or(6).min(MAX_WIDTH);
        let shown = match self.kind {
            _ if x.is_nan() => "nan".to_owned(),
            _ if x.is_infinite() => if x > 0.0 { "inf" } else { "-inf" }.to_owned(),
            'f' | 'F' => with_point(format!("{x:.precision$}"), self.alternate),
            'e' | 'E' => exponential(x, precision, self.alternate),
            _ => general(x, precision.max(1), self.alternate),
        };
        let shown = if self.kind.is_uppercase() {
            shown.to_uppercase()
        } else {
            shown
        };
        let (sign, digits) = self.signed(&shown);
        self.pad(sign, digits, true, out);
        Ok(())
    }

    fn signed<'a>(&self, number: &'a str) -> (&'static str, &'a str) {
        match number.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None if self.plus => ("+", number),
            None if self.space => (" ", number),
            None => ("", number),
        }
    }

    fn pad(&self, sign: &str, text: &str, is_number: bool, out: &mut String) {
        let Size::Of(width) = self.width else {
            out.push_str(sign);
            return out.push_str(text);
        };
        let length = sign.chars().count() + text.chars().count();
        let missing = width.min(MAX_WIDTH).saturating_sub(length);
        let fill = |out: &mut String, c: char| out.extend(std::iter::repeat_n(c, missing));
        let zeros = self.zero && is_number && !self.left;
        if !self.left && !zeros {
            fill(out, ' ');
        }
        out.push_str(sign);
        if zeros {
            fill(out, '0');
        }
        out.push_str(text);
        if self.left {
            fill(out, ' ');
        }
    }
}

impl Value {
    fn as_number(&self) -> Option<f64> {
        match self {
            Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
            other => other.as_f64(),
        }
    }
}

fn character(value: &Value) -> Option<char> {
    match value {
        Value::Str(text) => {
            let mut chars = text.chars();
            chars.next().filter(|_| chars.next().is_none())
        }
        Value::Bool(truth) => Some(char::from(u8::from(*truth))),
        Value::Int(code) => char::from_u32(u32::try_from(*code).ok()?),
        _ => None,
    }
}

pub(super) fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Bool(truth) => Some(i128::from(*truth)),
        Value::Int(n) => Some(i128::from(*n)),
        Value::UInt(n) => Some(i128::from(*n)),
        Value::BigInt(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// The digits of what `int(value)` gives for a number.
fn decimal(value: &Value) -> Option<String> {
    match value {
        Value::BigInt(digits) => Some(digits.to_string()),
        Value::Float(x) if x.is_finite() => {
            let whole = format!("{:.0}", x.trunc());
            Some(if whole == "-0" { "0".to_owned() } else { whole })
        }
        other => Some(integer(other)?.to_string()),
    }
}

pub(super) fn with_point(text: String, alternate: bool) -> String {
    if alternate && !text.contains('.') {
        text + "."
    } else {
        text
    }
}

pub(super) fn exponential(x: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{x:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = with_point(mantissa.to_owned(), alternate);
    format!(
        "{mantissa}e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

pub(super) fn general(x: f64, precision: usize, alternate: bool) -> String {
    let rounded = format!("{x:.*e}", precision - 1);
    let exponent: i32 = rounded
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    let is_plain = exponent >= -4 && i64::from(exponent) < precision as i64;
    let text = if is_plain {
        let digits = (precision as i64 - 1 - i64::from(exponent)).max(0) as usize;
        with_point(format!("{x:.digits$}"), alternate)
    } else {
        exponential(x, precision - 1, alternate)
    };
    if alternate || !text.contains('.') {
        return text;
    }
    let (digits, exponent) = match text.split_once('e') {
        Some((digits, exponent)) => (digits, format!("e{exponent}")),
        None => (text.as_str(), String::new()),
    };
    format!(
        "{}{exponent}",
        digits.trim_end_matches('0').trim_end_matches('.')
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn render(template: &str, args: &[Value]) -> Option<String> {
        Template::parse(template).ok()?.render_list(args).ok()
    }

    #[test]
    fn conversions_show_what_python_shows() {
        let cases: &[(&str, Value, &str)] = &[
            ("%s", "x".into(), "x"),
            ("%5s|%%", "x".into(), "    x|%"),
            ("%-5s|", "x".into(), "x    |"),
            ("%.2s", "héllo".into(), "hé"),
            ("%r", "x".into(), "'x'"),
            ("%a", "é".into(), "'\\xe9'"),
            ("%d", 2.9.into(), "2"),
            ("%d", true.into(), "1"),
            ("%+05d", 42.into(), "+0042"),
            ("%.3d", (-7).into(), "-007"),
            ("%#x", 255.into(), "0xff"),
            ("%#o", 8.into(), "0o10"),
            ("%X", (-255).into(), "-FF"),
            ("%c", 97.into(), "a"),
            ("%f", 1.5.into(), "1.500000"),
            ("%8.2f|", (-2.5).into(), "   -2.50|"),
            ("%08.2f", (-2.5).into(), "-0002.50"),
            ("%e", 12345.678.into(), "1.234568e+04"),
            ("%g", 0.0001.into(), "0.0001"),
            ("%g", 1e-5.into(), "1e-05"),
            ("%g", 1234567.0.into(), "1.23457e+06"),
            ("%g", 100000.0.into(), "100000"),
            ("%#g", 1.0.into(), "1.00000"),
            ("%F", f64::NAN.into(), "NAN"),
            (
                "%d",
                Value::BigInt("123456789012345678901234567890".into()),
                "123456789012345678901234567890",
            ),
        ];
        for (template, value, shown) in cases {
            assert_eq!(
                render(template, std::slice::from_ref(value)).as_deref(),
                Some(*shown),
                "{template}"
            );
        }
        assert_eq!(
            render("%*d", &[5.into(), 42.into()]).as_deref(),
            Some("   42")
        );
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for (template, args) in [
            ("%d", vec!["x".into()]),
            ("%s %s", vec![1.into()]),
            ("%s", vec![1.into(), 2.into()]),
            ("%x", vec![1.5.into()]),
            ("%d", vec![f64::NAN.into()]),
            ("%y", vec![1.into()]),
            ("100%", vec![1.into()]),
            ("%(a)s", vec![1.into()]),
        ] {
            assert_eq!(render(template, &args), None, "{template}");
        }
    }

    proptest! {
        #[test]
        fn any_template_is_rendered_or_refused(template in "[%a-z0-9#+ .*()-]{0,12}", n: i64, x: f64) {
            if let Ok(template) = Template::parse(&template) {
                for args in [vec![Value::from(n)], vec![Value::from(x)], vec!["t".into(), n.into()]] {
                    if let Ok(text) = template.render_list(&args) {
                        prop_assert!(text.len() < 3 * MAX_WIDTH * 4);
                    }
                }
            }
        }
    }
}
