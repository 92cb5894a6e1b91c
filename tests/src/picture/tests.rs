//! A screen with everything that a cell can have, and what becomes of it.

use std::num::NonZeroU16;
use std::time::Duration;

use vt100::Screen;

use super::{Frame, Window, film, still};

const WINDOW: Window = Window {
    title: "logsub <1>",
    description: "A & B",
};

fn screen(rows: u16, cols: u16, text: &str) -> Screen {
    let [rows, cols] = [rows, cols].map(|cells| NonZeroU16::new(cells).unwrap());
    let mut parser = vt100::Parser::new(rows, cols, 0);
    parser.process(text.as_bytes());
    parser.screen().clone()
}

/// A screen on which every attribute, kind of colour and kind of character is seen.
fn everything() -> Screen {
    let lines = [
        "\x1b[31mred\x1b[m plain  \x1b[1mbold\x1b[2mdim\x1b[22;3mitalic\x1b[23;4munder line\x1b[m",
        "\x1b[38;5;208morange\x1b[48;5;236m on grey \x1b[38;2;1;2;3;48;2;250;250;250mexact\x1b[m",
        "\x1b[7minverse\x1b[m \x1b[7;32mgreen\x1b[m <a href=\"x\"> & ]]> e\u{301}",
        "╭──┬─╮ ┏━┓ █▄▁▌ ═",
        "日本 ok ✓ ok ●● ⣿⣀",
        "\x1b[38;5;250mgrey  cube\x1b[8;30Hend",
    ];
    screen(8, 60, &lines.join("\r\n"))
}

#[test]
fn every_attribute_of_a_screen_is_in_its_picture() {
    insta::assert_snapshot!(still(&WINDOW, &everything()));
}

#[test]
fn pictures_are_well_formed() {
    assert_eq!(fault_in(&still(&WINDOW, &everything())), None);
    let frames = [0, 1, 1, 2].map(|at| Frame {
        at: Duration::from_millis(100 * at),
        screen: screen(4, 20, &"line <\r\n".repeat(at as usize)),
    });
    assert_eq!(
        fault_in(&film(&WINDOW, &frames, Duration::from_secs(1))),
        None
    );
}

#[test]
fn text_stands_in_its_columns() {
    let line = "\x1b[34m10:38\x1b[m INF  \x1b[1mshop\x1b[m\x1b[20G│ 日本x ✓ done";
    let picture = still(&WINDOW, &screen(2, 60, line));
    let columns = |element: &str| Some((number(element, "x")?, number(element, "textLength")));
    let found: Vec<_> = picture
        .split("<text")
        .skip(2) // What comes before the first, and the window's title.
        .map(|element| {
            (
                text_of(element),
                columns(element).unwrap_or((0, number(element, "textLength"))),
            )
        })
        .collect();
    let expected = [
        ("10:38", (0, Some(50))),
        ("INF", (60, Some(30))),
        ("shop", (110, Some(40))),
        ("日本", (210, Some(40))),
        ("x", (250, None)),
        ("✓", (270, None)),
        ("done", (290, Some(40))),
    ];
    assert_eq!(found, expected);
    assert!(picture.contains(r#"<path class="line" d="M195 -5L195 -15M195 -5L195 5"/>"#));
}

fn text_of(element: &str) -> &str {
    let (_, text) = element.split_once('>').unwrap();
    text.split_once("</text>").unwrap().0
}

fn number(element: &str, name: &str) -> Option<u32> {
    let (tag, _) = element.split_once('>')?;
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    value.split_once('"')?.0.parse().ok()
}

#[test]
fn a_film_holds_each_row_once_and_each_frame_that_differs() {
    let texts = ["", "one", "one", "one\r\ntwo", "two\r\none"];
    let frames: Vec<Frame> = (0..)
        .zip(texts)
        .map(|(at, text)| Frame {
            at: Duration::from_millis(1_500 + 100 * at),
            screen: screen(3, 10, &format!("\x1b[?25l{text}")),
        })
        .collect();
    let film = film(&WINDOW, &frames, Duration::from_secs(2));
    assert_eq!(film.matches("<g id=\"r").count(), 2, "{film}");
    assert_eq!(film.matches("%{transform").count(), 4, "{film}");
    for expected in [
        "0.00%{transform:translateY(-0px)}5.00%{transform:translateY(-60px)}15.00%{",
        r#"<g class="film" transform="translate(0 -180)">"#,
        r##"<g transform="translate(0 120)"><use href="#r0" y="0"/><use href="#r1" y="20"/></g>"##,
    ] {
        assert!(film.contains(expected), "{expected} is not in {film}");
    }
}

#[test]
fn a_picture_of_a_usual_screen_is_small() {
    let line = "\x1b[2m 10:38:59.126\x1b[m \x1b[1;32mINF\x1b[m \x1b[38;5;75mshop:613\x1b[m \x1b[2m│\x1b[m \
                \x1b[36mshop.stock:\x1b[m stock is low and a few words more  \x1b[2mleft=\x1b[m3 \x1b[2mid=\x1b[m17\r\n";
    let picture = still(&WINDOW, &screen(30, 110, &line.repeat(29)));
    assert!(picture.len() < 60_000, "{} bytes", picture.len());
}

/// What is wrong with a document, as far as ours could be: tags that do not match, attributes
/// without quotes or twice, and characters that should have been escaped.
fn fault_in(document: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = document;
    while let Some((text, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>')?;
        rest = after;
        let fault = fault_in_text(text).or_else(|| fault_in_tag(tag, &mut open));
        if fault.is_some() {
            return fault;
        }
    }
    (!open.is_empty()).then(|| format!("{open:?} is not closed"))
}

fn fault_in_text(text: &str) -> Option<String> {
    let is_escape = |text: &str| {
        ["&amp;", "&lt;", "&gt;"]
            .iter()
            .any(|known| text.starts_with(known))
    };
    let wrong = text
        .match_indices(['&', '>'])
        .find(|(at, _)| !is_escape(&text[*at..]));
    wrong.map(|_| format!("not escaped: {text}"))
}

fn fault_in_tag<'a>(tag: &'a str, open: &mut Vec<&'a str>) -> Option<String> {
    if let Some(name) = tag.strip_prefix('/') {
        return (open.pop() != Some(name)).then(|| format!("</{name}> closes another one"));
    }
    let (tag, is_empty) = tag
        .strip_suffix('/')
        .map_or((tag, false), |tag| (tag, true));
    let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut names = Vec::new();
    while let Some((attribute, after)) = attributes.split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        if names.contains(&attribute) || value.contains('<') || fault_in_text(value).is_some() {
            return Some(format!("{attribute} is wrong in <{tag}>"));
        }
        names.push(attribute);
        attributes = after.trim_start();
    }
    if !is_empty {
        open.push(name);
    }
    (!attributes.is_empty()).then(|| format!("{attributes:?} in <{tag}>"))
}
