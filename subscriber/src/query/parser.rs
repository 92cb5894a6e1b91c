//! Words as a tree of conditions.
//!
//! `or` binds least, then `and`, then `not`, then comparisons. Names of levels are numbers where
//! they are held against a level, and times are where they are held against `created`, so that
//! nothing of that is left to do for each record.

use std::fmt;

use jiff::Timestamp;
use logbus_schemas::{Level, Value};
use regex::Regex;

use super::QueryError;
use super::lexer::{Token, words};
use crate::filter::pattern;
use crate::glob::Glob;

/// Brackets and `not` in one another, at most.
const MAX_DEPTH: usize = 64;

/// Something that holds for a record or does not.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Any(Vec<Condition>),
    All(Vec<Condition>),
    Not(Box<Condition>),
    Exists(Field),
    /// A value that is there and neither `false`, 0 nor empty.
    Truth(Operand),
    Compare(Operand, Comparison, Operand),
    Text(Operand, TextTest, Operand),
    Matches(Operand, Regex),
    /// The whole text fits; of a sender it may be any of its names.
    Like(Operand, Glob),
    OneOf(Operand, Vec<Value>),
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        // The text says everything, and expressions cannot be compared otherwise.
        self.to_string() == other.to_string()
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// How two texts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}

/// What is compared.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Field(Field),
    Value(Value),
    Lower(Box<Operand>),
    Length(Box<Operand>),
}

/// A part of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// The level's number.
    Level,
    /// The rendered message.
    Message,
    /// The topic that the record was published under.
    Topic,
    /// Who sent it.
    Sender,
    /// The host that it was sent from.
    Host,
    /// The process that sent it.
    Pid,
    /// All that a reader sees of it.
    Text,
    /// An attribute or an extra; with dots also one within another.
    Named(String),
}

/// What may be called, for a message.
const EXAMPLE: &str = "write for example level >= warn and status >= 500";

pub(super) fn parse(text: &str) -> Result<Condition, QueryError> {
    let words = words(text)?;
    let end = text.chars().count() + 1;
    let mut parser = Parser {
        words,
        at: 0,
        end,
        depth: 0,
    };
    let condition = parser.any()?;
    match parser.peek() {
        None => Ok(condition),
        Some(_) => Err(parser.wrong("and, or or the end is expected here")),
    }
}

