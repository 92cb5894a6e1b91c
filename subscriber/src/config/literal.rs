//! Python's literals, read and never evaluated: what stands in the `args` of an `.ini` file.
//!
//! Texts, numbers, `True`, `None`, tuples, lists, dicts and sums and products of numbers are read as
//! Python reads them (docs.python.org/3/reference/expressions.html). Of names, those that logging
//! configurations use have a meaning: `sys.stdout`, `handlers.SYSLOG_UDP_PORT`, `logging.DEBUG`;
//! and `os.path.join` of texts is joined. Every other name is a problem: it is not looked up.

use super::node::{Entry, Node, Place, Tree};

/// Lists and brackets in one another, at most.
const MAX_DEPTH: usize = 64;

/// Names with a meaning, without the modules before them.
const NAMES: &[(&str, i64)] = &[
    // logging.handlers.
    ("DEFAULT_TCP_LOGGING_PORT", 9020),
    ("DEFAULT_UDP_LOGGING_PORT", 9021),
    ("DEFAULT_HTTP_LOGGING_PORT", 9022),
    ("DEFAULT_SOAP_LOGGING_PORT", 9023),
    ("SYSLOG_UDP_PORT", 514),
    ("SYSLOG_TCP_PORT", 514),
    // logging.handlers.SysLogHandler, from syslog.h.
    ("LOG_KERN", 0),
    ("LOG_USER", 1),
    ("LOG_MAIL", 2),
    ("LOG_DAEMON", 3),
    ("LOG_AUTH", 4),
    ("LOG_SYSLOG", 5),
    ("LOG_LPR", 6),
    ("LOG_NEWS", 7),
    ("LOG_UUCP", 8),
    ("LOG_CRON", 9),
    ("LOG_AUTHPRIV", 10),
    ("LOG_FTP", 11),
    ("LOG_LOCAL0", 16),
    ("LOG_LOCAL1", 17),
    ("LOG_LOCAL2", 18),
    ("LOG_LOCAL3", 19),
    ("LOG_LOCAL4", 20),
    ("LOG_LOCAL5", 21),
    ("LOG_LOCAL6", 22),
    ("LOG_LOCAL7", 23),
    // socket.
    ("SOCK_STREAM", 1),
    ("SOCK_DGRAM", 2),
    // logging.
    ("NOTSET", 0),
    ("DEBUG", 10),
    ("INFO", 20),
    ("WARN", 30),
    ("WARNING", 30),
    ("ERROR", 40),
    ("FATAL", 50),
    ("CRITICAL", 50),
];
/// What may stand before a name that has a meaning.
const MODULES: &[&str] = &[
    "",
    "handlers",
    "logging",
    "logging.handlers",
    "handlers.SysLogHandler",
    "logging.handlers.SysLogHandler",
    "SysLogHandler",
    "socket",
];

/// A text that is no literal: what is wrong, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoLiteral {
    pub(super) problem: String,
    pub(super) at: usize,
}

