//! How Python shows values: `str()`, `repr()` and the `%` operator over them.
//!
//! Rendering on this side must give what the sender's own process would have shown, so the rules
//! are CPython's: `float.__repr__` (shortest digits, exponent from 1e16), quotes of `repr` of a
//! text, `True`, `None`. Whether a character is printable is decided by its class in Rust's
//! standard library, which differs from Python's tables for a few unassigned code points.

use std::fmt::Write;

use crate::value::Value;

pub mod brace;
pub mod dollar;
pub mod percent;

/// Adds what `str(value)` gives.
pub fn str_of(value: &Value, out: &mut String) {
    match value {
        Value::Str(text) => out.push_str(text),
        other => repr_of(other, out),
    }
}

/// Adds what `repr(value)` gives.
pub fn repr_of(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(n) => {
            // Writing to a string never fails.
            let _infallible = write!(out, "{n}");
        }
        Value::UInt(n) => out.push_str(&n.to_string()),
        Value::BigInt(digits) => out.push_str(digits),
        Value::Float(x) => out.push_str(&float_repr(*x)),
        Value::Str(text) => repr_of_text(text, out),
        Value::Bytes(bytes) => repr_of_bytes(bytes, out),
        Value::Ext(kind, bytes) => {
            out.push_str(&format!("ext({kind}, "));
            repr_of_bytes(bytes, out);
            out.push(')');
        }
        Value::List(values) => repr_of_list(values, out),
        Value::Map(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                repr_of_text(key, out);
                out.push_str(": ");
                repr_of(value, out);
            }
            out.push('}');
        }
    }
}

/// Adds what `ascii(value)` gives: `repr` with everything beyond ASCII escaped.
pub fn ascii_of(value: &Value, out: &mut String) {
    let mut shown = String::new();
    repr_of(value, &mut shown);
    for c in shown.chars() {
        if c.is_ascii() {
            out.push(c)
        } else {
            escape(c, out)
        }
    }
}

fn repr_of_list(values: &[Value], out: &mut String) {
    out.push('[');
    for (at, value) in values.iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        repr_of(value, out);
    }
    out.push(']');
}

/// `float.__repr__`: the shortest digits that read back as the same number.
pub fn float_repr(x: f64) -> String {
    if x.is_nan() {
        return "nan".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let mut buffer = ryu::Buffer::new();
    let shortest = buffer.format_finite(x);
    let (mantissa, exponent) = match shortest.split_once('e') {
        Some((mantissa, exponent)) => (mantissa.to_owned(), exponent.parse().unwrap_or(0)),
        // Python writes an exponent already from 1e-05 down, ryu only from 1e-06.
        None => match shortest.trim_start_matches('-').strip_prefix("0.0000") {
            Some(digits) if x != 0.0 => {
                let (first, rest) = digits.split_at(1);
                let point = if rest.is_empty() { "" } else { "." };
                let sign = if x < 0.0 { "-" } else { "" };
                (format!("{sign}{first}{point}{rest}"), -5)
            }
            _ => return shortest.to_owned(),
        },
    };
    let exponent: i32 = exponent;
    format!(
        "{mantissa}e{}{:02}",
        if exponent < 0 { '-' } else { '+' },
        exponent.abs()
    )
}

fn repr_of_text(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => escape(c, out),
        }
    }
    out.push(quote);
}

/// Whether `str.isprintable` holds, as nearly as the standard library can say.
fn is_printable(c: char) -> bool {
    let is_invisible = matches!(c,
        '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
        | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E000}'..='\u{F8FF}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}' | '\u{E0000}'..='\u{10FFFF}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || is_invisible)
}

fn escape(c: char, out: &mut String) {
    let code = c as u32;
    out.push_str(&match code {
        0..0x100 => format!("\\x{code:02x}"),
        0x100..0x1_0000 => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    });
}

fn repr_of_bytes(bytes: &[u8], out: &mut String) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        '"'
    } else {
        '\''
    };
    out.push('b');
    out.push(quote);
    for byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            byte if *byte as char == quote => out.extend(['\\', quote]),
            b' '..=b'~' => out.push(*byte as char),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Map;

    fn repr(value: impl Into<Value>) -> String {
        let mut out = String::new();
        repr_of(&value.into(), &mut out);
        out
    }

    #[test]
    fn floats_look_as_in_python() {
        for (x, shown) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-0.0, "-0.0"),
            (-1.25e-5, "-1.25e-05"),
            (119654556369074.62, "119654556369074.62"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(repr(x), shown);
        }
    }

    #[test]
    fn texts_are_quoted_as_in_python() {
        assert_eq!(repr("it's"), "\"it's\"");
        assert_eq!(repr("it's \"so\""), "'it\\'s \"so\"'");
        assert_eq!(repr("a\n\u{7f}\u{200b}é"), "'a\\n\\x7f\\u200bé'");
    }

    #[test]
    fn nested_values_look_as_in_python() {
        let map = Map::from_iter([("a", Value::from(vec![Value::Null, true.into()]))]);
        assert_eq!(repr(map), "{'a': [None, True]}");
        assert_eq!(
            repr(Value::Bytes(b"a'\xff".as_slice().into())),
            "b\"a'\\xff\""
        );
    }
}
