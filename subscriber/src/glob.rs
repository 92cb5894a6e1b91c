//! Patterns for names as a shell has them: `*` is any text, `?` is any one character.
//!
//! Everything else stands for itself, in upper and lower case as it is written, and a pattern fits
//! a whole name or not at all.

use std::fmt;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// The pattern that is written so; every text is one.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it fits the whole of a name.
    pub fn fits(&self, name: &str) -> bool {
        let (mut pattern, mut name) = (self.0.as_str(), name);
        // What follows the last star, and where in the name it was held against that.
        let mut last_star: Option<(&str, &str)> = None;
        loop {
            let (mut wanted, mut there) = (pattern.chars(), name.chars());
            match (wanted.next(), there.next()) {
                (Some('*'), _) => {
                    pattern = wanted.as_str();
                    last_star = Some((pattern, name));
                }
                (None, None) => return true,
                (Some(_), None) => return false,
                (Some(c), Some(found)) if c == '?' || c == found => {
                    (pattern, name) = (wanted.as_str(), there.as_str());
                }
                _ => {
                    // The star takes one character more.
                    let Some((behind, from)) = last_star else {
                        return false;
                    };
                    let mut rest = from.chars();
                    rest.next();
                    (pattern, name) = (behind, rest.as_str());
                    last_star = Some((pattern, name));
                }
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_is_any_text_and_a_question_mark_any_character() {
        for (pattern, name, expected) in [
            ("worker-*", "worker-3", true),
            ("worker-*", "worker-", true),
            ("worker-*", "a/worker-3", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "ä", true),
            ("?", "", false),
            ("a*b?d*", "axxbxbcd", true),
            ("*ab", "aab", true),
            ("*ab", "aba", false),
            ("a*b", "a", false),
            ("Web", "web", false),
            ("a*", "a*b", true),
        ] {
            assert_eq!(
                Glob::new(pattern).fits(name),
                expected,
                "{pattern} for {name}"
            );
        }
    }

    proptest! {
        #[test]
        fn it_fits_what_the_same_regular_expression_fits(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            let same = pattern.replace('*', ".*").replace('?', ".");
            let regex = regex::Regex::new(&format!("^{same}$")).unwrap();
            prop_assert_eq!(Glob::new(&pattern).fits(&name), regex.is_match(&name));
        }
    }
}
