//! Tracebacks: which of their lines are shown.
//!
//! The shape is Python's (docs.python.org/3/library/traceback.html): a frame is a line that begins
//! with `  File "` and the deeper lines below it; what was raised is the last line that is not
//! indented. Chained exceptions are several tracebacks in one text, each folded by itself.

/// A line of a traceback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Part of a frame, or a line between.
    Frame(&'a str),
    /// What was raised: `KeyError: 'rate'`.
    Raised(&'a str),
    /// So many frames are not shown here.
    Folded(usize),
}

/// The lines of a traceback of which at most `frames` frames are shown: the first one, and the
/// last ones, where things went wrong. 0 shows all.
pub(super) fn lines(text: &str, frames: usize) -> Vec<Line<'_>> {
    let mut shown = Vec::new();
    let mut section: Vec<Vec<&str>> = Vec::new();
    for line in text.trim_end().lines() {
        if is_frame(line) {
            section.push(vec![line]);
        } else if line.starts_with("    ") && !section.is_empty() {
            // More of the frame above.
            if let Some(frame) = section.last_mut() {
                frame.push(line);
            }
        } else {
            fold(&mut section, frames, &mut shown);
            shown.push(if is_raised(line) {
                Line::Raised(line)
            } else {
                Line::Frame(line)
            });
        }
    }
    fold(&mut section, frames, &mut shown);
    shown
}

/// What was raised, for where one line is all there is; of a stack its last line.
pub(super) fn raised(text: &str) -> &str {
    let mut lines = text.trim_end().lines().rev();
    let last = lines.clone().next().unwrap_or_default();
    lines
        .find(|line| is_raised(line))
        .unwrap_or(last.trim_start())
}

fn is_frame(line: &str) -> bool {
    line.starts_with("  File \"")
}

fn is_raised(line: &str) -> bool {
    let is_heading = line.starts_with("Traceback (") || line.starts_with("Stack (");
    let is_between = line.ends_with("another exception occurred:")
        || line.ends_with("direct cause of the following exception:");
    !line.is_empty() && !line.starts_with([' ', '\t', '|', '+']) && !is_heading && !is_between
}

/// Adds a section's frames, without those in the middle.
fn fold<'a>(section: &mut Vec<Vec<&'a str>>, frames: usize, shown: &mut Vec<Line<'a>>) {
    let all = section.len();
    let (first, last) = match frames {
        0 => (all, 0),
        1 => (0, 1),
        frames if frames >= all => (all, 0),
        frames => (1, frames - 1),
    };
    for (at, frame) in section.drain(..).enumerate() {
        if at < first || at + last >= all {
            shown.extend(frame.into_iter().map(Line::Frame));
        } else if at == first {
            shown.push(Line::Folded(all - first - last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Traceback (most recent call last):\n  File \"a.py\", line 1, in a\n    b()\n  \
        File \"b.py\", line 2, in b\n    c()\n    ^^^\n  File \"c.py\", line 3, in c\n    {}[1]\n\
        KeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\n\
        Traceback (most recent call last):\n  File \"d.py\", line 4, in d\n    e()\nValueError: two\nlines";

    fn check(frames: usize, expected: &[&str]) {
        let shown: Vec<String> = lines(TEXT, frames)
            .into_iter()
            .map(|line| match line {
                Line::Frame(line) => line.trim().to_owned(),
                Line::Raised(line) => format!("! {line}"),
                Line::Folded(frames) => format!("({frames})"),
            })
            .filter(|line| line.starts_with(['F', '!', '(']))
            .collect();
        assert_eq!(shown, expected, "{frames}");
    }

    #[test]
    fn of_many_frames_the_first_and_the_last_ones_are_shown() {
        let [a, b, c, d] = [
            "a.py\", line 1, in a",
            "b.py\", line 2, in b",
            "c.py\", line 3, in c",
            "d.py\", line 4, in d",
        ]
        .map(|frame| format!("File \"{frame}"));
        let (one, two, more) = ("! KeyError: 1", "! ValueError: two", "! lines");
        check(0, &[&a, &b, &c, one, &d, two, more]);
        check(3, &[&a, &b, &c, one, &d, two, more]);
        check(2, &[&a, "(1)", &c, one, &d, two, more]);
        check(1, &["(2)", &c, one, &d, two, more]);
    }

    #[test]
    fn what_was_raised_is_the_last_line_that_says_so() {
        assert_eq!(raised("Traceback:\n  File\nKeyError: 1\n"), "KeyError: 1");
        assert_eq!(raised("  only\n  this"), "this");
        let stack = "Stack (most recent call last):\n  File \"a.py\", line 1\n    log()";
        assert_eq!(raised(stack), "log()");
        assert_eq!(raised(""), "");
    }
}
