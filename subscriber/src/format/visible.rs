//! Strangers' text as a terminal may see it.
//!
//! Control and escape characters, and marks that turn text around, are shown as `\x1b` or
//! `\u202e`, so that what a sender wrote can neither steer a terminal nor pass for something else.
//! A tab stays: it only leaves room. This is for terminals; a file gets a record's text as it is.

/// Adds `text` to `out`; its further lines are indented, so that none passes for a line of its
/// own.
pub(crate) fn on_lines(text: &str, out: &mut String) {
    show(text, "\n    ", out);
}

/// Adds `text` to `out` as one line, whatever stands in it.
pub(crate) fn on_one_line(text: &str, out: &mut String) {
    show(text, "\\x0a", out);
}

/// Adds JSON `text` to `out`: what is special stands in strings, and is escaped as JSON does.
pub(crate) fn in_json(text: &str, out: &mut String) {
    let mut plain = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| is_special(*c)) {
        out.push_str(&text[plain..at]);
        plain = at + c.len_utf8();
        out.push_str(&format!("\\u{:04x}", u32::from(c)));
    }
    out.push_str(&text[plain..]);
}

fn show(text: &str, line_feed: &str, out: &mut String) {
    // Nearly every text is plain ASCII: this looks at it many bytes at a time.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return out.push_str(text);
    }
    let mut plain = 0;
    for (at, c) in text.char_indices().filter(|(_, c)| is_special(*c)) {
        out.push_str(&text[plain..at]);
        plain = at + c.len_utf8();
        match c {
            '\n' => out.push_str(line_feed),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push_str(&text[plain..]);
}

/// Besides control characters, marks that reorder or break what stands around them: bidirectional
/// controls (Unicode TR 9) and the line and paragraph separators.
fn is_special(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> String {
        let mut out = String::new();
        on_lines(text, &mut out);
        out
    }

    #[test]
    fn what_a_sender_writes_cannot_steer_the_terminal_or_forge_a_line() {
        assert_eq!(
            lines("red \x1b[31m\r\u{9b}\u{202e}\nINFO forged"),
            "red \\x1b[31m\\x0d\\x9b\\u202e\n    INFO forged"
        );
        assert_eq!(lines("größe\t\u{2028}π\0"), "größe\t\\u2028π\\x00");
    }

    #[test]
    fn json_means_the_same_when_it_is_escaped() {
        let mut out = String::new();
        in_json("{\"a\":\"\u{9b}\u{202e}ö\"}", &mut out);
        assert_eq!(out, r#"{"a":"\u009b\u202eö"}"#);
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_mark_or_begins_a_line(text in any::<String>()) {
            let shown = lines(&text);
            prop_assert!(!shown.chars().any(|c| is_special(c) && c != '\n'));
            prop_assert!(shown.split('\n').skip(1).all(|line| line.starts_with("    ")));
            let mut one = String::new();
            on_one_line(&text, &mut one);
            prop_assert!(!one.chars().any(is_special));
        }
    }
}
