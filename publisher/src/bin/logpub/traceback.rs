//! A Python traceback's lines joined into one piece.
//!
//! A traceback begins with a line that says so, goes on with indented lines, and ends with the
//! first line that is not indented: the exception. Where another one follows ("During handling of
//! the above exception, …"), it belongs to the same piece. This is a state machine over lines; it
//! reads nothing and knows no time.

const BEGIN: &str = "Traceback (most recent call last):";
const CHAINS: [&str; 2] = [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];

/// What a program printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A line.
    Line(String),
    /// A traceback: its last line, and all of it.
    Traceback { exception: String, text: String },
}

/// The lines of a traceback that is not complete yet.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    held: Vec<String>,
    /// The line that names the exception, once it has come.
    exception: Option<String>,
}

impl Joiner {
    /// Takes a line; returns the pieces that are complete with it.
    pub(crate) fn push(&mut self, line: String) -> Vec<Piece> {
        if self.held.is_empty() {
            if line == BEGIN {
                self.held.push(line);
                return Vec::new();
            }
            return vec![Piece::Line(line)];
        }
        if self.belongs(&line) {
            let names = self.exception.is_none() && !line.starts_with([' ', '\t']) && line != BEGIN;
            if names {
                self.exception = Some(line.clone());
            } else if line == BEGIN {
                self.exception = None;
            }
            self.held.push(line);
            return Vec::new();
        }
        let mut pieces = self.end();
        pieces.extend(self.push(line));
        pieces
    }

    /// Whether something is held that a pause should let go.
    pub(crate) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Lets go what is held.
    pub(crate) fn end(&mut self) -> Vec<Piece> {
        let lines = std::mem::take(&mut self.held);
        match self.exception.take() {
            None => lines.into_iter().map(Piece::Line).collect(),
            Some(exception) => {
                // Empty lines that no further exception followed stand for themselves.
                let end = lines
                    .iter()
                    .rposition(|line| !line.is_empty())
                    .map_or(0, |at| at + 1);
                let after = lines[end..].iter().cloned().map(Piece::Line);
                let traceback = Piece::Traceback {
                    exception,
                    text: lines[..end].join("\n"),
                };
                std::iter::once(traceback).chain(after).collect()
            }
        }
    }

    fn belongs(&self, line: &str) -> bool {
        match &self.exception {
            None => true,
            Some(_) => {
                let last = self.held.last().map(String::as_str).unwrap_or_default();
                let is_chained = CHAINS
                    .iter()
                    .any(|chain| self.held.iter().any(|l| l == chain));
                line.is_empty()
                    || CHAINS.contains(&line)
                    || (is_chained && line == BEGIN && last.is_empty())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(text: &str) -> Vec<Piece> {
        let mut joiner = Joiner::default();
        let mut pieces: Vec<Piece> = text
            .lines()
            .flat_map(|line| joiner.push(line.to_owned()))
            .collect();
        pieces.extend(joiner.end());
        pieces
    }

    fn line(text: &str) -> Piece {
        Piece::Line(text.to_owned())
    }

    const ONE: &str = "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n    \
                       1/0\nZeroDivisionError: division by zero";

    #[test]
    fn a_traceback_is_one_piece_between_lines() {
        let traceback = Piece::Traceback {
            exception: "ZeroDivisionError: division by zero".to_owned(),
            text: ONE.to_owned(),
        };
        assert_eq!(
            join(&format!("a\n{ONE}\nb")),
            [line("a"), traceback.clone(), line("b")]
        );
        assert_eq!(
            join(&format!("{ONE}\n{ONE}")),
            [traceback.clone(), traceback]
        );
    }

    #[test]
    fn chained_exceptions_are_one_piece_named_by_the_last() {
        let text = format!(
            "{ONE}\n\nDuring handling of the above exception, another exception occurred:\n\n\
             Traceback (most recent call last):\n  File \"x.py\", line 3\nKeyError: 'a'"
        );
        assert_eq!(
            join(&text),
            [Piece::Traceback {
                exception: "KeyError: 'a'".to_owned(),
                text: text.clone()
            }]
        );
    }

    #[test]
    fn a_beginning_without_an_end_stays_lines() {
        let begun = "Traceback (most recent call last):\n  File \"x.py\"";
        assert_eq!(join(begun), begun.lines().map(line).collect::<Vec<_>>());
    }
}
