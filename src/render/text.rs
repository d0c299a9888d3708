//! Every sentence the product says to a person, in one place. Whatever somebody typed is escaped and cut before it is
//! said back.

pub mod form;
pub mod key;
pub mod key_lifecycle;
pub mod request;

pub use form::*;
pub use key::*;
pub use key_lifecycle::*;
pub use request::*;

use crate::domain::use_case::UseCase;
use crate::slack::command::{Command, Problem, Reason, SyntaxError};

/// No gateway event: somebody invoked the function by other means.
pub const NOT_A_REQUEST: &str = "This is not a request that the gateway would send.";
/// The body is over the limit.
pub const TOO_LARGE: &str = "This request is too large.";
/// No such path.
pub const NOT_FOUND: &str = "There is nothing here.";
/// A path of ours, by another method.
pub const POST_ONLY: &str = "This address takes POST requests from Slack only.";
/// A body of another media type than Slack sends there.
pub const WRONG_MEDIA_TYPE: &str = "This address does not take that content type.";
/// A signed body that cannot be read.
pub const UNREADABLE: &str = "This request cannot be read.";
/// Signed, but for another app or workspace.
pub const NOT_FOR_US: &str =
    "This request is for another Slack app or workspace than this keyvend is set up for.";
/// Deployed, but not yet told which Slack app it belongs to.
pub const NOT_CONNECTED: &str = "keyvend is deployed but not yet connected to Slack. Set KEYVEND_SLACK_APP_ID and \
    KEYVEND_SLACK_TEAM_IDS, and store the app's signing secret and bot token.";
/// Signed and well, but it could not be passed on.
pub const NOT_QUEUED: &str = "keyvend could not take this just now. Please try again in a minute.";
/// A command is on its way.
pub const CHECKING: &str = "Checking... the answer comes here in a moment.";

/// A signed request without a field that Slack always sends. `field` is its name, ours, not theirs.
#[must_use]
pub fn lacks(field: &str) -> String {
    format!("This request has no usable {field}.")
}

/// All that can be typed after the slash command, which is named `slash`. For Slack, as mrkdwn.
#[must_use]
pub fn help(slash: &str) -> String {
    let mut help = "*What you can type*\n".to_owned();
    for lines in Command::HELP {
        let mut lines = lines.iter().map(|line| line.trim());
        let usage = lines.next().unwrap_or_default().trim_matches('`');
        let says = lines.collect::<Vec<_>>().join(" ");
        help.push_str(&format!("\u{2022} `{}` {says}\n", escape_mrkdwn(&format!("{slash} {usage}"))));
    }
    help.push_str(&format!("The use cases are {}.", use_cases()));
    help
}

/// What is wrong with a line, and the line to type instead. For Slack, as mrkdwn.
#[must_use]
pub fn syntax(error: &SyntaxError, slash: &str) -> String {
    format!("{} Type `{}`", problem(&error.problem), escape_mrkdwn(&format!("{slash} {}", error.correct)))
}

/// What is wrong with a line. For Slack, as mrkdwn.
#[must_use]
pub fn problem(problem: &Problem) -> String {
    match problem {
        Problem::UnknownCommand(word) => {
            format!("I don't know {}. The help shows everything you can ask for.", inline_code(word))
        }
        Problem::TooMuch(command) => format!("There is too much after `{command}`."),
        Problem::NotARequestId(word) => {
            format!(
                "{} is not a request id; those have 16 letters and digits. Leave it out and I look up yours.",
                inline_code(word)
            )
        }
        Problem::KeyMissing(command) => {
            format!("Which key? Name it after `{command}`; `list` shows your keys with their ids.")
        }
        Problem::NotAKey => {
            "That is not an access key id, which begins with `AKIA` and is no secret. Never paste a secret access key here."
                .to_owned()
        }
        Problem::UserMissing => "Which IAM user is the key for? Name it right after `create`.".to_owned(),
        Problem::NotAnIamUser(word) => {
            format!("{} is not an IAM user name. Write it as it stands in the AWS console.", inline_code(word))
        }
        Problem::UseMissing => format!("What is the key for? Add `use:` and one of {}.", use_cases()),
        Problem::UseRepeated => "There is more than one `use:`. Keep one.".to_owned(),
        Problem::UnknownUseCase(word) => {
            format!("{} is not a use case. Choose one of {}.", inline_code(word), use_cases())
        }
        Problem::TtlMissing => "How many days should the key live? Add `ttl:`, such as `ttl:30d`.".to_owned(),
        Problem::TtlRepeated => "There is more than one `ttl:`. Keep one.".to_owned(),
        Problem::InvalidLifetime(word) => {
            format!("{} is not a lifetime. Write whole days from 1 to 3650, such as `ttl:30d`.", inline_code(word))
        }
        Problem::ReasonMissing => {
            "Why do you need the key? Add a few words at the end; whoever approves it reads them.".to_owned()
        }
        Problem::ReasonTooLong => format!("The reason is too long. Use at most {} characters.", Reason::MOST),
    }
}

