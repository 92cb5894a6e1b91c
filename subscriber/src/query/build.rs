//! Conditions that are put together without the language: what somebody searches for, picks or
//! types as `key=value`.
//!
//! They are the same as written ones, so a query made of them can be shown, kept and parsed again.

use std::convert::Infallible;

use logbus_schemas::Value;
use regex::Regex;
use regex_syntax::ast::{self, Ast, ClassSetItem, Visitor};

use super::QueryError;
use super::lexer::quoted_text;
use super::parser::{Comparison, Condition, Field, Operand, field_named, meant, senseless};
use crate::filter::pattern;
use crate::glob::Glob;

/// What may be typed, for a message.
const EXAMPLE: &str = "write for example status>=500, user.id=7 or path~=^/api";

/// The text fits an expression, in any case where it has no upper-case letter.
pub(super) fn text(pattern: &str) -> Result<Condition, QueryError> {
    let regex = smart_case(pattern)?;
    Ok(Condition::Matches(Operand::Field(Field::Text), regex))
}

/// An expression as it is written; in any case where it has no upper-case letter.
pub(crate) fn smart_case(pattern: &str) -> Result<Regex, QueryError> {
    let as_written = regex(pattern, 1)?;
    match asks_for_case(pattern) {
        true => Ok(as_written),
        false => regex(&format!("(?i){pattern}"), 1),
    }
}

/// Sent by whoever the pattern means.
pub(super) fn sender(pattern: &str) -> Condition {
    Condition::Like(Operand::Field(Field::Sender), Glob::new(pattern))
}

/// `key=value` and the like.
pub(super) fn field(text: &str) -> Result<Condition, QueryError> {
    let mut typed = Typed { text, at: 0 };
    let field = typed.key()?;
    let lets_absent_through = typed.take("?");
    let sign = typed.sign()?;
    let condition = typed.condition(&field, sign)?;
    Ok(match (lets_absent_through, sign) {
        (true, _) => {
            let absent = Condition::Not(Box::new(Condition::Exists(field)));
            Condition::Any(vec![absent, condition])
        }
        // What is not there is not equal, either, and is not meant.
        (false, Sign::Compare(Comparison::Unequal)) => {
            Condition::All(vec![Condition::Exists(field), condition])
        }
        (false, _) => condition,
    })
}

/// What may stand between key and value.
#[derive(Debug, Clone, Copy)]
enum Sign {
    Compare(Comparison),
    Matches,
}

/// The longer ones first.
const SIGNS: &[(&str, Sign)] = &[
    ("==", Sign::Compare(Comparison::Equal)),
    ("!=", Sign::Compare(Comparison::Unequal)),
    ("<=", Sign::Compare(Comparison::AtMost)),
    (">=", Sign::Compare(Comparison::AtLeast)),
    ("~=", Sign::Matches),
    ("=", Sign::Compare(Comparison::Equal)),
    ("<", Sign::Compare(Comparison::Below)),
    (">", Sign::Compare(Comparison::Above)),
];

