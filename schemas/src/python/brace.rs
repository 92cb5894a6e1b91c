//! Python's `str.format` on values.
//!
//! The rules are those of "Format String Syntax" and the "Format Specification Mini-Language"
//! (docs.python.org/3/library/string.html#format-string-syntax). A template is parsed once. A
//! field may go into a value: `{args[0]}`, `{request[path]}`; what stands for an attribute there,
//! `{request.path}`, is a key here, because records hold no objects. Width and precision may be
//! fields, too.

use std::borrow::Cow;

use super::percent::{MAX_WIDTH, TemplateError, exponential, general, integer, with_point};
use super::{ascii_of, float_repr, repr_of, str_of};
use crate::value::Value;

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
    /// A place for a value.
    Field(Field),
}

/// A place for a value, and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name, up to the first dot or bracket.
    pub name: String,
    /// The way from there into the value.
    pub path: Vec<String>,
    /// `r`, `s` or `a` behind an exclamation mark.
    pub conversion: Option<char>,
    /// What stands behind the colon.
    pub spec: Spec,
}

/// How a value is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// What fills up to the width.
    pub fill: Option<char>,
    /// `<`, `>`, `^` or `=`.
    pub align: Option<char>,
    /// `+`, `-` or a space.
    pub sign: Option<char>,
    /// `#`: the alternate form.
    pub alternate: bool,
    /// `0` before the width.
    pub zero: bool,
    /// The least number of characters.
    pub width: Size,
    /// `,` or `_`.
    pub grouping: Option<char>,
    /// Digits, or the most characters.
    pub precision: Size,
    /// The letter at the end.
    pub kind: Option<char>,
}

/// A width or a precision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Size {
    /// None is given.
    #[default]
    None,
    /// This many.
    Of(usize),
    /// As many as a field says.
    Field(String),
}

/// A value that its spec cannot show, as Python raises `ValueError` or `TypeError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

impl Template {
    /// Parses a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut literal) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let here = text.len() - rest.len() + at;
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(wrong("\"}\" without \"{\"", here));
            }
            let end = end_of_field(rest).ok_or_else(|| wrong("\"{\" without \"}\"", here))?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            let field = Field::parse(&rest[..end]).map_err(|problem| wrong(problem, here + 1))?;
            parts.push(Part::Field(field));
            rest = &rest[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }
}

fn wrong(problem: &'static str, at: usize) -> TemplateError {
    TemplateError { problem, at }
}

/// Where the brace stands that closes a field; fields in its spec have braces of their own.
fn end_of_field(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

impl Field {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, rest) = text.split_at(end_of_name(text));
        let (conversion, rest) = match rest.strip_prefix('!') {
            Some(rest) => {
                let letter = rest.chars().next().filter(|c| "rsa".contains(*c));
                let letter = letter.ok_or("a conversion is !r, !s or !a")?;
                (Some(letter), &rest[1..])
            }
            None => (None, rest),
        };
        let spec = match rest.strip_prefix(':') {
            Some(spec) => Spec::parse(spec)?,
            None if rest.is_empty() => Spec::default(),
            None => return Err("\":\" is missing behind the conversion"),
        };
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, path) = name.split_at(end);
        if name.is_empty() {
            return Err("a field has no name");
        }
        Ok(Self {
            name: name.to_owned(),
            path: path_of(path)?,
            conversion,
            spec,
        })
    }

    /// Goes from the named value to the one that is meant.
    pub fn find<'a>(&self, value: &'a Value) -> Option<Cow<'a, Value>> {
        let mut found = value;
        for (at, step) in self.path.iter().enumerate() {
            found = match found {
                Value::List(items) => items.get(step.parse::<usize>().ok()?)?,
                Value::Map(map) => map.get(step)?,
                // A character has no parts but itself.
                Value::Str(text) if at + 1 == self.path.len() => {
                    let c = text.chars().nth(step.parse().ok()?)?;
                    return Some(Cow::Owned(Value::from(&*c.to_string())));
                }
                _ => return None,
            };
        }
        Some(Cow::Borrowed(found))
    }

    /// Adds a value as this field shows it. `size` says what a field in the spec stands for.
    pub fn render(
        &self,
        value: &Value,
        size: &dyn Fn(&str) -> Option<usize>,
        out: &mut String,
    ) -> Result<(), Unfit> {
        let spec = self.spec.resolved(size).ok_or(Unfit)?;
        let mut text = String::new();
        match self.conversion {
            Some('r') => repr_of(value, &mut text),
            Some('a') => ascii_of(value, &mut text),
            Some(_) => str_of(value, &mut text),
            None => return spec.render(value, out),
        }
        spec.text(&text, out)
    }
}

