//! The line at the bottom in which something is typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A text to search.
    Search,
    /// A filter that includes.
    Include,
    /// A filter that excludes.
    Exclude,
    /// Another text for the filter of this number.
    Edit(usize),
    /// A command.
    Command,
    /// The name of a file to write.
    Save,
}

impl Purpose {
    /// What stands before the text.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Purpose::Search => "/",
            Purpose::Include => "include: ",
            Purpose::Exclude => "exclude: ",
            Purpose::Edit(_) => "filter: ",
            Purpose::Command => ":",
            Purpose::Save => "save to: ",
        }
    }
}

/// What a key made of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edited {
    /// There is another text.
    Changed,
    /// The text is the same.
    Same,
    /// It should be completed.
    Complete,
    /// It is to be taken.
    Done,
    /// It is given up.
    Left,
}

/// The line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// What is typed.
    pub(crate) purpose: Purpose,
    text: String,
    /// Where the cursor stands, in bytes.
    at: usize,
    /// What is wrong with the text.
    pub(crate) problem: Option<String>,
}

impl Prompt {
    /// A line that begins with a text.
    pub(crate) fn new(purpose: Purpose, text: &str) -> Self {
        Self {
            purpose,
            text: text.to_owned(),
            at: text.len(),
            problem: None,
        }
    }

    /// What was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor.
    pub(crate) fn before(&self) -> &str {
        &self.text[..self.at]
    }

    /// Puts a text in place of all.
    pub(crate) fn set(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        self.at = text.len();
    }

    /// Adds what was pasted, on one line.
    pub(crate) fn paste(&mut self, text: &str) {
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        self.text.insert_str(self.at, &text);
        self.at += text.len();
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, event: &KeyEvent) -> Edited {
        let has_control = event.modifiers.contains(KeyModifiers::CONTROL);
        match event.code {
            KeyCode::Enter => return Edited::Done,
            KeyCode::Esc => return Edited::Left,
            KeyCode::Tab => return Edited::Complete,
            KeyCode::Char('c') if has_control => return Edited::Left,
            KeyCode::Backspace if self.text.is_empty() => return Edited::Left,
            KeyCode::Backspace => self.remove(self.before_cursor()),
            KeyCode::Delete => self.remove(self.behind_cursor()),
            KeyCode::Char('w') if has_control => self.remove(self.word()),
            KeyCode::Char('u') if has_control => self.remove(0..self.at),
            KeyCode::Char('a') if has_control => return self.go(0),
            KeyCode::Char('e') if has_control => return self.go(self.text.len()),
            KeyCode::Home => return self.go(0),
            KeyCode::End => return self.go(self.text.len()),
            KeyCode::Left => return self.go(self.before_cursor().start),
            KeyCode::Right => return self.go(self.behind_cursor().end),
            KeyCode::Char(c) if !has_control => {
                self.text.insert(self.at, c);
                self.at += c.len_utf8();
            }
            _ => return Edited::Same,
        }
        Edited::Changed
    }

    fn go(&mut self, at: usize) -> Edited {
        self.at = at;
        Edited::Same
    }

    fn remove(&mut self, range: std::ops::Range<usize>) {
        self.at = range.start;
        self.text.replace_range(range, "");
    }

    fn before_cursor(&self) -> std::ops::Range<usize> {
        let last = self.before().chars().next_back();
        self.at - last.map_or(0, char::len_utf8)..self.at
    }

    fn behind_cursor(&self) -> std::ops::Range<usize> {
        let next = self.text[self.at..].chars().next();
        self.at..self.at + next.map_or(0, char::len_utf8)
    }

    fn word(&self) -> std::ops::Range<usize> {
        let before = self.before().trim_end();
        let begin = before.rfind(' ').map_or(0, |at| at + 1);
        begin..self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(begin: &str, keys: &[(KeyCode, bool)]) -> (String, usize) {
        let mut prompt = Prompt::new(Purpose::Search, begin);
        for (code, has_control) in keys {
            let modifiers = if *has_control {
                KeyModifiers::CONTROL
            } else {
                KeyModifiers::NONE
            };
            prompt.key(&KeyEvent::new(*code, modifiers));
        }
        (prompt.text.clone(), prompt.at)
    }

    #[test]
    fn a_line_is_edited_by_characters_whatever_bytes_they_take() {
        let left = (KeyCode::Left, false);
        assert_eq!(
            typed("東京", &[left, (KeyCode::Char('ö'), false)]),
            ("東ö京".into(), 5)
        );
        assert_eq!(
            typed("東京", &[left, (KeyCode::Backspace, false)]),
            ("京".into(), 0)
        );
        assert_eq!(
            typed("東京", &[left, (KeyCode::Delete, false)]),
            ("東".into(), 3)
        );
        assert_eq!(
            typed("one two ", &[(KeyCode::Char('w'), true)]),
            ("one ".into(), 4)
        );
        assert_eq!(
            typed("one", &[left, (KeyCode::Char('u'), true)]),
            ("e".into(), 0)
        );
        assert_eq!(
            typed("a", &[left, left, (KeyCode::Right, false)]),
            ("a".into(), 1)
        );
    }
}
