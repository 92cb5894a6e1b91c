//! What the table of keys promises.

use std::collections::HashSet;

use super::*;

fn with(changes: &[&str]) -> Result<Keymap, String> {
    let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
    Keymap::with(&changes)
}

fn does(keymap: &Keymap, key: &str) -> Option<Action> {
    keymap.action(Scope::Any, Key::named(key).unwrap())
}

#[test]
fn every_action_has_a_name_a_key_of_its_own_and_a_line_of_help() {
    let (mut names, mut keys) = (HashSet::new(), HashSet::new());
    for (row, (shown, _)) in ACTIONS.iter().zip(Keymap::default().help()) {
        assert!(names.insert(row.name), "{} twice", row.name);
        assert!(!row.help.is_empty() && row.help.len() <= 40, "{}", row.name);
        assert_eq!(shown, row.keys, "{}", row.name);
        for key in row.keys.split(' ') {
            let key = Key::named(key).unwrap();
            assert!(keys.insert((row.scope, key)), "{key} twice");
        }
    }
}

#[test]
fn the_long_help_of_the_flag_names_every_action() {
    use clap::CommandFactory;
    let command = crate::cli::Cli::command();
    let flag = command.get_arguments().find(|arg| arg.get_id() == "keys");
    let help = flag.unwrap().get_long_help().unwrap().to_string();
    let words: HashSet<&str> = help.split([' ', ',', '.', '\n']).collect();
    for row in ACTIONS {
        assert!(words.contains(row.name), "{}", row.name);
    }
}

#[test]
fn a_key_can_be_given_to_another_action() {
    let keymap = with(&["pause=p", "quit=x", "quit=ctrl-q"]).unwrap();
    assert_eq!(does(&keymap, "p"), Some(Action::Pause));
    assert_eq!(does(&keymap, "space"), None);
    assert_eq!(does(&keymap, "x"), Some(Action::Quit));
    assert_eq!(does(&keymap, "ctrl-q"), Some(Action::Quit));
    assert_eq!(does(&keymap, "q"), None);
    let (shown, _) = keymap.help().find(|(_, row)| row.name == "expand").unwrap();
    assert_eq!(shown, "", "what another has is nobody's else");
}

#[test]
fn a_key_of_the_list_of_filters_is_another_elsewhere() {
    let keymap = Keymap::default();
    let space = Key::named("space").unwrap();
    assert_eq!(keymap.action(Scope::Any, space), Some(Action::Pause));
    assert_eq!(
        keymap.action(Scope::Filters, space),
        Some(Action::FilterToggle)
    );
    let down = Key::named("j").unwrap();
    assert_eq!(keymap.action(Scope::Filters, down), Some(Action::Down));
}

#[test]
fn a_change_that_cannot_be_says_why() {
    for (changes, expected) in [
        (&["pauze=p"][..], "did you mean \"pause\"?"),
        (&["pause=hyper-p"], "there is no key \"hyper-p\""),
        (&["pause"], "write it as action=key"),
        (&["pause=p", "quit=p"], "p is for pause already"),
    ] {
        let problem = with(changes).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    }
    for key in ["=", "+", "-", "comma", "f12", "alt-x", "ctrl--"] {
        assert_eq!(Key::named(key).unwrap().to_string(), key);
    }
}
