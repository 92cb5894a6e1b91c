//! Every language gives the same tree, with places; and none of them runs anything.

use super::*;
use crate::config::node::Tree;
use crate::config::options::Problem;
use crate::config::print;
use proptest::prelude::*;

fn read_as(name: &str, text: &str) -> Result<Node, Vec<String>> {
    let mut problems = Problems::default();
    let tree = read(Path::new(name), text, &mut problems);
    tree.ok_or_else(|| problems.errors.iter().map(Problem::to_string).collect())
}

#[test]
fn one_configuration_in_every_language() {
    let yaml = "version: 1\nhandlers:\n  app: # a comment\n    class: logging.FileHandler\n    \
                filename: 'app.log'\n    delay: yes\nroot: {level: INFO, handlers: [app]}\n";
    let json = r#"{"version": 1, // a comment
  "handlers": {"app": {"class": "logging.FileHandler", "filename": "app.log", "delay": true}},
  "root": {"level": "INFO", "handlers": ["app"]}}"#;
    let toml = "version = 1\n[handlers.app]\nclass = \"logging.FileHandler\"\n\
                filename = 'app.log'\ndelay = true\n[root]\nlevel = 'INFO'\nhandlers = ['app']\n";
    let expected = read_as("a.yaml", yaml).unwrap();
    assert_eq!(read_as("a.json", json).unwrap(), expected);
    assert_eq!(read_as("a.toml", toml).unwrap(), expected);
    assert_eq!(read_as("no-ending", json).unwrap(), expected);
    assert_eq!(read_as("no-ending", yaml).unwrap(), expected);
    assert_eq!(
        read_as("again.yml", &print::yaml(&expected)).unwrap(),
        expected
    );
}

#[test]
fn every_part_knows_where_it_stands() {
    let place = |name: &str, text: &str| {
        let tree = read_as(name, text).unwrap();
        let entry = &tree.entries().unwrap()[0].value.entries().unwrap()[0];
        (entry.place.to_string(), entry.value.place.to_string())
    };
    let both =
        |name: &str, key: &str, value: &str| (format!("{name}:{key}"), format!("{name}:{value}"));
    assert_eq!(
        place("a.yaml", "ä:\n  ö: ü\n"),
        both("a.yaml", "2:3", "2:6")
    );
    assert_eq!(
        place("a.json", "{\"ä\":\n {\"ö\": 1}}"),
        both("a.json", "2:3", "2:8")
    );
    assert_eq!(
        place(
            "a.toml",
            "[ä]\nö = 1\n".replace('ä', "a").replace('ö', "b").as_str()
        ),
        both("a.toml", "2:1", "2:5")
    );
}

#[test]
fn yaml_is_what_pyyaml_takes_it_for_except_times_of_day() {
    for (text, expected) in [
        ("yes", Tree::Bool(true)),
        ("off", Tree::Bool(false)),
        ("0640", Tree::Int(0o640)),
        ("0o640", Tree::Int(0o640)),
        ("0x1F", Tree::Int(31)),
        ("1_000", Tree::Int(1000)),
        ("-7", Tree::Int(-7)),
        ("2.5", Tree::Float(2.5)),
        ("12:30", Tree::Text("12:30".into())),
        ("127.0.0.1", Tree::Text("127.0.0.1".into())),
        ("'1'", Tree::Text("1".into())),
        ("!!str 1", Tree::Text("1".into())),
        ("~", Tree::Null),
        ("2026-11-20", Tree::Text("2026-11-20".into())),
        ("ext://sys.stdout", Tree::Text("ext://sys.stdout".into())),
    ] {
        let tree = read_as("a.yaml", &format!("a: {text}\n")).unwrap();
        assert_eq!(tree.get("a").unwrap().tree, expected, "{text}");
    }
}

