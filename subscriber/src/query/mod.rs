//! The query language: `level >= warn and (status >= 500 or not exists(user.id))`.
//!
//! A query is compiled once and held against one record at a time. `docs/query.md` has the language
//! for users. What a record does not have is equal to `null` and compares to nothing else; values
//! of unlike kinds are not equal, and neither is below the other; no record is an error. The parts:
//! `lexer.rs` makes words of the text, `parser.rs` a tree of the words, `eval.rs` an answer of the
//! tree and a record.

mod lexer;
mod parser;
mod eval;

use std::fmt;

use crate::item::Delivered;
use parser::Condition;

/// A compiled query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    condition: Condition,
}

/// A text that is no query: where, in characters from 1, and what to write there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// The column.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.problem)
    }
}

impl std::error::Error for QueryError {}

impl Query {
    /// Compiles a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let condition = parser::parse(text)?;
        Ok(Self { condition })
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
