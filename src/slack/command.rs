//! What one can type after the slash command. The doc comments of [`Command`] are the help that people read, so
//! commands and help cannot differ.

pub mod create;
pub mod error;
pub mod form;
pub mod keys;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::domain::lifetime::{Days, InvalidLifetime};
pub use crate::domain::reason::{InvalidReason, Reason};
use crate::id::{AccessKeyId, RequestId};
pub use crate::slack::command::create::Create;
#[cfg(feature = "cli")]
pub(crate) use crate::slack::command::create::iam_user;
pub use crate::slack::command::error::{Problem, SyntaxError};
pub use crate::slack::command::form::{Field, denial_reason};
pub use crate::slack::command::keys::TypedUser;
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
        /// Open the request form; the command alone does the same.
        Form,
        /// `create <iam-user>[@account] use:<use-case> ttl:<days>d <reason>`
        /// Request an access key for an IAM user that you own.
        Create(Create),
        /// `list [iam-user[@account]]`
        /// List the access keys of your IAM users or of one of them, with the available actions.
        List(Option<TypedUser>),
        /// `rotate <key>`
        /// Request a replacement for a key, with the same expiry.
        Rotate(AccessKeyId),
        /// `deactivate <key>`
        /// Deactivate a key immediately.
        Deactivate(AccessKeyId),
        /// `activate <key>`
        /// Request reactivation of an inactive key.
        Activate(AccessKeyId),
        /// `delete <key>`
        /// Delete an inactive key.
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

/// Reads the `text` that Slack sends with a slash command. An empty one asks for the form.
impl FromStr for Command {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let text = mrkdwn::unescape(text);
        let text = text.trim_matches(is_blank);
        // Copied out of our own help with its backticks.
        let text = text.strip_prefix('`').and_then(|text| text.strip_suffix('`')).unwrap_or(text);
        let mut words = text.split(is_blank).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { return Ok(Self::Form) };
        let mut words = words.peekable();
        match first.to_ascii_lowercase().as_str() {
            "create" if words.peek().is_none() => Ok(Self::Form),
            "create" => create::create(words).map(Self::Create),
            "list" => keys::listed(words).map(Self::List),
            "rotate" => keys::key("rotate", words).map(Self::Rotate),
            "deactivate" => keys::key("deactivate", words).map(Self::Deactivate),
            "activate" => keys::key("activate", words).map(Self::Activate),
            "delete" => keys::key("delete", words).map(Self::Delete),
            "status" => parse_request_id("status", words).map(Self::Status),
            "cancel" => parse_request_id("cancel", words).map(Self::Cancel),
            "freeze" => ensure_no_args("freeze", words).map(|()| Self::Freeze),
            "unfreeze" => ensure_no_args("unfreeze", words).map(|()| Self::Unfreeze),
            "whoami" => ensure_no_args("whoami", words).map(|()| Self::Whoami),
            "help" => Ok(Self::Help),
            _ => Err(SyntaxError {
                problem: Problem::UnknownCommand(first.to_owned()),
                correct: "help".to_owned(),
            }),
        }
    }
}

/// The request that a command names, if it names one. Crockford's O, I and L are the digits they look like.
fn parse_request_id<'a>(
    command: &'static str,
    mut words: impl Iterator<Item = &'a str>,
) -> Result<Option<RequestId>, SyntaxError> {
    let Some(word) = words.next() else { return Ok(None) };
    let id = word.trim_matches('`').to_ascii_uppercase().replace('O', "0").replace(['I', 'L'], "1");
    let id = id.parse().map_err(|_| SyntaxError {
        problem: Problem::NotARequestId(word.to_owned()),
        correct: command.to_owned(),
    })?;
    if words.next().is_some() {
        return Err(SyntaxError { problem: Problem::TooMuch(command), correct: format!("{command} {id}") });
    }
    Ok(Some(id))
}

fn ensure_no_args<'a>(
    command: &'static str,
    mut words: impl Iterator<Item = &'a str>,
) -> Result<(), SyntaxError> {
    match words.next() {
        None => Ok(()),
        Some(_) => Err(SyntaxError { problem: Problem::TooMuch(command), correct: command.to_owned() }),
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
            ("", Command::Form),
            (" \t\u{a0}\n", Command::Form),
            ("create", Command::Form),
            ("` Create `", Command::Form),
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
        ];
        for (line, expected) in cases {
            assert_eq!(line.parse(), Ok(expected), "{line:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_command_is_told_what_is_wrong() {
        let cases = [
            ("frobnicate", Problem::UnknownCommand("frobnicate".to_owned()), "help"),
            ("extend", Problem::UnknownCommand("extend".to_owned()), "help"),
            ("whoami now", Problem::TooMuch("whoami"), "whoami"),
            ("status REQ7K2M", Problem::NotARequestId("REQ7K2M".to_owned()), "status"),
            ("cancel 0123456789ABCDEU", Problem::NotARequestId("0123456789ABCDEU".to_owned()), "cancel"),
            ("cancel 0123456789ABCDEF please", Problem::TooMuch("cancel"), "cancel 0123456789ABCDEF"),
        ];
        for (line, problem, correct) in cases {
            let expected = SyntaxError { problem, correct: correct.to_owned() };
            assert_eq!(line.parse::<Command>(), Err(expected), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_command_or_a_syntax_error(text in any::<String>()) {
            let _ = text.parse::<Command>();
        }

        #[test]
        fn any_text_of_the_grammars_own_pieces_is_a_command_or_a_correct_line(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12),
        ) {
            if let Err(error) = pieces.concat().parse::<Command>() {
                let again = error.correct.parse::<Command>();
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