/// Where the name ends and the conversion or format begins: not within brackets.
fn end_of_name(text: &str) -> usize {
    let mut is_within = false;
    for (at, c) in text.char_indices() {
        match c {
            '[' => is_within = true,
            ']' => is_within = false,
            '!' | ':' if !is_within => return at,
            _ => {}
        }
    }
    text.len()
}

fn path_of(text: &str) -> Result<Vec<String>, &'static str> {
    let (mut path, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let step;
        if let Some(after) = rest.strip_prefix('[') {
            (step, rest) = after.split_once(']').ok_or("\"[\" without \"]\"")?;
        } else {
            let after = rest
                .strip_prefix('.')
                .ok_or("a dot or a bracket is missing behind \"]\"")?;
            let end = after.find(['.', '[']).unwrap_or(after.len());
            (step, rest) = after.split_at(end);
        }
        if step.is_empty() {
            return Err("a name is missing behind a dot or in brackets");
        }
        path.push(step.to_owned());
    }
    Ok(path)
}

impl Spec {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut spec = Self::default();
        let mut chars = text.chars();
        let is_align = |c: char| "<>^=".contains(c);
        match (chars.next(), chars.next()) {
            (Some(fill), Some(align)) if is_align(align) => {
                (spec.fill, spec.align) = (Some(fill), Some(align));
            }
            (Some(align), _) if is_align(align) => {
                spec.align = Some(align);
                chars = text[1..].chars();
            }
            _ => chars = text.chars(),
        }
        let mut rest = chars.as_str();
        let take = |wanted: &str, rest: &mut &str| {
            let first = rest.chars().next().filter(|c| wanted.contains(*c));
            *rest = &rest[usize::from(first.is_some())..];
            first
        };
        spec.sign = take("+- ", &mut rest);
        spec.alternate = take("#", &mut rest).is_some();
        spec.zero = take("0", &mut rest).is_some();
        spec.width = size(&mut rest)?;
        spec.grouping = take(",_", &mut rest);
        if take(".", &mut rest).is_some() {
            spec.precision = size(&mut rest)?;
            if spec.precision == Size::None {
                return Err("a precision is missing behind the point");
            }
        }
        spec.kind = take("bcdeEfFgGnosxX%", &mut rest);
        match rest {
            "" => Ok(spec),
            _ => Err("the format behind the colon is not one of Python's"),
        }
    }

    fn resolved(&self, size: &dyn Fn(&str) -> Option<usize>) -> Option<Self> {
        let resolve = |written: &Size| match written {
            Size::Field(name) => size(name).map(Size::Of),
            other => Some(other.clone()),
        };
        Some(Self {
            width: resolve(&self.width)?,
            precision: resolve(&self.precision)?,
            ..self.clone()
        })
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn precision(&self) -> Option<usize> {
        match self.precision {
            Size::Of(size) => Some(size),
            _ => None,
        }
    }

    /// Adds a value.
    pub fn render(&self, value: &Value, out: &mut String) -> Result<(), Unfit> {
        match value {
            Value::Str(text) => self.text(text, out),
            Value::Bool(_) | Value::Int(_) | Value::UInt(_) | Value::BigInt(_)
                if !self.is_empty() =>
            {
                self.integer(value, out)
            }
            Value::Float(x) => self.float(*x, out),
            _ if self.is_empty() => {
                str_of(value, out);
                Ok(())
            }
            _ => Err(Unfit),
        }
    }

    /// Adds a text: cut to the precision, filled up to the width.
    pub fn text(&self, text: &str, out: &mut String) -> Result<(), Unfit> {
        let is_for_text = self.kind.is_none_or(|kind| kind == 's')
            && self.sign.is_none()
            && !self.alternate
            && self.grouping.is_none()
            && self.align != Some('=');
        if !is_for_text {
            return Err(Unfit);
        }
        let cut = self
            .precision()
            .and_then(|most| text.char_indices().nth(most));
        let text = cut.map_or(text, |(end, _)| &text[..end]);
        self.pad("", text, '<', out);
        Ok(())
    }

    fn integer(&self, value: &Value, out: &mut String) -> Result<(), Unfit> {
        let kind = self.kind.unwrap_or('d');
        if "eEfFgG%".contains(kind) {
            let x = match value {
                Value::Bool(truth) => f64::from(u8::from(*truth)),
                _ => value.as_f64().ok_or(Unfit)?,
            };
            return self.float(x, out);
        }
        if self.precision != Size::None || kind == 's' {
            return Err(Unfit);
        }
        if kind == 'c' {
            let code = integer(value).and_then(|code| u32::try_from(code).ok());
            let c = code.and_then(char::from_u32).ok_or(Unfit)?;
            if self.sign.is_some() || self.grouping.is_some() || self.alternate {
                return Err(Unfit);
            }
            self.pad("", &c.to_string(), '>', out);
            return Ok(());
        }
        let (number, is_negative) = match value {
            // Beyond what can be calculated here, the digits are known all the same.
            Value::BigInt(digits) if kind == 'd' || kind == 'n' => (
                digits.trim_start_matches('-').to_owned(),
                digits.starts_with('-'),
            ),
            _ => {
                let n = integer(value).ok_or(Unfit)?;
                let digits = n.unsigned_abs();
                let shown = match kind {
                    'b' => format!("{digits:b}"),
                    'o' => format!("{digits:o}"),
                    'x' => format!("{digits:x}"),
                    'X' => format!("{digits:X}"),
                    _ => digits.to_string(),
                };
                (shown, n < 0)
            }
        };
        let every = match (self.grouping, kind) {
            (Some(','), 'b' | 'o' | 'x' | 'X') | (Some(_), 'n') => return Err(Unfit),
            (_, 'b' | 'o' | 'x' | 'X') => 4,
            _ => 3,
        };
        let prefix = match (self.alternate, kind) {
            (true, 'b') => "0b",
            (true, 'o') => "0o",
            (true, 'x') => "0x",
            (true, 'X') => "0X",
            _ => "",
        };
        let sign = format!("{}{prefix}", self.sign_of(is_negative));
        self.number(&sign, &number, "", every, out);
        Ok(())
    }

    fn float(&self, x: f64, out: &mut String) -> Result<(), Unfit> {
        let kind = self.kind.unwrap_or(' ');
        if !" eEfFgGn%".contains(kind) || (kind == 'n' && self.grouping.is_some()) {
            return Err(Unfit);
        }
        let most = self.precision().unwrap_or(6).min(MAX_WIDTH);
        let shown = match kind {
            _ if x.is_nan() => "nan".to_owned(),
            _ if x.is_infinite() => if x > 0.0 { "inf" } else { "-inf" }.to_owned(),
            'f' | 'F' => with_point(format!("{x:.most$}"), self.alternate),
            '%' => with_point(format!("{:.most$}", x * 100.0), self.alternate),
            'e' | 'E' => exponential(x, most, self.alternate),
            'g' | 'G' | 'n' => general(x, most.max(1), self.alternate),
            _ => match self.precision() {
                None => float_repr(x),
                Some(precision) => with_digit(x, precision.clamp(1, MAX_WIDTH), self.alternate),
            },
        };
        let mut shown = match kind.is_uppercase() {
            true => shown.to_uppercase(),
            false => shown,
        };
        if kind == '%' {
            shown.push('%');
        }
        let is_negative = shown.starts_with('-');
        let shown = shown.trim_start_matches('-');
        let end = shown
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(shown.len());
        let (whole, tail) = shown.split_at(end);
        self.number(self.sign_of(is_negative), whole, tail, 3, out);
        Ok(())
    }

    fn sign_of(&self, is_negative: bool) -> &'static str {
        match (is_negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        }
    }

    /// Adds a number: sign, digits in groups, and what stands behind them.
    fn number(&self, sign: &str, whole: &str, tail: &str, every: usize, out: &mut String) {
        let Some(mark) = self.grouping else {
            return self.pad(sign, &format!("{whole}{tail}"), '>', out);
        };
        let mut whole = whole.to_owned();
        let is_filled = self.filling('>') == ('0', '=');
        if is_filled && let Size::Of(width) = self.width {
            // Zeros that fill up are grouped like other digits.
            let width = width.min(MAX_WIDTH);
            let taken = |digits: usize| {
                let groups = digits.saturating_sub(1) / every;
                sign.chars().count() + digits + groups + tail.chars().count()
            };
            while !whole.is_empty() && taken(whole.len()) < width {
                whole.insert(0, '0');
            }
        }
        let mut grouped = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(every) {
                grouped.push(mark);
            }
            grouped.push(digit);
        }
        self.pad(sign, &format!("{grouped}{tail}"), '>', out);
    }

    /// What fills up to the width, and where the value stands then.
    fn filling(&self, usual: char) -> (char, char) {
        match (self.align, self.zero) {
            (Some(align), zero) => (self.fill.unwrap_or(if zero { '0' } else { ' ' }), align),
            (None, true) => ('0', if usual == '>' { '=' } else { usual }),
            (None, false) => (' ', usual),
        }
    }

    /// Adds a text, filled up to the width.
    fn pad(&self, sign: &str, text: &str, usual: char, out: &mut String) {
        let Size::Of(width) = self.width else {
            out.push_str(sign);
            return out.push_str(text);
        };
        let (fill, align) = self.filling(usual);
        let length = sign.chars().count() + text.chars().count();
        let missing = width.min(MAX_WIDTH).saturating_sub(length);
        let before = match align {
            '<' => 0,
            '^' => missing / 2,
            _ => missing,
        };
        let add = |count: usize, out: &mut String| out.extend(std::iter::repeat_n(fill, count));
        if align == '=' {
            out.push_str(sign);
            add(before, out);
        } else {
            add(before, out);
            out.push_str(sign);
        }
        out.push_str(text);
        add(missing - before, out);
    }
}

