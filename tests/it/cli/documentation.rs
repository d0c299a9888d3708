//! What docs/cli.md shows can be typed, and it shows every command.

use clap::{CommandFactory as _, Parser as _};
use keyvend::cli::Cli;

const DOCS: &str = include_str!("../../../docs/cli.md");

#[test]
fn documented_command_lines_are_valid() {
    let shown: Vec<&str> = DOCS.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(shown.len() > 10, "{shown:?}");
    for line in shown {
        if let Err(error) = Cli::try_parse_from(line.split_whitespace()) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn every_command_and_flag_is_documented() {
    // Every command is in the documentation and every flag in the help of its command.
    let tool = Cli::command();
    let leaves = tool.get_subcommands().flat_map(|command| {
        let own: Vec<String> = command
            .get_subcommands()
            .map(|leaf| format!("{} {}", command.get_name(), leaf.get_name()))
            .collect();
        if own.is_empty() { vec![command.get_name().to_owned()] } else { own }
    });
    for command in leaves {
        assert!(DOCS.contains(&format!("`{command}")), "{command} is not in docs/cli.md");
    }
    let mut all: Vec<&clap::Command> = tool.get_subcommands().collect();
    while let Some(command) = all.pop() {
        all.extend(command.get_subcommands());
        for flag in command.get_arguments() {
            assert!(flag.get_help().is_some(), "{} {}", command.get_name(), flag.get_id());
        }
    }
}