struct Parser {
    words: Vec<(Token, usize)>,
    at: usize,
    /// The column behind the text.
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.words.get(self.at).map(|(token, _)| token)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += usize::from(token.is_some());
        token
    }

    fn wrong(&self, problem: impl Into<String>) -> QueryError {
        let column = self
            .words
            .get(self.at)
            .map_or(self.end, |(_, column)| *column);
        QueryError::new(column, format!("{}; {EXAMPLE}", problem.into()))
    }

    /// Takes one of these signs or words.
    fn take_if(&mut self, sign: &str, word: &str) -> bool {
        let is_there = match self.peek() {
            Some(Token::Sign(there)) => *there == sign,
            Some(Token::Name(there)) => there == word,
            _ => false,
        };
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, sign: &str) -> Result<(), QueryError> {
        if self.take_if(sign, "") {
            return Ok(());
        }
        Err(self.wrong(format!("{sign:?} is missing here")))
    }

    fn any(&mut self) -> Result<Condition, QueryError> {
        let mut conditions = vec![self.all()?];
        while self.take_if("||", "or") {
            conditions.push(self.all()?);
        }
        Ok(only(conditions, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, QueryError> {
        let mut conditions = vec![self.not()?];
        while self.take_if("&&", "and") {
            conditions.push(self.not()?);
        }
        Ok(only(conditions, Condition::All))
    }

    fn not(&mut self) -> Result<Condition, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(format!("more than {MAX_DEPTH} brackets in one another")));
        }
        let condition = if self.take_if("!", "not") {
            Condition::Not(Box::new(self.not()?))
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn condition(&mut self) -> Result<Condition, QueryError> {
        if self.take_if("(", "") {
            let condition = self.any()?;
            self.expect(")")?;
            return Ok(condition);
        }
        if self.is_call("exists") {
            self.at += 2;
            let field = self.field()?;
            self.expect(")")?;
            return Ok(Condition::Exists(field));
        }
        let left = self.operand()?;
        self.comparison(left)
    }

    /// What follows a value.
    fn comparison(&mut self, left: Operand) -> Result<Condition, QueryError> {
        let begin = self.at;
        let condition = match self.take() {
            Some(Token::Sign(sign)) => match sign {
                "==" | "=" => self.compare(left, Comparison::Equal)?,
                "!=" => self.compare(left, Comparison::Unequal)?,
                "<" => self.compare(left, Comparison::Below)?,
                "<=" => self.compare(left, Comparison::AtMost)?,
                ">" => self.compare(left, Comparison::Above)?,
                ">=" => self.compare(left, Comparison::AtLeast)?,
                "~" | "=~" => Condition::Matches(left, self.regex()?),
                "!~" => Condition::Not(Box::new(Condition::Matches(left, self.regex()?))),
                _ => {
                    self.at = begin;
                    Condition::Truth(left)
                }
            },
            Some(Token::Name(word)) => match word.as_str() {
                "contains" => Condition::Text(left, TextTest::Contains, self.operand()?),
                "startswith" => Condition::Text(left, TextTest::StartsWith, self.operand()?),
                "endswith" => Condition::Text(left, TextTest::EndsWith, self.operand()?),
                "like" => Condition::Like(left, self.glob()?),
                "in" => self.one_of(left)?,
                _ => {
                    self.at = begin;
                    Condition::Truth(left)
                }
            },
            _ => {
                self.at = begin;
                Condition::Truth(left)
            }
        };
        Ok(condition)
    }

    fn compare(&mut self, left: Operand, how: Comparison) -> Result<Condition, QueryError> {
        let right = self.operand()?;
        let (left, right) = (meant(left.clone(), &right), meant(right, &left));
        let is_bare = matches!(&self.words[self.at - 1].0, Token::Name(_));
        let expected = match (&left, &right) {
            (Operand::Field(Field::Level), Operand::Field(Field::Named(_))) if is_bare => {
                Some(A_LEVEL)
            }
            _ => senseless(&left, &right).or_else(|| senseless(&right, &left)),
        };
        if let Some(expected) = expected {
            self.at -= 1;
            return Err(self.wrong(expected));
        }
        Ok(Condition::Compare(left, how, right))
    }

    fn one_of(&mut self, left: Operand) -> Result<Condition, QueryError> {
        self.expect("[")?;
        let mut values = Vec::new();
        while !self.take_if("]", "") {
            match meant(self.operand()?, &left) {
                Operand::Value(value) => values.push(value),
                _ => {
                    self.at -= 1;
                    return Err(self.wrong("a list holds numbers and texts in quotes"));
                }
            }
            if !self.take_if(",", "") {
                self.expect("]")?;
                break;
            }
        }
        Ok(Condition::OneOf(left, values))
    }

    fn regex(&mut self) -> Result<Regex, QueryError> {
        let begin = self.at;
        let Some(Token::Regex(pattern) | Token::Text(pattern)) = self.take() else {
            self.at = begin;
            return Err(self.wrong("a regular expression such as /ti.e/ is expected here"));
        };
        pattern::compile(&pattern).map_err(|problem| {
            self.at = begin;
            self.wrong(problem)
        })
    }

    fn glob(&mut self) -> Result<Glob, QueryError> {
        let Some(Token::Text(pattern)) = self.peek() else {
            return Err(self.wrong("a pattern in quotes such as 'worker-*' is expected here"));
        };
        let glob = Glob::new(pattern);
        self.at += 1;
        Ok(glob)
    }

    fn is_call(&self, name: &str) -> bool {
        let is_name = matches!(self.peek(), Some(Token::Name(there)) if there == name);
        is_name && matches!(self.words.get(self.at + 1), Some((Token::Sign("("), _)))
    }

    fn operand(&mut self) -> Result<Operand, QueryError> {
        for (name, make) in [
            ("lower", Operand::Lower as fn(Box<Operand>) -> Operand),
            ("len", Operand::Length),
        ] {
            if self.is_call(name) {
                self.at += 2;
                let inner = Operand::Field(self.field()?);
                self.expect(")")?;
                return Ok(make(Box::new(inner)));
            }
        }
        let value = match self.peek() {
            Some(Token::Text(text)) => Value::from(text.as_str()),
            Some(Token::Int(number)) => Value::from(*number),
            Some(Token::Float(number)) => Value::from(*number),
            Some(Token::Name(name)) => match name.as_str() {
                "true" => Value::from(true),
                "false" => Value::from(false),
                "null" | "none" => Value::Null,
                _ => return self.field().map(Operand::Field),
            },
            Some(Token::Quoted(_)) => return self.field().map(Operand::Field),
            _ => return Err(self.wrong("a field or a value is expected here")),
        };
        self.at += 1;
        Ok(Operand::Value(value))
    }

    fn field(&mut self) -> Result<Field, QueryError> {
        let field = match self.peek() {
            Some(Token::Quoted(name)) => Field::Named(name.clone()),
            Some(Token::Name(name)) => match name.as_str() {
                "and" | "or" | "not" | "in" | "contains" | "startswith" | "endswith" => {
                    return Err(self.wrong("a field or a value is expected here"));
                }
                name if name.starts_with('@') && matches!(field_named(name), Field::Named(_)) => {
                    return Err(self.wrong(format!(
                        "there is no {name}: @sender, @host, @pid and @text there are; \
                         a field of such a name stands in backquotes"
                    )));
                }
                name => field_named(name),
            },
            _ => return Err(self.wrong("the name of a field is expected here")),
        };
        self.at += 1;
        Ok(field)
    }
}

/// The field of a name that stands in no quotes.
pub(super) fn field_named(name: &str) -> Field {
    match name {
        "level" | "levelno" => Field::Level,
        "message" | "msg" => Field::Message,
        "topic" => Field::Topic,
        "@sender" => Field::Sender,
        "@host" => Field::Host,
        "@pid" => Field::Pid,
        "@text" => Field::Text,
        "logger" => Field::Named("name".to_owned()),
        name => Field::Named(name.to_owned()),
    }
}

fn only(mut conditions: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(one) if conditions.is_empty() => one,
        Some(last) => {
            conditions.push(last);
            many(conditions)
        }
        None => many(conditions),
    }
}

