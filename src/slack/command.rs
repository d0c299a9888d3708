//! What one can type after the slash command. The doc comments of [`Command`] are the help that people read, so
//! commands and help cannot differ.

pub mod create;
pub mod error;
pub mod form;
pub mod iam_user;
pub mod keys;
pub mod prefill;
pub mod secret;
mod word;

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strsim::osa_distance;

pub use crate::domain::lifetime::{Days, InvalidLifetime};
pub use crate::domain::reason::{InvalidReason, Reason};
use crate::id::{AccessKeyId, RequestId};
pub use crate::slack::command::create::Create;
pub use crate::slack::command::error::{Problem, SyntaxError};
pub use crate::slack::command::form::{Field, MOST_OTHER_ACCOUNTS, other_accounts, review_reason};
pub use crate::slack::command::iam_user::TypedUser;
pub use crate::slack::command::prefill::Prefill;
use crate::slack::mrkdwn;
use crate::text::is_blank;

macro_rules! commands {
    ($(#[$meta:meta])* pub enum $name:ident {
        $($(#[doc = $help:literal])+ $variant:ident $(($field:ty))?,)+
    }) => {
        $(#[$meta])*
        pub enum $name {
            $($(#[doc = $help])+ $variant $(($field))?,)+
        }

        impl $name {
            /// The doc comments of every variant, line by line: first how it is typed, then what it does.
            pub const HELP: &'static [&'static [&'static str]] = &[$(&[$($help),+]),+];
        }
    };
}

commands! {
    /// A command, as typed.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Command {
        /// `create`
        /// Open the request form; the command alone, or with an IAM user of yours, does the same.
        Form(Option<TypedUser>),
        /// `create <iam-user>[@account] use:<use-case> ttl:<days>d <reason>`
        /// Request an access key for an IAM user that you own.
        Create(Create),
        /// `list [iam-user[@account]]`
        /// List the access keys of your IAM users or of one of them, with the available actions.
        List(Option<TypedUser>),
        /// `rotate <key>`
        /// Request a replacement for a key, with the same expiry.
        Rotate(AccessKeyId),
        /// `extend <key>`
        /// Request a later expiry for a key.
        Extend(AccessKeyId),
        /// `deactivate <key>`
        /// Deactivate a key immediately. You can undo it for 15 minutes.
        Deactivate(AccessKeyId),
        /// `activate <key>`
        /// Request reactivation of an inactive key.
        Activate(AccessKeyId),
        /// `delete <key>`
        /// Delete an inactive key, after you confirmed it.
        Delete(AccessKeyId),
        /// `status [request]`
        /// Show your requests or one of them.
        Status(Option<RequestId>),
        /// `cancel [request]`
        /// Cancel a request that has no key yet.
        Cancel(Option<RequestId>),
        /// `freeze`
        /// Freeze key issuing immediately (approvers).
        Freeze,
        /// `unfreeze`
        /// Resume key issuing (approvers).
        Unfreeze,
        /// `whoami`
        /// Show your Slack ID, your role and how ownership is defined.
        Whoami,
        /// `help`
        /// Show this list.
        Help,
    }
}

/// Other words for commands, as other tools have them.
const SYNONYMS: &[(&str, &str)] = &[
    ("new", "create"),
    ("request", "create"),
    ("add", "create"),
    ("ls", "list"),
    ("keys", "list"),
    ("renew", "extend"),
    ("prolong", "extend"),
    ("revoke", "deactivate"),
    ("disable", "deactivate"),
    ("off", "deactivate"),
    ("enable", "activate"),
    ("reactivate", "activate"),
    ("on", "activate"),
    ("remove", "delete"),
    ("rm", "delete"),
    ("resume", "unfreeze"),
    ("me", "whoami"),
    ("who", "whoami"),
    ("h", "help"),
    ("usage", "help"),
    ("commands", "help"),
];

/// The commands, as typed.
const NAMES: [&str; 12] = [
    "create",
    "list",
    "rotate",
    "extend",
    "deactivate",
    "activate",
    "delete",
    "status",
    "cancel",
    "freeze",
    "unfreeze",
    "whoami",
];

/// A typing error of so many edits is recognised, in a word of more than twice as many characters.
const MAX_EDITS: usize = 2;

/// Reads the `text` that Slack sends with a slash command. An empty one asks for the form.
impl FromStr for Command {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let text = mrkdwn::unescape(text);
        let text = text.trim_matches(is_blank);
        // Copied out of our own help with its backticks.
        let text = text.strip_prefix('`').and_then(|text| text.strip_suffix('`')).unwrap_or(text);
        let mut words = text.split(is_blank).filter(|word| !word.is_empty()).peekable();
        // Pasted with the slash command itself.
        while words.next_if(|word| word.starts_with('/')).is_some() {}
        let Some(first) = words.next() else { return Ok(Self::Form(None)) };
        match command_name(first).as_str() {
            "create" if words.peek().is_none() => Ok(Self::Form(None)),
            "create" => create::create(words).map(Self::Create),
            "list" => keys::listed(words).map(Self::List),
            "rotate" => keys::key("rotate", words).map(Self::Rotate),
            "extend" => keys::key("extend", words).map(Self::Extend),
            "deactivate" => keys::key("deactivate", words).map(Self::Deactivate),
            "activate" => keys::key("activate", words).map(Self::Activate),
            "delete" => keys::key("delete", words).map(Self::Delete),
            "status" => parse_request_id("status", words).map(Self::Status),
            "cancel" => parse_request_id("cancel", words).map(Self::Cancel),
            "freeze" => ensure_no_args("freeze", words).map(|()| Self::Freeze),
            "unfreeze" => ensure_no_args("unfreeze", words).map(|()| Self::Unfreeze),
            "whoami" => Ok(Self::Whoami),
            "help" => Ok(Self::Help),
            name => match (similar(name), words.peek()) {
                (None, None) if let Ok(user) = first.parse() => Ok(Self::Form(Some(user))),
                (None, _) => Err(SyntaxError::new(Problem::UnknownCommand(first.to_owned()), "help")),
                (Some(near), _) => Err(mistyped(first, near, words)),
            },
        }
    }
}

/// The command that a first word names, by its own name or a synonym; else the word in lower case.
fn command_name(word: &str) -> String {
    let plain = word::ascii_hyphens(word).to_ascii_lowercase();
    let plain = word::bare(plain.trim_start_matches('-'));
    // Nothing is left of `?` and `??`.
    if plain.is_empty() {
        return "help".to_owned();
    }
    let synonym = SYNONYMS.iter().find(|(synonym, _)| *synonym == plain);
    synonym.map_or(plain, |(_, name)| name).to_owned()
}

/// The command that a mistyped word is nearest to, where there is one.
fn similar(word: &str) -> Option<&'static str> {
    if word.chars().count() <= 2 * MAX_EDITS {
        return None;
    }
    let near = NAMES.map(|name| (osa_distance(word, name), name));
    let mut near: Vec<_> = near.into_iter().filter(|(edits, _)| *edits <= MAX_EDITS).collect();
    near.sort_unstable();
    match near[..] {
        [(_, name)] => Some(name),
        [(edits, name), (others, _), ..] if edits < others => Some(name),
        _ => None,
    }
}

/// What is wrong with a line whose command was mistyped, with the rest of it kept.
fn mistyped<'a>(word: &str, meant: &'a str, rest: impl Iterator<Item = &'a str>) -> SyntaxError {
    let line = [meant].into_iter().chain(rest).collect::<Vec<_>>().join(" ");
    let problem = Problem::UnknownCommand(word.to_owned());
    match line.parse::<Command>() {
        Ok(_) => SyntaxError::new(problem, line),
        Err(error) => SyntaxError { problem, ..error },
    }
}

/// The request that a command names, if it names one: the one word that is an id. Crockford's O, I and L are the digits
/// they look like.
fn parse_request_id<'a>(
    command: &'static str,
    words: impl Iterator<Item = &'a str>,
) -> Result<Option<RequestId>, SyntaxError> {
    let words: Vec<&str> = words.collect();
    let id = |word: &&str| {
        let word = word::bare(word).trim_start_matches('#').to_ascii_uppercase();
        word.replace('O', "0").replace(['I', 'L'], "1").parse::<RequestId>().ok()
    };
    let ids: Vec<RequestId> = words.iter().filter_map(id).collect();
    match (&ids[..], words.first()) {
        (_, None) => Ok(None),
        ([id], _) => Ok(Some(id.clone())),
        ([], Some(word)) => Err(SyntaxError::new(Problem::NotARequestId((*word).to_owned()), command)),
        ([id, ..], _) => Err(SyntaxError::new(Problem::TooMuch(command), format!("{command} {id}"))),
    }
}

fn ensure_no_args<'a>(
    command: &'static str,
    mut words: impl Iterator<Item = &'a str>,
) -> Result<(), SyntaxError> {
    match words.find(|word| !word::bare(word).is_empty()) {
        None => Ok(()),
        Some(_) => Err(SyntaxError::new(Problem::TooMuch(command), command)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everything_in_the_help_can_be_typed() {
        for lines in Command::HELP {
            let usage = lines[0].trim().trim_matches('`');
            let verb = usage.split(' ').next().unwrap();
            let unknown = matches!(
                verb.parse::<Command>(),
                Err(SyntaxError { problem: Problem::UnknownCommand(_), .. })
            );
            assert!(!unknown, "{usage}");
            assert!(lines.len() > 1, "{usage} does not say what it does");
        }
    }

    #[test]
    fn a_line_is_a_command() {
        let id = || Some("0123456789ABCDEF".parse().unwrap());
        let cases = [
            ("", Command::Form(None)),
            (" \t\u{a0}\n", Command::Form(None)),
            ("create", Command::Form(None)),
            ("` Create `", Command::Form(None)),
            ("help", Command::Help),
            ("HELP me", Command::Help),
            ("whoami", Command::Whoami),
            ("  Whoami  ", Command::Whoami),
            ("`whoami`", Command::Whoami),
            ("status", Command::Status(None)),
            ("status 0123456789ABCDEF", Command::Status(id())),
            ("status `0123456789abcdef`", Command::Status(id())),
            ("`status 0123456789abcdef`", Command::Status(id())),
            ("cancel\u{2003}o1234567B9abcdeF".replace('B', "8").leak(), Command::Cancel(id())),
            ("cancel 0i23456789abcdef", Command::Cancel(id())),
            ("cancel", Command::Cancel(None)),
            ("/access-key whoami", Command::Whoami),
            ("?", Command::Help),
            ("--help", Command::Help),
            ("-h", Command::Help),
            ("HELP!", Command::Help),
            ("new", Command::Form(None)),
            ("ls", Command::List(None)),
            ("ci-deployer", Command::Form("ci-deployer".parse().ok())),
            ("/access-key `ci`@prod", Command::Form("ci@prod".parse().ok())),
            ("whoami please", Command::Whoami),
            ("freeze!", Command::Freeze),
            ("*freeze*", Command::Freeze),
            ("status #0123456789abcdef.", Command::Status(id())),
            ("status of 0123456789ABCDEF please", Command::Status(id())),
        ];
        for (line, expected) in cases {
            assert_eq!(line.parse(), Ok(expected), "{line:?}");
        }
    }

    #[test]
    fn invalid_line_explains_error() {
        let cases = [
            ("frobnicate it", Problem::UnknownCommand("frobnicate".to_owned()), "help"),
            ("a/b", Problem::UnknownCommand("a/b".to_owned()), "help"),
            ("deactvate x", Problem::UnknownCommand("deactvate".to_owned()), "list"),
            ("rotate@", Problem::UnknownCommand("rotate@".to_owned()), "list"),
            (
                "deactvate AKIAIOSFODNN7EXAMPLE it leaked",
                Problem::UnknownCommand("deactvate".to_owned()),
                "deactivate AKIAIOSFODNN7EXAMPLE it leaked",
            ),
            ("freeze ci-deployer", Problem::TooMuch("freeze"), "freeze"),
            ("status REQ7K2M", Problem::NotARequestId("REQ7K2M".to_owned()), "status"),
            ("cancel 0123456789ABCDEU", Problem::NotARequestId("0123456789ABCDEU".to_owned()), "cancel"),
            (
                "cancel 0123456789ABCDEF 0123456789ABCDEG",
                Problem::TooMuch("cancel"),
                "cancel 0123456789ABCDEF",
            ),
        ];
        for (line, problem, correct) in cases {
            assert_eq!(line.parse::<Command>(), Err(SyntaxError::new(problem, correct)), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_explains_error(text in any::<String>()) {
            let _ = text.parse::<Command>();
        }

        #[test]
        fn random_grammar_tokens_parse_or_get_correction(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12),
        ) {
            if let Err(error) = pieces.concat().parse::<Command>() {
                // What only the person can know is left open in it.
                let again = error.correct.replace("<use-case>", "cli").parse::<Command>();
                prop_assert!(again.is_ok(), "{:?} for {:?}", error.correct, pieces);
            }
        }
    }

    const PIECES: &[&str] = &[
        "create",
        "status",
        "cancel",
        "whoami",
        "list",
        "rotate",
        "extend",
        "delete",
        "AKIAIOSFODNN7EXAMPLE",
        " ",
        " ",
        " ",
        "bob",
        "@",
        "prod",
        "use:",
        "cli",
        "ttl:",
        "30d",
        "d",
        "0",
        "why",
        "`",
        "<",
        ">",
        "|",
        "&",
        "&lt;",
        "&gt;",
        "&amp;",
        "<mailto:a@b.co|a@b.co>",
        "<@U1|x>",
        "\u{202e}",
        "\n",
        "\u{1f511}",
        "0123456789ABCDEF",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
}