/// Reads a literal; `place` says where a byte of the text stands.
pub(super) fn parse(text: &str, place: &dyn Fn(usize) -> Place) -> Result<Node, NoLiteral> {
    let mut reader = Reader {
        text,
        at: 0,
        place,
        depth: 0,
    };
    let node = reader.tuple_or_value()?;
    match reader.peek() {
        None => Ok(node),
        Some(c) => Err(reader.wrong(format!("{c:?} is not expected here"))),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    place: &'a dyn Fn(usize) -> Place,
    depth: usize,
}

impl Reader<'_> {
    /// What stands next, white space and comments aside.
    fn peek(&mut self) -> Option<char> {
        loop {
            let rest = &self.text[self.at..];
            let c = rest.chars().next()?;
            match c {
                '#' => self.at += rest.find('\n').unwrap_or(rest.len()),
                c if c.is_whitespace() => self.at += c.len_utf8(),
                c => return Some(c),
            }
        }
    }

    fn take(&mut self, wanted: &str) -> bool {
        self.peek();
        let is_there = self.text[self.at..].starts_with(wanted);
        if is_there {
            self.at += wanted.len();
        }
        is_there
    }

    fn wrong(&self, problem: impl Into<String>) -> NoLiteral {
        NoLiteral {
            problem: problem.into(),
            at: self.at,
        }
    }

    fn node(&self, begin: usize, tree: Tree) -> Node {
        Node::new((self.place)(begin), tree)
    }

    /// `a, b` without brackets is a tuple, too.
    fn tuple_or_value(&mut self) -> Result<Node, NoLiteral> {
        self.peek();
        let begin = self.at;
        let first = self.sum()?;
        if !self.take(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.peek().is_some() {
            items.push(self.sum()?);
            if !self.take(",") {
                break;
            }
        }
        Ok(self.node(begin, Tree::List(items)))
    }

    fn sum(&mut self) -> Result<Node, NoLiteral> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong(format!("more than {MAX_DEPTH} brackets in one another")));
        }
        let mut left = self.product()?;
        while let Some(operator @ ('+' | '-')) = self.peek() {
            self.at += 1;
            let right = self.product()?;
            left = self.joined(left, operator, right)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn product(&mut self) -> Result<Node, NoLiteral> {
        let mut left = self.signed()?;
        loop {
            if self.take("**") {
                let right = self.signed()?;
                left = self.joined(left, '^', right)?;
            } else if self.take("*") {
                let right = self.signed()?;
                // As in Python, a power binds more than a product.
                let right = if self.take("**") {
                    let power = self.signed()?;
                    self.joined(right, '^', power)?
                } else {
                    right
                };
                left = self.joined(left, '*', right)?;
            } else {
                return Ok(left);
            }
        }
    }

    /// What an operator makes of two numbers, or `+` of two texts.
    fn joined(&self, left: Node, operator: char, right: Node) -> Result<Node, NoLiteral> {
        let made = match (&left.tree, operator, &right.tree) {
            (Tree::Int(a), '+', Tree::Int(b)) => a.checked_add(*b).map(Tree::Int),
            (Tree::Int(a), '-', Tree::Int(b)) => a.checked_sub(*b).map(Tree::Int),
            (Tree::Int(a), '*', Tree::Int(b)) => a.checked_mul(*b).map(Tree::Int),
            (Tree::Int(a), '^', Tree::Int(b)) => {
                let power = u32::try_from(*b).ok();
                power.and_then(|power| a.checked_pow(power)).map(Tree::Int)
            }
            (Tree::Text(a), '+', Tree::Text(b)) => Some(Tree::Text(format!("{a}{b}"))),
            (a, operator, b) => match (number(a), number(b)) {
                (Some(a), Some(b)) => match operator {
                    '+' => Some(Tree::Float(a + b)),
                    '-' => Some(Tree::Float(a - b)),
                    '*' => Some(Tree::Float(a * b)),
                    _ => None,
                },
                _ => None,
            },
        };
        match made {
            Some(tree) => Ok(Node::new(left.place, tree)),
            None => Err(self.wrong("this is not calculated; write the result")),
        }
    }

    fn signed(&mut self) -> Result<Node, NoLiteral> {
        self.peek();
        let begin = self.at;
        let mut is_negative = false;
        loop {
            if self.take("-") {
                is_negative = !is_negative;
            } else if !self.take("+") {
                break;
            }
        }
        let node = self.atom()?;
        match (&node.tree, is_negative) {
            (_, false) => Ok(node),
            (Tree::Int(n), true) => match n.checked_neg() {
                Some(n) => Ok(self.node(begin, Tree::Int(n))),
                None => Err(self.wrong("the number is too large")),
            },
            (Tree::Float(x), true) => Ok(self.node(begin, Tree::Float(-x))),
            _ => Err(self.wrong("only a number has a sign")),
        }
    }

    fn atom(&mut self) -> Result<Node, NoLiteral> {
        let first = self.peek();
        let begin = self.at;
        match first {
            None => Err(self.wrong("a value is missing here")),
            Some('(') => self.brackets(begin),
            Some('[') => {
                self.at += 1;
                let items = self.items("]")?;
                Ok(self.node(begin, Tree::List(items)))
            }
            Some('{') => self.braces(begin),
            Some('"' | '\'') => self.texts(begin),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(begin),
            Some(c) if c.is_alphabetic() || c == '_' => self.word(begin),
            Some(c) => Err(self.wrong(format!("{c:?} is not expected here"))),
        }
    }

    /// Brackets around one value are only brackets; a comma makes a tuple.
    fn brackets(&mut self, begin: usize) -> Result<Node, NoLiteral> {
        self.at += 1;
        if self.take(")") {
            return Ok(self.node(begin, Tree::List(Vec::new())));
        }
        let first = self.sum()?;
        if self.take(")") {
            return Ok(first);
        }
        if !self.take(",") {
            return Err(self.wrong("\",\" or \")\" is missing here"));
        }
        let mut items = vec![first];
        items.extend(self.items(")")?);
        Ok(self.node(begin, Tree::List(items)))
    }

    fn items(&mut self, end: &str) -> Result<Vec<Node>, NoLiteral> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.sum()?);
            if !self.take(",") {
                if self.take(end) {
                    break;
                }
                return Err(self.wrong(format!("\",\" or {end:?} is missing here")));
            }
        }
        Ok(items)
    }

    /// A dict or a set.
    fn braces(&mut self, begin: usize) -> Result<Node, NoLiteral> {
        self.at += 1;
        let (mut entries, mut items) = (Vec::new(), Vec::new());
        while !self.take("}") {
            let key = self.sum()?;
            if self.take(":") {
                let Tree::Text(name) = key.tree else {
                    return Err(self.wrong("a key must be a text"));
                };
                entries.push(Entry {
                    key: name,
                    place: key.place,
                    value: self.sum()?,
                });
            } else {
                items.push(key);
            }
            if !self.take(",") {
                if self.take("}") {
                    break;
                }
                return Err(self.wrong("\",\" or \"}\" is missing here"));
            }
        }
        let tree = match (items.is_empty(), entries.is_empty()) {
            (true, _) => Tree::Map(last_of_each(entries)),
            (false, true) => Tree::List(items),
            (false, false) => return Err(self.wrong("keys are missing here")),
        };
        Ok(self.node(begin, tree))
    }

    /// Texts that stand side by side are one.
    fn texts(&mut self, begin: usize) -> Result<Node, NoLiteral> {
        let mut text = String::new();
        while let Some('"' | '\'') = self.peek() {
            self.one_text(false, &mut text)?;
        }
        Ok(self.node(begin, Tree::Text(text)))
    }

    fn one_text(&mut self, is_raw: bool, out: &mut String) -> Result<(), NoLiteral> {
        let begin = self.at;
        let rest = &self.text[begin..];
        let quote = &rest[..1];
        let triple = quote.repeat(3);
        let mark = if rest.starts_with(&triple) {
            triple
        } else {
            quote.to_owned()
        };
        self.at += mark.len();
        loop {
            let rest = &self.text[self.at..];
            if rest.starts_with(&mark) {
                self.at += mark.len();
                return Ok(());
            }
            let Some(c) = rest
                .chars()
                .next()
                .filter(|c| mark.len() == 3 || *c != '\n')
            else {
                self.at = begin;
                return Err(self.wrong("this text has no end"));
            };
            self.at += c.len_utf8();
            if c != '\\' {
                out.push(c);
            } else if is_raw {
                out.push(c);
                let next = self.text[self.at..].chars().next();
                out.extend(next);
                self.at += next.map_or(0, char::len_utf8);
            } else {
                self.escape(out)?;
            }
        }
    }

    /// What stands behind a backslash (docs.python.org/3/reference/lexical_analysis.html).
    fn escape(&mut self, out: &mut String) -> Result<(), NoLiteral> {
        let Some(c) = self.text[self.at..].chars().next() else {
            return Err(self.wrong("this text has no end"));
        };
        self.at += c.len_utf8();
        let simple = match c {
            '\n' => return Ok(()),
            '\\' | '\'' | '"' => c,
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => return self.code(2, out),
            'u' => return self.code(4, out),
            'U' => return self.code(8, out),
            '0'..='7' => return self.octal(out),
            'N' => return Err(self.wrong("\\N{…} is not looked up; write the character")),
            // Python keeps the backslash of what is no escape.
            c => {
                out.push('\\');
                c
            }
        };
        out.push(simple);
        Ok(())
    }

    fn code(&mut self, digits: usize, out: &mut String) -> Result<(), NoLiteral> {
        let hex = self.text.get(self.at..self.at + digits);
        let code = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match code.and_then(char::from_u32) {
            Some(c) => {
                out.push(c);
                self.at += digits;
                Ok(())
            }
            None => Err(self.wrong("this is no character")),
        }
    }

    fn octal(&mut self, out: &mut String) -> Result<(), NoLiteral> {
        let begin = self.at - 1;
        let digits = self.text[begin..]
            .bytes()
            .take(3)
            .take_while(|byte| (b'0'..=b'7').contains(byte))
            .count();
        self.at = begin + digits;
        let code = u32::from_str_radix(&self.text[begin..self.at], 8).ok();
        match code.and_then(char::from_u32) {
            Some(c) => {
                out.push(c);
                Ok(())
            }
            None => Err(self.wrong("this is no character")),
        }
    }

    fn number(&mut self, begin: usize) -> Result<Node, NoLiteral> {
        let rest = &self.text[begin..];
        let is_based = ["0x", "0X", "0o", "0O", "0b", "0B"]
            .iter()
            .any(|base| rest.starts_with(base));
        let mut end = 0;
        let mut before = ' ';
        for c in rest.chars() {
            let is_sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && !is_based;
            if !(c.is_ascii_alphanumeric() || c == '_' || c == '.' || is_sign) {
                break;
            }
            end += 1;
            before = c;
        }
        let written = &rest[..end];
        self.at = begin + end;
        let tree = number_of(written).ok_or_else(|| NoLiteral {
            problem: format!("{written} is no number that can be used"),
            at: begin,
        })?;
        Ok(self.node(begin, tree))
    }

    fn word(&mut self, begin: usize) -> Result<Node, NoLiteral> {
        let rest = &self.text[begin..];
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(rest.len());
        let word = &rest[..end];
        if rest[end..].starts_with(['"', '\'']) {
            return self.prefixed(begin, word);
        }
        self.at = begin + end;
        let tree = match word {
            "True" => Tree::Bool(true),
            "False" => Tree::Bool(false),
            "None" => Tree::Null,
            "sys.stdout" | "sys.stderr" => Tree::Text(format!("ext://{word}")),
            "os.path.join" if self.take("(") => self.path()?,
            _ => match named(word) {
                Some(number) => Tree::Int(number),
                None => {
                    return Err(NoLiteral {
                        problem: format!("{word} is not looked up; write the value"),
                        at: begin,
                    });
                }
            },
        };
        Ok(self.node(begin, tree))
    }

    /// A text with letters before it: `r"…"`, `b"…"`, `u"…"`.
    fn prefixed(&mut self, begin: usize, prefix: &str) -> Result<Node, NoLiteral> {
        let prefix = prefix.to_lowercase();
        let is_raw = match prefix.as_str() {
            "r" | "rb" | "br" => true,
            "b" | "u" => false,
            _ => {
                let problem = format!("a text with {prefix:?} before it is not evaluated");
                return Err(self.wrong(problem));
            }
        };
        self.at = begin + prefix.len();
        let mut text = String::new();
        self.one_text(is_raw, &mut text)?;
        while let Some('"' | '\'') = self.peek() {
            self.one_text(false, &mut text)?;
        }
        Ok(self.node(begin, Tree::Text(text)))
    }

    fn path(&mut self) -> Result<Tree, NoLiteral> {
        let mut path = std::path::PathBuf::new();
        for part in self.items(")")? {
            match part.tree {
                Tree::Text(text) => path.push(text),
                _ => return Err(self.wrong("a path is made of texts")),
            }
        }
        Ok(Tree::Text(path.display().to_string()))
    }
}

