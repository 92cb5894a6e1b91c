//! What the bytes of a pickle's numbers and texts mean.
//!
//! Integers of any size, and the three ways in which Python 2 and 3 wrote text. What text Rust
//! cannot hold, lone surrogates, becomes the escape that Python would write for it.

use compact_str::CompactString;

use crate::codec::json;
use crate::value::Value;

/// An integer of more bytes is written as hexadecimal digits: Python itself refuses to write more
/// than 4,300 decimal ones, because the time for that grows with their square.
const MAX_DECIMAL_BYTES: usize = 1_780;

/// The numbers of protocol 0, which stand as text: `I01` is `True`, and longs end in an `L`.
pub(super) fn written_number(code: u8, line: &str) -> Option<Value> {
    match (code, line) {
        (b'F', float) => float.parse().ok().map(Value::Float),
        (b'I', "00") => Some(Value::Bool(false)),
        (b'I', "01") => Some(Value::Bool(true)),
        (_, digits) => {
            let digits = digits.strip_suffix('L').unwrap_or(digits);
            let unsigned = digits.strip_prefix('-').unwrap_or(digits).as_bytes();
            let is_integer = matches!(unsigned, [b'0'] | [b'1'..=b'9', ..])
                && unsigned.iter().all(u8::is_ascii_digit);
            is_integer.then(|| json::integer(digits))
        }
    }
}

/// An integer in two's complement, little end first.
pub(super) fn integer(bytes: &[u8]) -> Value {
    let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    if bytes.len() <= 16 {
        let mut wide = [if is_negative { 0xFF } else { 0 }; 16];
        wide[..bytes.len()].copy_from_slice(bytes);
        return i128::from_le_bytes(wide).into();
    }
    let magnitude = if is_negative {
        negated(bytes)
    } else {
        bytes.to_vec()
    };
    let sign = if is_negative { "-" } else { "" };
    if bytes.len() > MAX_DECIMAL_BYTES {
        let digits = magnitude.iter().rev().map(|byte| format!("{byte:02x}"));
        return Value::from(format!("{sign}0x{}", digits.collect::<String>()));
    }
    json::integer(&format!("{sign}{}", decimal(&magnitude)))
}

fn negated(bytes: &[u8]) -> Vec<u8> {
    let mut carry = true;
    let negate = bytes.iter().map(|byte| {
        let (sum, overflow) = (!byte).overflowing_add(u8::from(carry));
        carry = overflow;
        sum
    });
    negate.collect()
}

/// The decimal digits of a magnitude, little end first, by dividing it again and again.
fn decimal(magnitude: &[u8]) -> String {
    const DIGITS: u64 = 1_000_000_000;
    let mut limbs: Vec<u32> = magnitude
        .chunks(4)
        .map(|chunk| {
            let bytes = chunk.iter().rev();
            bytes.fold(0, |limb, byte| limb << 8 | u32::from(*byte))
        })
        .collect();
    let mut groups = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut rest = 0;
        for limb in limbs.iter_mut().rev() {
            let dividend = rest << 32 | u64::from(*limb);
            *limb = (dividend / DIGITS) as u32;
            rest = dividend % DIGITS;
        }
        groups.push(rest);
    }
    let mut text = groups.pop().unwrap_or(0).to_string();
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:09}"));
    }
    text
}

/// Python 2's `str` is text where it can be.
pub(super) fn text_or_bytes(bytes: Vec<u8>) -> Value {
    match CompactString::from_utf8(&bytes) {
        Ok(text) => Value::Str(text),
        Err(_) => Value::Bytes(bytes.into()),
    }
}

pub(super) fn unquoted(line: &[u8]) -> Option<&[u8]> {
    match line {
        [b'\'', inside @ .., b'\''] | [b'"', inside @ .., b'"'] => Some(inside),
        _ => None,
    }
}

/// What Python 2's `repr` of a `str` stands for. An escape that it never writes stays as it is.
pub(super) fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        let (meant, behind) = match rest {
            [b'\\', b'n', behind @ ..] => (b'\n', behind),
            [b'\\', b'r', behind @ ..] => (b'\r', behind),
            [b'\\', b't', behind @ ..] => (b'\t', behind),
            [b'\\', quoted @ (b'\\' | b'\'' | b'"'), behind @ ..] => (*quoted, behind),
            [b'\\', b'x', high, low, behind @ ..] => match hexadecimal(&[*high, *low]) {
                Some(code) => (code as u8, behind),
                None => (b'\\', tail),
            },
            _ => (*byte, tail),
        };
        bytes.push(meant);
        rest = behind;
    }
    bytes
}

/// Protocol 0's text: Latin-1, with escapes by `\u` and `\U` for everything beyond it.
pub(super) fn raw_unicode(line: &[u8]) -> CompactString {
    let mut text = CompactString::with_capacity(line.len());
    let mut rest = line;
    while let [byte, tail @ ..] = rest {
        let (code, behind) = escape(rest).unwrap_or((u32::from(*byte), tail));
        rest = behind;
        let low = match code {
            0xD800..0xDC00 => escape(rest).filter(|(low, _)| (0xDC00..0xE000).contains(low)),
            _ => None,
        };
        match low {
            // Python 2 wrote pairs where its characters had 16 bits.
            Some((low, behind)) => {
                push_code(
                    0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00),
                    &mut text,
                );
                rest = behind;
            }
            None => push_code(code, &mut text),
        }
    }
    text
}

fn escape(rest: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, behind) = match rest {
        [b'\\', b'u', digits @ ..] => digits.split_at_checked(4)?,
        [b'\\', b'U', digits @ ..] => digits.split_at_checked(8)?,
        _ => return None,
    };
    Some((hexadecimal(digits)?, behind))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |code, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(code << 4 | digit)
    })
}

/// A lone surrogate becomes six characters, as in the JSON codec.
fn push_code(code: u32, text: &mut CompactString) {
    match char::from_u32(code) {
        Some(character) => text.push(character),
        None => text.push_str(&format!("\\u{code:04x}")),
    }
}

/// UTF-8 in which Python may have written lone surrogates (`surrogatepass`).
pub(super) fn utf8_with_surrogates(bytes: &[u8]) -> Option<CompactString> {
    let mut text = CompactString::default();
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(sound) if text.is_empty() => return Some(sound.into()),
            Ok(sound) => {
                text.push_str(sound);
                return Some(text);
            }
            Err(error) => {
                let (sound, broken) = rest.split_at(error.valid_up_to());
                text.push_str(std::str::from_utf8(sound).ok()?);
                let [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, behind @ ..] = broken else {
                    return None;
                };
                let low_bits = u32::from(second & 0x3F) << 6 | u32::from(third & 0x3F);
                push_code(0xD000 | low_bits, &mut text);
                rest = behind;
            }
        }
    }
}
