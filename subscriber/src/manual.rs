//! What `logsub` says of itself to shells and to `man`, made from the definitions of its flags.
//!
//! [`completions`] is a script for a shell, [`page`] a manual page in roff: clap's generators write
//! both, and here stands what they do not know, which is how subcommands are called, and the
//! examples and exit codes that end `--help`, as sections of their own. Nothing is written twice.

use std::io;

use clap::builder::StyledStr;
use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::aot;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::Cli;

/// The shells that there are scripts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// What the manual says besides, by section.
const NOTES: &[(&str, &[&str])] = &[
    (
        "ENVIRONMENT",
        &[
            "Every flag has a variable, which counts where the flag is not given: LOGSUB_LEVEL is \
             that of --level, LOGSUB_MAX_MESSAGE that of --max-message. LOGSUB_USER_CONFIG names \
             the file with your own defaults; empty, it means none. LOGBUS_PORT_BASE moves the \
             four default ports.",
        ],
    ),
    (
        "FILES",
        &[
            "$XDG_CONFIG_HOME/logsub/config.toml, or ~/.config/logsub/config.toml: your own \
             defaults, in TOML, under the long names of the flags. Flags, the environment and the \
             part logsub of --config files come before them.",
        ],
    ),
];

/// A script that makes a shell complete the flags.
pub fn completions(shell: Shell) -> Vec<u8> {
    let shell = match shell {
        Shell::Bash => aot::Shell::Bash,
        Shell::Zsh => aot::Shell::Zsh,
        Shell::Fish => aot::Shell::Fish,
    };
    let mut script = Vec::new();
    aot::generate(shell, &mut Cli::command(), "logsub", &mut script);
    script
}

/// The manual page.
pub fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let usage = usage(&command);
    let man = Man::new(command.clone().override_usage(usage)).manual("logbus");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut rest = Roff::new();
    rest.control("SH", ["COMMANDS"]);
    for command in commands(&command) {
        add_command(&mut rest, command);
    }
    for (title, paragraphs) in NOTES {
        rest.control("SH", [*title]);
        for paragraph in *paragraphs {
            rest.control("PP", []).text([roman(*paragraph)]);
        }
    }
    add_endnotes(&mut rest, &text(command.get_after_help()));
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// The subcommands, without the one that helps.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    let commands = command.get_subcommands();
    commands.filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

/// How the program and its subcommands are called, a line each.
fn usage(command: &Command) -> String {
    let call = |command: &Command| {
        let usage = command.clone().render_usage().to_string();
        let first = usage.lines().next().unwrap_or_default();
        first.trim_start_matches("Usage:").trim().to_owned()
    };
    let calls = std::iter::once(command).chain(commands(command)).map(call);
    calls.collect::<Vec<_>>().join("\n")
}

/// A subcommand: what it is for, what it takes, and how its help ends.
fn add_command(roff: &mut Roff, command: &Command) {
    let about = command.get_long_about().or_else(|| command.get_about());
    add_item(roff, command.get_name(), &text(about));
    roff.control("RS", []);
    let arguments = command.get_arguments();
    for argument in arguments.filter(|argument| argument.get_id() != "help") {
        add_item(roff, &argument.to_string(), &text(argument.get_help()));
    }
    let notes = text(command.get_after_help());
    roff.control("PP", []).control("nf", []);
    for line in notes.lines() {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []).control("RE", []);
}

fn add_item(roff: &mut Roff, name: &str, about: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]).text([roman(about)]);
}

/// What ends the help: its titles become sections, and the lines below them stay as they are.
fn add_endnotes(roff: &mut Roff, notes: &str) {
    for line in notes.lines().filter(|line| !line.is_empty()) {
        match line.strip_suffix(':') {
            Some(title) if !title.starts_with(' ') => {
                let title = title.to_uppercase();
                roff.control("fi", []);
                roff.control("SH", [title.as_str()]).control("nf", []);
            }
            _ => {
                roff.text([roman(line.trim_start())]);
            }
        }
    }
    roff.control("fi", []);
}

fn text(styled: Option<&StyledStr>) -> String {
    styled.map(StyledStr::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Vec<String> {
        let mut command = Cli::command();
        command.build();
        let all = std::iter::once(&command).chain(command.get_subcommands());
        let flags =
            all.flat_map(|command| command.get_arguments().filter_map(|arg| arg.get_long()));
        flags.map(str::to_owned).collect()
    }

    #[test]
    fn every_flag_is_in_the_completions_of_every_shell() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions(*shell)).unwrap();
            for flag in flags() {
                let typed = match shell {
                    Shell::Fish => format!("-l {flag}"),
                    Shell::Bash | Shell::Zsh => format!("--{flag}"),
                };
                assert!(script.contains(&typed), "{shell:?}: {typed}");
            }
        }
    }

    #[test]
    fn the_manual_has_every_flag_every_command_and_how_help_ends() {
        let page = String::from_utf8(page().unwrap())
            .unwrap()
            .replace("\\-", "-");
        for flag in flags() {
            assert!(page.contains(&format!("--{flag}")), "--{flag}");
        }
        for expected in [
            ".SH NAME\nlogsub - ",
            "\\fBlogsub\\fR check-config [OPTIONS] <FILE>...\n",
            "\\fBlogsub\\fR completions <SHELL>\n",
            ".SH EXAMPLES\n",
            "\nlogsub -t myapp,jobs -l warning ",
            ".SH \"EXIT CODES\"\n",
            "\n0 done ",
            ".SH ENVIRONMENT\n",
            ".SH FILES\n",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
    }
}