/// Of a key that comes twice, the last value in the first place, as in Python.
fn last_of_each(entries: Vec<Entry>) -> Vec<Entry> {
    let mut unique: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        match unique.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => known.value = entry.value,
            None => unique.push(entry),
        }
    }
    unique
}

fn number(tree: &Tree) -> Option<f64> {
    match tree {
        Tree::Int(n) => Some(*n as f64),
        Tree::Float(x) => Some(*x),
        _ => None,
    }
}

fn number_of(written: &str) -> Option<Tree> {
    let is_spaced = !written.starts_with('_') && !written.ends_with('_') && !written.contains("__");
    let digits = written.replace('_', "").to_lowercase();
    let based = [("0x", 16), ("0o", 8), ("0b", 2)];
    if !is_spaced {
        return None;
    }
    for (prefix, radix) in based {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return i64::from_str_radix(digits, radix).ok().map(Tree::Int);
        }
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // Python refuses 0640: it once was octal.
        let is_old_octal = digits.starts_with('0') && !digits.trim_matches('0').is_empty();
        return digits.parse().ok().filter(|_| !is_old_octal).map(Tree::Int);
    }
    let is_float = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte));
    digits.parse().ok().filter(|_| is_float).map(Tree::Float)
}

fn named(word: &str) -> Option<i64> {
    let (module, name) = word.rsplit_once('.').unwrap_or(("", word));
    let (_, number) = NAMES.iter().find(|(known, _)| *known == name)?;
    MODULES.contains(&module).then_some(*number)
}

#[cfg(test)]
mod tests;
