//! The instructions of a pickle: which there are, and how their arguments stand in the bytes.
//!
//! The list is that of CPython's `Lib/pickletools.py`, protocols 0 to 5. Instructions that do the
//! same with other lengths of arguments are one [`Op`]. What an instruction does to the stack is
//! `machine.rs`'s part.

use super::scalar::{
    integer, raw_unicode, text_or_bytes, unescaped, unquoted, utf8_with_surrogates, written_number,
};
use crate::codec::{CodecError, CodecErrorKind};
use crate::value::Value;

/// An instruction.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Op<'a> {
    Push(Value),
    /// Something that has no value here, and the text that says so.
    Opaque(&'static str),
    /// An object that is kept elsewhere under the id on the stack.
    Persistent,
    Mark,
    Pop,
    PopMark,
    Duplicate,
    EmptyList,
    EmptyDict,
    EmptySet,
    /// A tuple of so many values from the stack.
    Tuple(usize),
    /// A list, tuple or frozenset of what was pushed since the mark.
    Collect,
    CollectDict,
    Append,
    Appends,
    SetItem,
    SetItems,
    Get(u64),
    Put(u64),
    Memoize,
    Global {
        module: &'a str,
        name: &'a str,
    },
    StackGlobal,
    /// Calls: a callable and its arguments from the stack.
    Call,
    /// Calls with keywords, too.
    CallWithKeywords,
    /// Calls what is named here with what was pushed since the mark.
    CallNamed {
        module: &'a str,
        name: &'a str,
    },
    /// Calls the first that was pushed since the mark with the rest.
    CallMarked,
    SetState,
    Nothing,
    Stop,
}

/// What stands for an object that is kept elsewhere.
pub(super) const PERSISTENT: &str = "<persistent object>";

