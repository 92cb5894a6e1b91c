//! Reads JSON as Python's `json` module does, in one pass over the bytes.
//!
//! Any bytes are a value or an error that says where; time and memory are linear in their number,
//! and the stack is bounded by the nesting limit. What a record is, the module above knows.

use std::borrow::Cow;

use compact_str::CompactString;

use super::run;
use crate::attributes::{attribute_in, attribute_key};
use crate::codec::{CodecError, CodecErrorKind, MAX_DEPTH};
use crate::value::{Map, Value};

/// What a number's digits say.
enum Digits {
    /// `-Infinity`, which has none.
    Infinity,
    /// An integer.
    Integer,
    /// A float.
    Float,
}

/// Bytes, and how far they are read.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            depth: 0,
        }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Of what stands within a record.
    pub(super) fn within_record(bytes: &'a [u8]) -> Self {
        Self {
            depth: 1,
            ..Self::new(bytes)
        }
    }

    pub(super) fn stands_at_object(&self) -> bool {
        self.peek() == Some(b'{')
    }

    /// Reads a value into its place: moving one through results costs more than reading it.
    pub(super) fn value(&mut self, place: &mut Value) -> Result<(), CodecError> {
        self.skip_space();
        *place = match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Value::Str(self.text()?.into())
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'{') => Value::Map(self.object(0)?),
            Some(b'[') => Value::List(self.list()?),
            Some(b'n') => self.word(b"null").map(|()| Value::Null)?,
            Some(b't') => self.word(b"true").map(|()| Value::Bool(true))?,
            Some(b'f') => self.word(b"false").map(|()| Value::Bool(false))?,
            Some(b'N') => self.word(b"NaN").map(|()| Value::Float(f64::NAN))?,
            Some(b'I') => self
                .word(b"Infinity")
                .map(|()| Value::Float(f64::INFINITY))?,
            _ => return Err(self.unexpected()),
        };
        Ok(())
    }

    /// Reads an object that is expected to have about so many keys.
    pub(super) fn object(&mut self, expected: usize) -> Result<Map, CodecError> {
        let mut pairs = Vec::with_capacity(expected);
        self.entries(b'}', |reader| reader.pair(&mut pairs))?;
        Ok(Map::from_pairs(pairs))
    }

    fn pair(&mut self, pairs: &mut Vec<(CompactString, Value)>) -> Result<(), CodecError> {
        self.skip_space();
        self.expect(b'"')?;
        let place = pairs.len();
        match self.attribute() {
            Some(known) => pairs.push((attribute_key(known).clone(), Value::Null)),
            None => pairs.push((self.text()?.into(), Value::Null)),
        }
        self.skip_space();
        self.expect(b':')?;
        self.value(&mut pairs[place].1)
    }

    fn list(&mut self) -> Result<Vec<Value>, CodecError> {
        let mut items = Vec::new();
        self.entries(b']', |reader| {
            let place = items.len();
            items.push(Value::Null);
            reader.value(&mut items[place])
        })?;
        Ok(items)
    }

    /// Steps over brackets, and has each entry between them read.
    #[inline(always)]
    fn entries(
        &mut self,
        close: u8,
        mut entry: impl FnMut(&mut Self) -> Result<(), CodecError>,
    ) -> Result<(), CodecError> {
        if self.depth == MAX_DEPTH {
            return Err(self.fail(CodecErrorKind::TooDeep));
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(close) {
            self.at += 1;
        } else {
            loop {
                entry(self)?;
                if self.ends(close)? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Steps over what follows an entry: the closing bracket (`true`) or a comma.
    fn ends(&mut self, close: u8) -> Result<bool, CodecError> {
        self.skip_space();
        match self.peek() {
            Some(byte) if byte == close || byte == b',' => {
                self.at += 1;
                Ok(byte == close)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), CodecError> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(())
        } else if word.starts_with(rest) {
            Err(fail_at(CodecErrorKind::Truncated, self.bytes.len()))
        } else {
            Err(self.fail(CodecErrorKind::Syntax))
        }
    }

    fn number(&mut self) -> Result<Value, CodecError> {
        let start = self.at;
        match self.digits()? {
            Digits::Infinity => Ok(Value::Float(f64::NEG_INFINITY)),
            Digits::Integer => Ok(integer(self.utf8(start, self.at)?)),
            Digits::Float => {
                let number = self.utf8(start, self.at)?.parse();
                number
                    .map(Value::Float)
                    .map_err(|_| fail_at(CodecErrorKind::Syntax, start))
            }
        }
    }

    /// Steps over a number.
    fn digits(&mut self) -> Result<Digits, CodecError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
            if self.peek() == Some(b'I') {
                self.word(b"Infinity")?;
                return Ok(Digits::Infinity);
            }
        }
        let first = self.at;
        self.some_digits()?;
        if self.bytes[first] == b'0' && self.at > first + 1 {
            return Err(fail_at(CodecErrorKind::Syntax, first + 1));
        }
        if !matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Ok(Digits::Integer);
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(Digits::Float)
    }

    /// Steps over at least one digit.
    fn some_digits(&mut self) -> Result<(), CodecError> {
        let digits = self.bytes[self.at..].iter();
        let length = digits.take_while(|byte| byte.is_ascii_digit()).count();
        self.at += length;
        match length {
            0 => Err(self.unexpected()),
            _ => Ok(()),
        }
    }

    /// Steps over a key behind its opening quote, when it is an attribute's name; says which.
    fn attribute(&mut self) -> Option<usize> {
        let rest = &self.bytes[self.at..];
        let length = run::to_read(rest);
        if rest.get(length) != Some(&b'"') {
            return None;
        }
        let place = attribute_in(rest, length)?;
        self.at += length + 1;
        Some(place)
    }

    /// Reads a text behind its opening quote, and the closing one.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, CodecError> {
        let start = self.at;
        self.at += run::to_read(&self.bytes[start..]);
        let run = self.utf8(start, self.at)?;
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Cow::Borrowed(run))
            }
            Some(_) => self.escaped_text(String::from(run)).map(Cow::Owned),
            None => Err(self.unexpected()),
        }
    }

    /// Reads on, in a text that has come to its first backslash.
    fn escaped_text(&mut self, mut text: String) -> Result<String, CodecError> {
        while self.peek() == Some(b'\\') {
            self.at += 1;
            self.escape(&mut text)?;
            let start = self.at;
            self.at += run::to_read(&self.bytes[start..]);
            text.push_str(self.utf8(start, self.at)?);
        }
        self.expect(b'"')?;
        Ok(text)
    }

    /// Reads what stands behind a backslash.
    fn escape(&mut self, text: &mut String) -> Result<(), CodecError> {
        let c = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape(text);
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        text.push(c);
        Ok(())
    }

    /// Reads the four digits behind one `\u`, or behind two that are the halves of one character.
    fn unicode_escape(&mut self, text: &mut String) -> Result<(), CodecError> {
        let unit = self.four_hex_digits()?;
        if let Some(c) = char::from_u32(unit) {
            text.push(c);
            return Ok(());
        }
        let behind = self.at;
        if unit < 0xDC00 && self.bytes[behind..].starts_with(b"\\u") {
            self.at += 2;
            let low = self.four_hex_digits()?;
            if let Some(c) = surrogate_pair(unit, low) {
                text.push(c);
                return Ok(());
            }
            // The second one is a character of its own.
            self.at = behind;
        }
        text.push_str(&format!("\\u{unit:04x}"));
        Ok(())
    }

    fn four_hex_digits(&mut self) -> Result<u32, CodecError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.unexpected())?;
            self.at += 1;
        }
        Ok(unit)
    }

    fn utf8(&self, start: usize, end: usize) -> Result<&'a str, CodecError> {
        std::str::from_utf8(&self.bytes[start..end]).map_err(|error| {
            if end == self.bytes.len() && error.error_len().is_none() {
                return fail_at(CodecErrorKind::Truncated, end);
            }
            fail_at(CodecErrorKind::NotUtf8, start + error.valid_up_to())
        })
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Result<(), CodecError> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    /// The next byte, or the end, is not what may stand here.
    fn unexpected(&self) -> CodecError {
        let ended = self.at >= self.bytes.len();
        self.fail(if ended {
            CodecErrorKind::Truncated
        } else {
            CodecErrorKind::Syntax
        })
    }

    fn fail(&self, kind: CodecErrorKind) -> CodecError {
        fail_at(kind, self.at)
    }
}

fn fail_at(kind: CodecErrorKind, at: usize) -> CodecError {
    CodecError { kind, at }
}

/// The smallest integer variant for decimal digits with an optional `-`, without leading zeros.
pub(in crate::codec) fn integer(digits: &str) -> Value {
    if let Ok(n) = digits.parse() {
        return Value::Int(n);
    }
    match digits.parse() {
        Ok(n) => Value::UInt(n),
        Err(_) => Value::BigInt(digits.into()),
    }
}

fn surrogate_pair(high: u32, low: u32) -> Option<char> {
    let low = low.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
    char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low)
}
