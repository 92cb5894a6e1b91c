//! The query language: `level >= warn and (status >= 500 or not exists(user.id))`.
//!
//! A query is compiled once and held against one record at a time. `docs/query.md` has the language
//! for users. What a record does not have is equal to `null` and compares to nothing else; values
//! of unlike kinds are not equal, and neither is below the other; no record is an error. The parts:
//! `lexer.rs` makes words of the text, `parser.rs` a tree of the words, `eval.rs` an answer of the
//! tree and a record; `build.rs` makes trees of what was not written in the language.

mod lexer;
mod parser;
mod build;
mod eval;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

use std::fmt;

use crate::item::Delivered;
pub(crate) use build::smart_case;
use parser::Condition;
pub(crate) use parser::quoted;

/// A compiled query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    condition: Condition,
}

/// Characters of a text that a message quotes.
const SHOWN: usize = 12;

/// A text that is no query: where, in characters from 1, and what to write there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// The column.
    pub column: usize,
    /// The first characters of what stands there; nothing at the end.
    pub near: String,
    /// What is wrong.
    pub problem: String,
}

impl QueryError {
    fn new(column: usize, problem: impl Into<String>) -> Self {
        Self {
            column,
            near: String::new(),
            problem: problem.into(),
        }
    }

    /// The same with what stands there in `text`.
    fn quoting(mut self, text: &str) -> Self {
        let mut there = text.chars().skip(self.column - 1);
        self.near = there.by_ref().take(SHOWN).collect();
        if there.next().is_some() {
            self.near.push('…');
        }
        self
    }
}

/// `column 15: at "an x": and, or or the end is expected here`.
impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: ", self.column)?;
        match self.near.as_str() {
            "" => f.write_str("at the end: ")?,
            near => write!(f, "at {near:?}: ")?,
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for QueryError {}

impl Query {
    /// Compiles a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::of(parser::parse(text), text)
    }

    /// Records in whose text, with all that a reader sees, a regular expression fits somewhere. One
    /// without a letter in upper case fits letters in any case.
    pub fn matching_text(regex: &str) -> Result<Self, QueryError> {
        Self::of(build::text(regex), regex)
    }

    /// Records of a sender whose name fits a pattern with `*` and `?`: `host/program:pid`,
    /// `program:pid`, `program` or its id in hex.
    pub fn sender(glob: &str) -> Self {
        Self {
            condition: build::sender(glob),
        }
    }

    /// Records by one field: `key=value`, also with `!=`, `~=` and a regular expression, `<`, `<=`,
    /// `>`, `>=`. With a `?` before that sign, records that do not have the field, too.
    ///
    /// Numbers, `true`, `false` and `null` are such, and everything else is a text, which needs no
    /// quotes; in quotes it is one in any case.
    pub fn field(text: &str) -> Result<Self, QueryError> {
        Self::of(build::field(text), text)
    }

    fn of(condition: Result<Condition, QueryError>, text: &str) -> Result<Self, QueryError> {
        match condition {
            Ok(condition) => Ok(Self { condition }),
            Err(error) => Err(error.quoting(text)),
        }
    }

    /// Whether a record is one that is asked for.
    pub fn matches(&self, delivered: &Delivered) -> bool {
        eval::holds(&self.condition, delivered)
    }
}

/// The query with every bracket and quote that it can have: parsed again it is the same.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(f)
    }
}

#[cfg(test)]
mod tests;