/// Bytes, and how far they are read.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(super) fn fail(&self, kind: CodecErrorKind) -> CodecError {
        CodecError { kind, at: self.at }
    }

    /// The next instruction.
    pub(super) fn op(&mut self) -> Result<Op<'a>, CodecError> {
        let [code] = self.array()?;
        Ok(match code {
            b'N' | 0x88 | 0x89 | b'I' | b'L' | b'F' | b'G' | b'J' | b'K' | b'M' | 0x8A | 0x8B => {
                Op::Push(self.number(code)?)
            }
            b'S' | b'T' | b'U' | b'V' | b'X' | 0x8C | 0x8D => Op::Push(self.text(code)?),
            b'B' | b'C' | 0x8E | 0x96 => Op::Push(self.bytes(code)?),
            b'(' => Op::Mark,
            b'0' => Op::Pop,
            b'1' => Op::PopMark,
            b'2' => Op::Duplicate,
            b']' => Op::EmptyList,
            b'}' => Op::EmptyDict,
            0x8F => Op::EmptySet,
            b')' => Op::Tuple(0),
            0x85..=0x87 => Op::Tuple(usize::from(code) - 0x84),
            b'l' | b't' | 0x91 => Op::Collect,
            b'd' => Op::CollectDict,
            b'a' => Op::Append,
            b'e' | 0x90 => Op::Appends,
            b's' => Op::SetItem,
            b'u' => Op::SetItems,
            b'g' | b'h' | b'j' => Op::Get(self.memo_index(code)?),
            b'p' | b'q' | b'r' => Op::Put(self.memo_index(code)?),
            0x94 => Op::Memoize,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                Op::Global { module, name }
            }
            0x93 => Op::StackGlobal,
            b'R' | 0x81 => Op::Call,
            0x92 => Op::CallWithKeywords,
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                Op::CallNamed { module, name }
            }
            b'o' => Op::CallMarked,
            b'b' => Op::SetState,
            b'P' => {
                self.line()?;
                Op::Opaque(PERSISTENT)
            }
            b'Q' => Op::Persistent,
            0x82 => self.skip(1, Op::Opaque("<extension object>"))?,
            0x83 => self.skip(2, Op::Opaque("<extension object>"))?,
            0x84 => self.skip(4, Op::Opaque("<extension object>"))?,
            0x97 => Op::Opaque("<buffer>"),
            0x80 => self.skip(1, Op::Nothing)?,
            0x95 => self.skip(8, Op::Nothing)?,
            0x98 => Op::Nothing,
            b'.' => Op::Stop,
            _ => {
                self.at -= 1;
                return Err(self.fail(CodecErrorKind::Syntax));
            }
        })
    }

    fn number(&mut self, code: u8) -> Result<Value, CodecError> {
        Ok(match code {
            b'N' => Value::Null,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'J' => i32::from_le_bytes(self.array()?).into(),
            b'K' => u32::from(u8::from_le_bytes(self.array()?)).into(),
            b'M' => u32::from(u16::from_le_bytes(self.array()?)).into(),
            b'G' => f64::from_be_bytes(self.array()?).into(),
            0x8A | 0x8B => {
                let length = self.length(if code == 0x8A { 1 } else { 4 })?;
                integer(self.take(length)?)
            }
            _ => {
                let start = self.at;
                written_number(code, self.line()?).ok_or(CodecError {
                    kind: CodecErrorKind::Syntax,
                    at: start,
                })?
            }
        })
    }

    fn text(&mut self, code: u8) -> Result<Value, CodecError> {
        let start = self.at;
        let not_utf8 = CodecError {
            kind: CodecErrorKind::NotUtf8,
            at: start,
        };
        match code {
            b'S' => {
                let line = self.line_bytes()?;
                let inside = unquoted(line).ok_or(self.fail(CodecErrorKind::Syntax))?;
                Ok(text_or_bytes(unescaped(inside)))
            }
            b'T' | b'U' => {
                let length = self.length(if code == b'T' { 4 } else { 1 })?;
                Ok(text_or_bytes(self.take(length)?.to_vec()))
            }
            b'V' => Ok(Value::Str(raw_unicode(self.line_bytes()?))),
            _ => {
                let length = self.length(match code {
                    0x8C => 1,
                    b'X' => 4,
                    _ => 8,
                })?;
                let text = utf8_with_surrogates(self.take(length)?).ok_or(not_utf8)?;
                Ok(Value::Str(text))
            }
        }
    }

    fn bytes(&mut self, code: u8) -> Result<Value, CodecError> {
        let length = self.length(match code {
            b'C' => 1,
            b'B' => 4,
            _ => 8,
        })?;
        Ok(Value::Bytes(self.take(length)?.into()))
    }

    fn memo_index(&mut self, code: u8) -> Result<u64, CodecError> {
        match code {
            b'h' | b'q' => Ok(u8::from_le_bytes(self.array()?).into()),
            b'j' | b'r' => Ok(u32::from_le_bytes(self.array()?).into()),
            _ => {
                let start = self.at;
                self.line()?.parse().map_err(|_| CodecError {
                    kind: CodecErrorKind::Syntax,
                    at: start,
                })
            }
        }
    }

    /// A length of so many bytes, little end first.
    fn length(&mut self, width: usize) -> Result<usize, CodecError> {
        let mut wide = [0; 8];
        for (to, from) in wide.iter_mut().zip(self.take(width)?) {
            *to = *from;
        }
        // What fits no usize is longer than any bytes that are left.
        Ok(usize::try_from(u64::from_le_bytes(wide)).unwrap_or(usize::MAX))
    }

    fn line(&mut self) -> Result<&'a str, CodecError> {
        let start = self.at;
        std::str::from_utf8(self.line_bytes()?).map_err(|_| CodecError {
            kind: CodecErrorKind::NotUtf8,
            at: start,
        })
    }

    fn line_bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(self.truncated());
        };
        self.at += length + 1;
        Ok(&rest[..length])
    }

    fn skip(&mut self, length: usize, op: Op<'a>) -> Result<Op<'a>, CodecError> {
        self.take(length).map(|_| op)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let rest = &self.bytes[self.at..];
        let (taken, _) = rest
            .split_at_checked(length)
            .ok_or_else(|| self.truncated())?;
        self.at += length;
        Ok(taken)
    }

    fn truncated(&self) -> CodecError {
        CodecError {
            kind: CodecErrorKind::Truncated,
            at: self.bytes.len(),
        }
    }
}
