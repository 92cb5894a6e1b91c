//! Literals, held against Python's own `ast.literal_eval`.

use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

fn read(text: &str) -> Result<Tree, NoLiteral> {
    parse(text, &|_| Place::default()).map(|node| node.tree)
}

fn texts(items: &[&str]) -> Tree {
    let items = items.iter().map(|text| Tree::Text((*text).to_owned()));
    Tree::List(
        items
            .map(|tree| Node::new(Place::default(), tree))
            .collect(),
    )
}

#[test]
fn what_people_write_into_args_is_understood() {
    for (text, expected) in [
        ("('python.log', 'w')", texts(&["python.log", "w"])),
        ("(sys.stdout,)", texts(&["ext://sys.stdout"])),
        ("'a', r'b\\n'", texts(&["a", "b\\n"])),
        (
            "(os.path.join('/var', 'log', \"x\"),)",
            texts(&["/var/log/x"]),
        ),
        ("handlers.DEFAULT_TCP_LOGGING_PORT", Tree::Int(9020)),
        ("handlers.SysLogHandler.LOG_LOCAL7", Tree::Int(23)),
        ("10 * 1024**2", Tree::Int(10 << 20)),
        ("()", texts(&[])),
        ("-1.5e3", Tree::Float(-1500.0)),
        ("'a' 'b'", Tree::Text("ab".into())),
        ("None", Tree::Null),
    ] {
        assert_eq!(read(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_would_have_to_run_is_named_and_does_not() {
    for (text, part) in [
        (
            "(os.environ['HOME'],)",
            "os.environ is not looked up; write the value",
        ),
        ("open('/etc/passwd')", "open is not looked up"),
        ("f'{x}'", "is not evaluated"),
        ("('a'", "is missing here"),
        ("'a", "no end"),
        ("1 / 2", "'/' is not expected here"),
        ("9**99999", "write the result"),
        ("", "a value is missing"),
    ] {
        let problem = read(text).unwrap_err().problem;
        assert!(problem.contains(part), "{text}: {problem}");
    }
    let deep = "(".repeat(100_000);
    assert!(read(&deep).unwrap_err().problem.contains("in one another"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[ ()\\[\\]{}'\"a-z0-9\\\\.,:*+#\u{e4}\n-]{0,40}") {
        drop(read(&text));
    }
}

/// Says what Python reads, in a form that both can write.
const ORACLE: &str = r#"
import ast, sys
def shown(value):
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return "t" + value.encode("utf-8").hex()
    if isinstance(value, (tuple, list)):
        return "[" + ",".join(map(shown, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(shown(k) + ":" + shown(v) for k, v in value.items()) + "}"
    if isinstance(value, float):
        return "f" + value.hex()
    return repr(value)
for line in sys.stdin:
    try:
        print(shown(ast.literal_eval(bytes.fromhex(line).decode())))
    except (ValueError, SyntaxError, MemoryError, OverflowError):
        print("refused")
"#;

fn shown(tree: &Tree) -> String {
    let hex = |text: &str| {
        text.bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    match tree {
        Tree::Null => "None".to_owned(),
        Tree::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
        Tree::Int(n) => n.to_string(),
        Tree::Float(x) => format!("f{x}"),
        Tree::Text(text) => format!("t{}", hex(text)),
        Tree::List(items) => {
            let items: Vec<String> = items.iter().map(|item| shown(&item.tree)).collect();
            format!("[{}]", items.join(","))
        }
        Tree::Map(entries) => {
            let pairs: Vec<String> = entries
                .iter()
                .map(|entry| format!("t{}:{}", hex(&entry.key), shown(&entry.value.tree)))
                .collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}

#[test]
fn literals_are_read_as_python_reads_them() {
    let leaf = prop_oneof![
        "-?(0|[1-9][0-9_]{0,6})",
        "0x[0-9a-f]{1,6}",
        Just("True".to_owned()),
        Just("None".to_owned()),
        "'[ -&(-\\[\\]-~\u{e4}]{0,6}'",
        "\"([ -!#-\\[\\]-~]|\\\\[abfnrtv'\"q\\\\]|\\\\x4[0-9a-f]|\\\\u00e[0-9]|\\\\[0-7]{1,2}){0,5}\"",
        "r'[a-z\\\\]{0,3}[a-z]'",
        "'''[a-z\n\"]{0,5}'''",
    ];
    let literal = leaf.prop_recursive(3, 12, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            list.clone()
                .prop_map(|items| format!("[{}]", items.join(", "))),
            list.prop_map(|items| format!("({},)", items.join(" ,"))),
            proptest::collection::vec(("'[a-c]'", inner), 0..3).prop_map(|pairs| {
                let pairs: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    });
    let mut runner = TestRunner::deterministic();
    let cases: Vec<String> = (0..2000)
        .map(|_| literal.new_tree(&mut runner).unwrap().current())
        .collect();
    let mut input = String::new();
    for case in &cases {
        input.extend(case.bytes().map(|byte| format!("{byte:02x}")));
        input.push('\n');
    }
    let mut python = Command::new("python3")
        .args(["-W", "ignore", "-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers.lines().count(), cases.len());
    let mut read_by_both = 0;
    for (case, expected) in cases.iter().zip(answers.lines()) {
        match read(case) {
            Ok(tree) => {
                read_by_both += 1;
                assert_eq!(shown(&tree), expected, "{case}");
            }
            Err(error) => assert_eq!(expected, "refused", "{case}: {}", error.problem),
        }
    }
    assert!(read_by_both > 1000);
}