/// A text, and how much of it was read.
struct Typed<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Typed<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn column(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    fn wrong(&self, problem: impl Into<String>) -> QueryError {
        QueryError::new(self.column(), problem)
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_there = self.rest().starts_with(sign);
        self.at += if is_there { sign.len() } else { 0 };
        is_there
    }

    fn key(&mut self) -> Result<Field, QueryError> {
        self.skip_blanks();
        let field = if self.rest().starts_with('`') {
            let (name, end) = quoted_text(self.text, self.at)?;
            self.at = end;
            Field::Named(name)
        } else {
            let rest = self.rest();
            let end = rest.find(['?', '=', '!', '<', '>', '~']);
            let name = rest[..end.unwrap_or(rest.len())].trim_end();
            if name.is_empty() {
                return Err(self.wrong(format!("the name of a field is expected here; {EXAMPLE}")));
            }
            self.at += name.len();
            field_named(name)
        };
        self.skip_blanks();
        Ok(field)
    }

    fn sign(&mut self) -> Result<Sign, QueryError> {
        for (written, sign) in SIGNS {
            if self.take(written) {
                self.skip_blanks();
                return Ok(*sign);
            }
        }
        Err(self.wrong(format!(
            "=, !=, ~=, <, <=, > or >= is expected here; {EXAMPLE}"
        )))
    }

    /// The condition that the rest, which is the value, makes of a field.
    fn condition(&self, field: &Field, sign: Sign) -> Result<Condition, QueryError> {
        let operand = Operand::Field(field.clone());
        let how = match sign {
            Sign::Matches => {
                let regex = regex(self.rest().trim_end(), self.column())?;
                return Ok(Condition::Matches(operand, regex));
            }
            Sign::Compare(how) => how,
        };
        let is_order = !matches!(how, Comparison::Equal | Comparison::Unequal);
        if is_order && self.rest().is_empty() {
            return Err(self.wrong(format!("a value is expected here; {EXAMPLE}")));
        }
        let value = meant(Operand::Value(self.value()?), &operand);
        if let Some(expected) = senseless(&value, &operand) {
            return Err(self.wrong(expected));
        }
        Ok(Condition::Compare(operand, how, value))
    }

    fn value(&self) -> Result<Value, QueryError> {
        let rest = self.rest().trim_end();
        if rest.starts_with(['"', '\'']) {
            // What only begins with a quote is a text like any other.
            let quoted = quoted_text(self.text, self.at);
            if let Ok((text, end)) = quoted
                && end == self.at + rest.len()
            {
                return Ok(Value::from(text));
            }
        }
        Ok(value_of(rest))
    }
}

/// A number, a truth value or `null` as such, else a text. Digits that are too many for a number
/// stay a text, which has all of them.
fn value_of(text: &str) -> Value {
    let float = || text.parse().ok().filter(|x: &f64| x.is_finite());
    match (text, text.parse::<i64>()) {
        ("true", _) => Value::from(true),
        ("false", _) => Value::from(false),
        ("null", _) => Value::Null,
        (_, Ok(number)) => Value::from(number),
        _ if text.contains(['.', 'e', 'E']) => float().map_or_else(|| text.into(), Value::from),
        _ => Value::from(text),
    }
}

/// Compiles an expression that stands at `column`.
fn regex(pattern: &str, column: usize) -> Result<Regex, QueryError> {
    pattern::compile(pattern)
        .map_err(|problem| QueryError::new(column + place_of_fault(pattern), problem))
}

/// How many characters of an expression are right.
fn place_of_fault(pattern: &str) -> usize {
    let offset = match regex_syntax::parse(pattern) {
        Err(regex_syntax::Error::Parse(error)) => error.span().start.offset,
        Err(regex_syntax::Error::Translate(error)) => error.span().start.offset,
        // It is too large.
        _ => 0,
    };
    pattern[..offset].chars().count()
}

/// Whether there is a letter in upper case in an expression; that of `\S` is none.
fn asks_for_case(pattern: &str) -> bool {
    let Ok(parsed) = ast::parse::Parser::new().parse(pattern) else {
        return false;
    };
    let Ok(is_there) = ast::visit(&parsed, UpperCase(false));
    is_there
}

/// Looks for letters in upper case.
struct UpperCase(bool);

impl Visitor for UpperCase {
    type Output = bool;
    type Err = Infallible;

    fn finish(self) -> Result<bool, Infallible> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Infallible> {
        if let Ast::Literal(literal) = ast {
            self.0 |= literal.c.is_uppercase();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Infallible> {
        self.0 |= match item {
            ClassSetItem::Literal(literal) => literal.c.is_uppercase(),
            ClassSetItem::Range(range) => {
                range.start.c.is_uppercase() || range.end.c.is_uppercase()
            }
            _ => false,
        };
        Ok(())
    }
}
