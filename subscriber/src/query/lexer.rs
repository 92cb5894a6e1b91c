//! A query's text as words.

use super::QueryError;

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, as `status`, `user.id` or `and`.
    Name(String),
    /// A name in backticks.
    Quoted(String),
    /// A text in quotes.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// An expression between slashes.
    Regex(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

/// Operators and brackets, the longer ones first.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "=~", "!~", "&&", "||", "=", "<", ">", "~", "!", "(", ")", "[", "]",
    ",",
];

/// Splits a text into words, each with its column from 1.
pub(super) fn words(text: &str) -> Result<Vec<(Token, usize)>, QueryError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut words = Vec::new();
    loop {
        let rest = &text[lexer.at..];
        lexer.at += rest.len() - rest.trim_start().len();
        if lexer.at == text.len() {
            return Ok(words);
        }
        let column = lexer.column();
        // Only behind such a sign can a slash begin an expression.
        let expects_regex = matches!(words.last(), Some((Token::Sign("~" | "=~" | "!~"), _)));
        words.push((lexer.word(expects_regex)?, column));
    }
}

/// The text in quotes or backticks that begins at `at`, and where it ends.
pub(super) fn quoted_text(text: &str, at: usize) -> Result<(String, usize), QueryError> {
    let quote = text[at..].chars().next().unwrap_or('"');
    let mut lexer = Lexer { text, at };
    Ok((lexer.quoted(quote)?, lexer.at))
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn column(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    fn wrong(&self, problem: impl Into<String>) -> QueryError {
        QueryError::new(self.column(), problem)
    }

    fn word(&mut self, expects_regex: bool) -> Result<Token, QueryError> {
        let rest = &self.text[self.at..];
        let first = rest.chars().next().unwrap_or(' ');
        match first {
            '"' | '\'' => self.quoted(first).map(Token::Text),
            '`' => self.quoted(first).map(Token::Quoted),
            '/' if expects_regex => self.regex(),
            '-' | '0'..='9' => self.number(),
            c if c.is_alphabetic() || c == '_' || c == '@' => {
                let is_part = |c: char| c.is_alphanumeric() || "_@.".contains(c);
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                self.at += end;
                Ok(Token::Name(rest[..end].to_owned()))
            }
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Ok(Token::Sign(sign))
                }
                None => Err(self.wrong(
                    "this has no meaning here; a name with odd characters stands in `backticks`",
                )),
            },
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, QueryError> {
        let mut text = String::new();
        let mut chars = self.text[self.at + 1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, c)) => text.push(c),
                    None => break,
                },
                c if c == quote => {
                    self.at += 1 + at + 1;
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err(self.wrong(format!("this {quote} is not closed")))
    }

    /// Everything up to the next slash that has no backslash before it.
    fn regex(&mut self) -> Result<Token, QueryError> {
        let rest = &self.text[self.at + 1..];
        let mut is_escaped = false;
        for (at, c) in rest.char_indices() {
            match c {
                '/' if !is_escaped => {
                    self.at += 1 + at + 1;
                    return Ok(Token::Regex(rest[..at].replace("\\/", "/")));
                }
                '\\' => is_escaped = !is_escaped,
                _ => is_escaped = false,
            }
        }
        Err(self.wrong("this / is not closed"))
    }

    fn number(&mut self) -> Result<Token, QueryError> {
        let rest = &self.text[self.at..];
        let mut before = ' ';
        let is_part = |c: char| {
            let is_sign = "+-".contains(c) && (before == ' ' || "eE".contains(before));
            let is_part = c.is_ascii_alphanumeric() || c == '.' || is_sign;
            before = c;
            !is_part
        };
        let end = rest.find(is_part).unwrap_or(rest.len());
        let digits = &rest[..end];
        let token = match (digits.parse(), digits.parse::<f64>()) {
            (Ok(number), _) => Token::Int(number),
            (Err(_), Ok(number)) if number.is_finite() => Token::Float(number),
            _ => return Err(self.wrong("this is no number; a text stands in quotes")),
        };
        self.at += end;
        Ok(token)
    }
}
