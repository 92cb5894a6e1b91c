//! Text as the bytes of a file: UTF-8, ASCII or Latin-1.
//!
//! What an encoding lacks is written as Python's error handlers write it
//! (docs.python.org/3/library/codecs.html#error-handlers). `strict`, which raises there and loses
//! the record, escapes it here.

use std::fmt::Write;

use crate::config::options::{Kind, Options, Parameter, parameter};

/// An encoding and what stands for what it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Encoding {
    last: Last,
    errors: Errors,
}

/// The last character that an encoding has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Last {
    #[default]
    Any,
    Ascii,
    Latin1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Errors {
    #[default]
    Backslash,
    Question,
    Nothing,
    Xml,
}

pub(super) const ENCODING: Parameter =
    parameter("encoding", Kind::Text, "utf-8, ascii or latin-1; utf-8");
pub(super) const ERRORS: Parameter = parameter(
    "errors",
    Kind::OneOf(&[
        "strict",
        "backslashreplace",
        "replace",
        "ignore",
        "xmlcharrefreplace",
        "namereplace",
        "surrogateescape",
    ]),
    "what stands for characters that the encoding lacks; strict escapes them",
);

impl Encoding {
    pub(super) fn read(options: &mut Options<'_>) -> Self {
        let name = options.text("encoding").unwrap_or_default();
        let last = match name.to_lowercase().replace(['_', ' '], "-").as_str() {
            "" | "utf-8" | "utf8" | "utf-8-sig" | "locale" => Last::Any,
            "ascii" | "us-ascii" => Last::Ascii,
            "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" => Last::Latin1,
            _ => {
                let problem = format!("{name:?} is not written here; use utf-8, ascii or latin-1");
                options.wrong("encoding", problem);
                Last::Any
            }
        };
        let errors = match options.one_of("errors") {
            Some("replace") => Errors::Question,
            Some("ignore") => Errors::Nothing,
            Some("xmlcharrefreplace") => Errors::Xml,
            _ => Errors::Backslash,
        };
        Self { last, errors }
    }

    /// Adds a text's bytes.
    pub(super) fn encode(self, text: &str, out: &mut Vec<u8>) {
        let last = match self.last {
            Last::Any => return out.extend_from_slice(text.as_bytes()),
            Last::Ascii => 0x7f,
            Last::Latin1 => 0xff,
        };
        for c in text.chars() {
            match u32::from(c) {
                code if code <= last => out.push(code as u8),
                code => self.stand_in(code, out),
            }
        }
    }

    fn stand_in(self, code: u32, out: &mut Vec<u8>) {
        let mut text = String::new();
        let _written = match (self.errors, code) {
            (Errors::Question, _) => write!(text, "?"),
            (Errors::Nothing, _) => Ok(()),
            (Errors::Xml, _) => write!(text, "&#{code};"),
            (Errors::Backslash, 0..=0xff) => write!(text, "\\x{code:02x}"),
            (Errors::Backslash, 0x100..=0xffff) => write!(text, "\\u{code:04x}"),
            (Errors::Backslash, _) => write!(text, "\\U{code:08x}"),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_encoding_lacks_is_written_as_python_writes_it() {
        let encoded = |last, errors| {
            let mut out = Vec::new();
            Encoding { last, errors }.encode("aä€😀", &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(encoded(Last::Any, Errors::Backslash), "aä€😀");
        assert_eq!(
            encoded(Last::Ascii, Errors::Backslash),
            "a\\xe4\\u20ac\\U0001f600"
        );
        assert_eq!(encoded(Last::Ascii, Errors::Question), "a???");
        assert_eq!(encoded(Last::Ascii, Errors::Nothing), "a");
        assert_eq!(encoded(Last::Ascii, Errors::Xml), "a&#228;&#8364;&#128512;");
        let mut out = Vec::new();
        Encoding {
            last: Last::Latin1,
            errors: Errors::Question,
        }
        .encode("ä€", &mut out);
        assert_eq!(out, b"\xe4?");
    }
}