/// A float without a letter but with a precision: as `g`, with a digit behind the point.
fn with_digit(x: f64, precision: usize, alternate: bool) -> String {
    let exponent = format!("{x:.*e}", precision - 1);
    let exponent: i64 = exponent
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or(0);
    // One digit less than for `g` is left for the whole part: there is always one behind it.
    if exponent >= -4 && exponent < precision as i64 - 1 {
        let text = general(x, precision, alternate);
        if text.contains(['.', 'e']) {
            text
        } else {
            format!("{text}.0")
        }
    } else if exponent >= -4 && exponent < precision as i64 {
        exponential_trimmed(x, precision, alternate)
    } else {
        general(x, precision, alternate)
    }
}

fn exponential_trimmed(x: f64, precision: usize, alternate: bool) -> String {
    let text = exponential(x, precision - 1, alternate);
    let Some((digits, exponent)) = text.split_once('e').filter(|_| !alternate) else {
        return text;
    };
    match digits.contains('.') {
        true => format!(
            "{}e{exponent}",
            digits.trim_end_matches('0').trim_end_matches('.')
        ),
        false => text,
    }
}

fn size(rest: &mut &str) -> Result<Size, &'static str> {
    if let Some(inner) = rest.strip_prefix('{') {
        let (name, after) = inner.split_once('}').ok_or("\"{\" without \"}\"")?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !is_name {
            return Err("a field for a width or precision is a plain name");
        }
        *rest = after;
        return Ok(Size::Field(name.to_owned()));
    }
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    match digits {
        "" => Ok(Size::None),
        digits => digits
            .parse()
            .map(Size::Of)
            .map_err(|_| "a number is too large"),
    }
}

#[cfg(test)]
mod tests;