/// A text with Slack's three special characters escaped
/// (<https://docs.slack.dev/messaging/formatting-message-text>).
#[must_use]
pub fn escape_mrkdwn(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The first 50 characters of what somebody typed, as code.
fn inline_code(text: &str) -> String {
    const MOST: usize = 50;
    if text.is_empty() {
        return "Nothing".to_owned();
    }
    let mut cut: String = text.chars().take(MOST).collect::<String>().replace('`', "'");
    if text.chars().nth(MOST).is_some() {
        cut.push('\u{2026}');
    }
    format!("`{}`", escape_mrkdwn(&cut))
}

fn use_cases() -> String {
    UseCase::ALL.map(|use_case| format!("`{use_case}`")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_said_back_escaped_and_cut() {
        let cases = [
            ("<!channel>", "`&lt;!channel&gt;`"),
            ("a`b", "`a'b`"),
            ("&amp;", "`&amp;amp;`"),
            ("", "Nothing"),
            (&"x".repeat(50), &format!("`{}`", "x".repeat(50))),
            (&"<".repeat(51), &format!("`{}\u{2026}`", "&lt;".repeat(50))),
        ];
        for (text, expected) in cases {
            assert_eq!(inline_code(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_use_case_is_told_what_aws_recommends_for_it() {
        for (use_case, recommended) in [
            (UseCase::Cli, ["`aws login`", "IAM Identity Center"].as_slice()),
            (UseCase::LocalCode, &["IAM Identity Center"]),
            (UseCase::AwsCompute, &["an IAM role"]),
            (UseCase::ThirdParty, &["a role that the third party assumes", "external id"]),
            (UseCase::OutsideAws, &["Roles Anywhere"]),
            (UseCase::Other, &["short-lived credentials"]),
        ] {
            let told = alternative(use_case);
            assert!(told.starts_with("AWS recommends ") && told.ends_with('.'), "{told}");
            assert!(recommended.iter().all(|what| told.contains(what)), "{use_case}: {told}");
        }
    }

    #[test]
    fn the_help_is_the_commands_own() {
        insta::assert_snapshot!(help("/access-key"), @r"
        *What you can type*
        • `/access-key create` Open a form that asks for an access key; so does the command alone.
        • `/access-key create &lt;iam-user&gt;[@account] use:&lt;use-case&gt; ttl:&lt;days&gt;d &lt;reason&gt;` Ask for an access key for an IAM user of yours.
        • `/access-key list [iam-user[@account]]` See the access keys of your IAM users or of one of them, with what you can do about each.
        • `/access-key rotate &lt;key&gt;` Ask for a new key in place of one, until the same end.
        • `/access-key deactivate &lt;key&gt;` Switch a key off.
        • `/access-key activate &lt;key&gt;` Ask for a key that is off to be switched on again.
        • `/access-key delete &lt;key&gt;` Delete a key that is off.
        • `/access-key status [request]` See how your requests stand, or one of them.
        • `/access-key cancel [request]` Take back your request, as long as no key came of it.
        • `/access-key freeze` Stop all issuing of keys at once (approvers).
        • `/access-key unfreeze` Let issuing go on (approvers).
        • `/access-key whoami` See who you are to keyvend, and what makes an IAM user yours.
        • `/access-key help` See this list.
        The use cases are `cli`, `local-code`, `aws-compute`, `third-party`, `outside-aws`, `other`.
        ");
    }

    #[test]
    fn a_syntax_error_says_what_was_wrong_and_what_to_type() {
        let say = |line: &str| syntax(&line.parse::<Command>().unwrap_err(), "/access-key");
        insta::assert_snapshot!(say("create <@U1|bob>"), @"`@bob` is not an IAM user name. Write it as it stands in the AWS console. Type `/access-key create ci-deployer use:cli ttl:30d why you need it`");
        insta::assert_snapshot!(say("create ci use:laptop ttl:7d to deploy"), @"`laptop` is not a use case. Choose one of `cli`, `local-code`, `aws-compute`, `third-party`, `outside-aws`, `other`. Type `/access-key create ci use:cli ttl:7d why you need it`");
        insta::assert_snapshot!(say("&lt;!here&gt; `x`"), @"I don't know `&lt;!here&gt;`. The help shows everything you can ask for. Type `/access-key help`");
    }
}
