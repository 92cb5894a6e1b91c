//! What a keyboard sends: text as it is, and keys by their names in angle brackets.
//!
//! `<Up>`, `<PageDown>`, `<Esc>`, `<F5>`; with Shift, Control or Alt held down `<S-Tab>`, `<C-c>`,
//! `<A-x>`, `<C-S-Left>`. A `<` that begins no such name stands for itself, and `<Lt>` always does.
//! The bytes are xterm's, <https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>.

/// Keys that send one byte or character, whatever is held down with them.
const PLAIN: &[(&str, &str)] = &[
    ("Enter", "\r"),
    ("Esc", "\x1b"),
    ("Tab", "\t"),
    ("Backspace", "\x7f"),
    ("Space", " "),
    ("Lt", "<"),
];
/// Keys that send `ESC [` and a letter, or `ESC O` and that letter where a program asks for it.
const CURSOR: &[(&str, char)] = &[
    ("Up", 'A'),
    ("Down", 'B'),
    ("Right", 'C'),
    ("Left", 'D'),
    ("End", 'F'),
    ("Home", 'H'),
];
/// Keys that send `ESC [`, a number and `~`.
const NUMBERED: &[(&str, u8)] = &[
    ("Insert", 2),
    ("Delete", 3),
    ("PageUp", 5),
    ("PageDown", 6),
    ("F1", 11),
    ("F2", 12),
    ("F3", 13),
    ("F4", 14),
    ("F5", 15),
    ("F6", 17),
    ("F7", 18),
    ("F8", 19),
    ("F9", 20),
    ("F10", 21),
    ("F11", 23),
    ("F12", 24),
];

/// What is held down with a key.
#[derive(Default, Clone, Copy)]
struct Held {
    shift: bool,
    control: bool,
    alt: bool,
}

impl Held {
    /// As xterm counts it in a sequence: 1 when nothing is held.
    fn number(self) -> u8 {
        1 + u8::from(self.shift) + 2 * u8::from(self.alt) + 4 * u8::from(self.control)
    }
}

/// The bytes of these keys. `application` is whether the program asked for the application's
/// cursor keys.
pub(crate) fn bytes_of(keys: &str, application: bool) -> String {
    let mut bytes = String::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let (name, after) = bracketed(rest).unwrap_or_else(|| rest.split_at(first.len_utf8()));
        match name
            .strip_prefix('<')
            .and_then(|name| name.strip_suffix('>'))
        {
            Some(name) => bytes.push_str(&named(name, application)),
            None => bytes.push_str(name),
        }
        rest = after;
    }
    bytes
}

/// A name in angle brackets at the beginning, and what comes after it.
fn bracketed(keys: &str) -> Option<(&str, &str)> {
    let end = keys.strip_prefix('<')?.find('>')? + 1;
    let name = &keys[1..end];
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (is_name && !name.is_empty()).then(|| keys.split_at(end + 1))
}

fn named(name: &str, application: bool) -> String {
    let (held, key) = held(name);
    let found = plain(key, held)
        .or_else(|| cursor(key, held, application))
        .or_else(|| numbered(key, held))
        .or_else(|| character(key, held));
    found.unwrap_or_else(|| panic!("there is no key <{name}>"))
}

/// The key, without the `C-`, `S-` and `A-` before it.
fn held(name: &str) -> (Held, &str) {
    let mut held = Held::default();
    let mut key = name;
    while let [first @ (b'C' | b'S' | b'A'), b'-', _, ..] = key.as_bytes() {
        match first {
            b'C' => held.control = true,
            b'S' => held.shift = true,
            _ => held.alt = true,
        }
        key = &key[2..];
    }
    (held, key)
}

fn plain(key: &str, held: Held) -> Option<String> {
    if key == "Tab" && held.shift {
        return Some("\x1b[Z".to_owned());
    }
    let (_, bytes) = PLAIN.iter().find(|(name, _)| *name == key)?;
    Some(with_alt(held, bytes))
}

fn cursor(key: &str, held: Held, application: bool) -> Option<String> {
    let (_, letter) = CURSOR.iter().find(|(name, _)| *name == key)?;
    Some(match held.number() {
        1 if application => format!("\x1bO{letter}"),
        1 => format!("\x1b[{letter}"),
        held => format!("\x1b[1;{held}{letter}"),
    })
}

fn numbered(key: &str, held: Held) -> Option<String> {
    let (_, number) = NUMBERED.iter().find(|(name, _)| *name == key)?;
    Some(match held.number() {
        1 => format!("\x1b[{number}~"),
        held => format!("\x1b[{number};{held}~"),
    })
}

/// A character with Control or Alt.
fn character(key: &str, held: Held) -> Option<String> {
    let mut characters = key.chars();
    let (Some(character), None) = (characters.next(), characters.next()) else {
        return None;
    };
    let sent = match character {
        letter if held.control => {
            char::from(u8::try_from(letter).ok()?.to_ascii_uppercase() & 0x1f)
        }
        letter if held.shift => letter.to_ascii_uppercase(),
        letter => letter,
    };
    Some(with_alt(held, &sent.to_string()))
}

/// Alt is sent as an escape before the key's own bytes.
fn with_alt(held: Held, bytes: &str) -> String {
    let escape = if held.alt { "\x1b" } else { "" };
    format!("{escape}{bytes}")
}

#[cfg(test)]
mod tests {
    use super::bytes_of;

    #[test]
    fn keys_send_what_they_send_to_xterm() {
        for (keys, expected) in [
            ("level < 30 and a<b<Enter>", "level < 30 and a<b\r"),
            ("<Lt>Up>", "<Up>"),
            ("é<C-c><C-Z><A-x><S-g>", "é\x03\x1a\x1bxG"),
            ("<Up><S-Up><C-A-End>", "\x1b[A\x1b[1;2A\x1b[1;7F"),
            (
                "<S-Tab><PageUp><C-Delete><F12>",
                "\x1b[Z\x1b[5~\x1b[3;5~\x1b[24~",
            ),
        ] {
            assert_eq!(bytes_of(keys, false), expected, "{keys}");
        }
        assert_eq!(bytes_of("<Home><C-Left>", true), "\x1bOH\x1b[1;5D");
    }

    #[test]
    #[should_panic(expected = "there is no key <Pageup>")]
    fn a_key_that_does_not_exist_is_told() {
        bytes_of("<Pageup>", false);
    }
}