/// What a word means that is held against `other`: names of levels against a level, times against
/// `created`.
pub(super) fn meant(operand: Operand, other: &Operand) -> Operand {
    let written = match &operand {
        Operand::Field(Field::Named(name)) => name.as_str(),
        Operand::Value(Value::Str(text)) => text,
        _ => return operand,
    };
    match other {
        Operand::Field(Field::Level) => match level_named(written) {
            Some(level) => Operand::Value(Value::from(level.0)),
            None => operand,
        },
        Operand::Field(Field::Named(name)) if name == "created" => match seconds_of(written) {
            Some(seconds) => Operand::Value(Value::from(seconds)),
            None => operand,
        },
        _ => operand,
    }
}

const A_LEVEL: &str = "a level such as warning, or its number, is expected here";
const A_TIME: &str = "a time such as 2026-11-20T08:00:00Z is expected here";

/// What is expected where a text is held against `other`, if something else is: a level that is none and a
/// time that is none would never be equal to anything.
pub(super) fn senseless(operand: &Operand, other: &Operand) -> Option<&'static str> {
    match (operand, other) {
        (Operand::Value(Value::Str(_)), Operand::Field(Field::Level)) => Some(A_LEVEL),
        (Operand::Value(Value::Str(_)), Operand::Field(Field::Named(name)))
            if name == "created" =>
        {
            Some(A_TIME)
        }
        _ => None,
    }
}

fn level_named(name: &str) -> Option<Level> {
    match name.to_lowercase().as_str() {
        "trace" => Some(Level(5)),
        "err" => Some(Level::ERROR),
        "crit" => Some(Level::CRITICAL),
        name => name.parse().ok(),
    }
}

/// The seconds of an RFC 3339 time; without a zone it is UTC.
fn seconds_of(text: &str) -> Option<f64> {
    let with_zone = format!("{text}Z");
    let moment: Timestamp = text.parse().or_else(|_| with_zone.parse()).ok()?;
    Some(moment.as_millisecond() as f64 / 1000.0)
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |conditions: &[Condition], word: &str| {
            let parts: Vec<String> = conditions.iter().map(|one| format!("({one})")).collect();
            parts.join(word)
        };
        match self {
            Condition::Any(conditions) => f.write_str(&joined(conditions, " or ")),
            Condition::All(conditions) => f.write_str(&joined(conditions, " and ")),
            Condition::Not(condition) => write!(f, "not ({condition})"),
            Condition::Exists(field) => write!(f, "exists({field})"),
            Condition::Truth(operand) => operand.fmt(f),
            Condition::Compare(left, how, right) => {
                let sign = match how {
                    Comparison::Equal => "==",
                    Comparison::Unequal => "!=",
                    Comparison::Below => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Above => ">",
                    Comparison::AtLeast => ">=",
                };
                write!(f, "{left} {sign} {right}")
            }
            Condition::Text(left, test, right) => {
                let word = match test {
                    TextTest::Contains => "contains",
                    TextTest::StartsWith => "startswith",
                    TextTest::EndsWith => "endswith",
                };
                write!(f, "{left} {word} {right}")
            }
            Condition::Matches(operand, regex) => {
                write!(f, "{operand} ~ {}", quoted(regex.as_str(), '"'))
            }
            Condition::Like(operand, glob) => {
                write!(f, "{operand} like {}", quoted(glob.as_str(), '"'))
            }
            Condition::OneOf(operand, values) => {
                let values: Vec<String> = values
                    .iter()
                    .map(|value| Operand::Value(value.clone()).to_string())
                    .collect();
                write!(f, "{operand} in [{}]", values.join(", "))
            }
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Field(field) => field.fmt(f),
            Operand::Value(Value::Str(text)) => f.write_str(&quoted(text, '"')),
            Operand::Value(Value::Bool(truth)) => truth.fmt(f),
            Operand::Value(Value::Float(x)) => write!(f, "{x:?}"),
            Operand::Value(Value::Int(n)) => n.fmt(f),
            Operand::Value(_) => f.write_str("null"),
            Operand::Lower(inner) => write!(f, "lower({inner})"),
            Operand::Length(inner) => write!(f, "len({inner})"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Level => f.write_str("level"),
            Field::Message => f.write_str("message"),
            Field::Topic => f.write_str("topic"),
            Field::Sender => f.write_str("@sender"),
            Field::Host => f.write_str("@host"),
            Field::Pid => f.write_str("@pid"),
            Field::Text => f.write_str("@text"),
            Field::Named(name) => f.write_str(&quoted(name, '`')),
        }
    }
}

/// A text in quotes, as the language takes it.
pub(crate) fn quoted(text: &str, quote: char) -> String {
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => {
                if c == quote || c == '\\' {
                    out.push('\\');
                }
                out.push(c);
            }
        }
    }
    out.push(quote);
    out
}