#[test]
fn anchors_and_merges_work_and_cannot_explode() {
    let tree = read_as(
        "a.yaml",
        "base: &base {level: INFO, mode: a}\napp: {<<: *base, mode: w}\n",
    );
    let expected = read_as("a.yaml", "{mode: w, level: INFO}").unwrap();
    assert_eq!(*tree.unwrap().get("app").unwrap(), expected);
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let items = vec![format!("*a{}", n - 1); 9].join(", ");
        laughs.push_str(&format!("a{n}: &a{n} [{items}]\n"));
    }
    let said = read_as("a.yaml", &laughs).unwrap_err();
    assert!(said[0].contains("aliases stand for more"), "{said:?}");
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    for (name, text, expected) in [
        ("a.yaml", "a: 1\nb: [1\n", "a.yaml:3:1: this is no YAML"),
        (
            "a.yaml",
            "a: 1\na: 2\n",
            "a.yaml:2:1: \"a\" stands here a second time, after a.yaml:1:1",
        ),
        (
            "a.yaml",
            "a: !!python/object:os.system {}\n",
            "a.yaml:1:4: the tag tag:yaml.org,2002:python/object:os.system asks",
        ),
        ("a.yaml", "a: *b\n", "a.yaml:1:4: this is no YAML"),
        (
            "a.json",
            "{\"a\": 1,\n \"a\": 2}",
            "a.json:2:2: \"a\" stands here a second time",
        ),
        ("a.json", "{\"a\" 1}", "a.json:1:6: this is no JSON"),
        ("a.toml", "a = \n", "a.toml:1:5: this is no TOML"),
        (
            "a.toml",
            "a = 1\na = 2\n",
            "a.toml:2:1: this is no TOML: duplicate key",
        ),
        (
            "a.ini",
            "x = 1\n",
            "a.ini:1:1: a section such as [loggers] is missing before this",
        ),
        (
            "a.ini",
            "[a]\nx = 1\nX: 2\n",
            "a.ini:3:1: \"x\" stands here a second time",
        ),
        (
            "a.ini",
            "[loggers]\nkeys=root\n",
            "a.ini:1:1: the section [formatters] is missing",
        ),
    ] {
        let said = read_as(name, text).unwrap_err();
        assert!(
            said.iter().any(|said| said.starts_with(expected)),
            "{expected}: {said:?}"
        );
    }
    for name in ["a.yaml", "a.json", "a.toml"] {
        let deep = format!(
            "{}{}",
            if name == "a.toml" { "a = " } else { "" },
            "[".repeat(100_000)
        );
        assert!(read_as(name, &deep).is_err(), "{name}");
    }
}

#[test]
fn an_ini_file_has_the_shape_of_a_dict_config() {
    let ini = "[DEFAULT]\nfolder = logs\n[loggers]\nkeys = root, db\n[handlers]\nkeys = app\n\
               [formatters]\nkeys = f\n[logger_root]\nlevel = INFO\nhandlers = app\n\
               [logger_db]\nqualname = shop.db\nhandlers =\npropagate = 0\n[handler_app]\n\
               class = handlers.RotatingFileHandler\nformatter = f\nargs = ('%(folder)s/a.log',\n   \
               'a', 10 * 1024)\n[formatter_f]\nformat = %(asctime)s 100%%\n";
    let yaml = "formatters: {f: {format: '%(asctime)s 100%%'}}\nhandlers: {app: {class: \
                logging.handlers.RotatingFileHandler, formatter: f, args: [logs/a.log, a, 10240]}}\n\
                loggers: {db: {qualname: shop.db, propagate: 0, handlers: []}}\n\
                root: {level: INFO, handlers: [app]}\n";
    let (ini, yaml) = (
        read_as("a.ini", ini).unwrap(),
        read_as("a.yaml", yaml).unwrap(),
    );
    for part in ["formatters", "handlers", "loggers", "root"] {
        assert_eq!(ini.get(part), yaml.get(part), "{part}");
    }
    let args = ini
        .get("handlers")
        .unwrap()
        .get("app")
        .unwrap()
        .get("args")
        .unwrap();
    let Tree::List(items) = &args.tree else {
        panic!("{args}");
    };
    // A value that goes on keeps its places.
    assert_eq!(items[2].place.to_string(), "a.ini:20:9");
}

#[test]
fn a_name_that_an_ini_file_would_have_to_run_is_a_problem_at_its_place() {
    let ini = "[loggers]\nkeys=root\n[handlers]\nkeys=a\n[formatters]\nkeys=\n[logger_root]\n\
               handlers=a\n[handler_a]\nclass=FileHandler\nargs=(os.environ['HOME'],)\n";
    let said = read_as("a.ini", ini).unwrap_err();
    let expected = "a.ini:11:7: args of [handler_a]: os.environ is not looked up; write the value";
    assert_eq!(said, [expected]);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[ \n\t\\[\\]{}:,&*!|>'\"%a-c0-9=#~\u{e4}<-]{0,60}") {
        for name in ["a.yaml", "a.json", "a.toml", "a.ini"] {
            drop(read_as(name, &text));
        }
    }
}
