//! Every sentence that keyvend sends to people. Text that somebody typed is escaped and truncated before it is repeated.

pub mod card;
pub mod denial;
pub mod discrepancy;
pub mod edit;
pub mod form;
pub mod freeze;
pub mod key;
pub mod key_lifecycle;
pub mod link;
pub mod phrase;
pub mod question;
pub mod request;
pub mod undo;

pub use card::*;
pub use denial::*;
pub use discrepancy::*;
pub use edit::*;
pub use form::*;
pub use freeze::*;
pub use key::*;
pub use key_lifecycle::*;
pub use link::*;
pub use phrase::*;
pub use question::*;
pub use request::*;
pub use undo::*;

use crate::domain::use_case::UseCase;
use crate::id::AccessKeyId;
use crate::slack::command::{Command, Problem, Reason, SyntaxError};

/// The event is not from API Gateway.
pub const NOT_A_REQUEST: &str = "This is not a valid API Gateway request.";
/// The body exceeds the limit.
pub const TOO_LARGE: &str = "This request is too large.";
pub const NOT_FOUND: &str = "Not found.";
/// A known path, called with another method.
pub const POST_ONLY: &str = "This address accepts only POST requests from Slack.";
/// Another content type than Slack sends.
pub const WRONG_MEDIA_TYPE: &str = "This address does not accept that content type.";
/// A signed body that cannot be parsed.
pub const UNREADABLE: &str = "This request cannot be read.";
/// Signed, but for another app or workspace.
pub const NOT_FOR_US: &str =
    "This request is for another Slack app or workspace than the one keyvend is configured for.";
/// Deployed, but without the id of its Slack app.
pub const NOT_CONNECTED: &str = "keyvend is deployed but not yet connected to Slack. Set KEYVEND_SLACK_APP_ID and \
    KEYVEND_SLACK_TEAM_IDS, and store the app's signing secret and bot token.";
/// A valid request that could not be queued.
pub const NOT_QUEUED: &str = "keyvend could not accept this. Please try again in a minute.";
/// The same where it may have been accepted nevertheless.
pub const NOT_CONFIRMED: &str = "keyvend did not confirm in time that it accepted this. If no answer appears here within a minute, nothing was done: please try again then. To stop a key at once, deactivate it in the IAM console.";
/// The acknowledgment of a command.
pub const CHECKING: &str = "Checking... the answer will appear here in a moment.";

/// A signed request without a field that Slack always sends. `field` is a fixed name, never text from the request.
#[must_use]
pub fn lacks(field: &str) -> String {
    format!("This request has no usable {field}.")
}

/// The help of the slash command named `slash`, as mrkdwn.
#[must_use]
pub fn help(slash: &str) -> String {
    let mut help = "*Commands*\n".to_owned();
    for lines in Command::HELP {
        let mut lines = lines.iter().map(|line| line.trim());
        let usage = lines.next().unwrap_or_default().trim_matches('`');
        let says = lines.collect::<Vec<_>>().join(" ");
        help.push_str(&format!("\u{2022} `{}` {says}\n", escape_mrkdwn(&format!("{slash} {usage}"))));
    }
    help.push_str(&format!("The use cases are {}.", use_cases()));
    help
}

/// A syntax error and a corrected line, as mrkdwn.
#[must_use]
pub fn syntax(error: &SyntaxError, slash: &str) -> String {
    let line = escape_mrkdwn(&format!("{slash} {}", error.correct));
    match &error.problem {
        // Nothing is near to it: the help shows all there is.
        Problem::UnknownCommand(_) if error.correct == "help" => {
            format!("{}\n{}", problem(&error.problem), help(slash))
        }
        Problem::UnknownCommand(_) => format!("{} Did you mean `{line}`?", problem(&error.problem)),
        wrong => format!("{} Type `{line}`", problem(wrong)),
    }
}

/// A single word that is neither a command nor an IAM user that the person is known to own.
#[must_use]
pub fn unknown_word(word: &str, slash: &str) -> String {
    let word = inline_code(word);
    format!("{word} is neither a command nor an IAM user that you are known to own.\n{}", help(slash))
}

/// Advice after a secret access key was typed. It names the key, if that was typed, and never the secret.
#[must_use]
pub fn secret_typed(key: Option<&AccessKeyId>) -> String {
    let which = key.map_or_else(|| "that key".to_owned(), |key| format!("the key `{key}`"));
    format!(
        "That looks like a secret access key. keyvend did not store or forward it, but it passed through Slack: deactivate {which} and request a new one. Never type or paste a secret access key here."
    )
}

/// A syntax error, as mrkdwn.
#[must_use]
pub fn problem(problem: &Problem) -> String {
    match problem {
        Problem::UnknownCommand(word) => {
            format!("{} is not a command.", inline_code(word))
        }
        Problem::TooMuch(command) => format!("`{command}` has too many arguments."),
        Problem::NotARequestId(word) => {
            format!(
                "{} is not a request ID, which has 16 letters and digits. Leave it out to use your own requests.",
                inline_code(word)
            )
        }
        Problem::KeyMissing(command) => {
            format!("Which key? Add its ID after `{command}`; `list` shows your keys with their IDs.")
        }
        Problem::NotAKey => {
            "That is not an access key ID, which begins with `AKIA` and is not secret. Never paste a secret access key here."
                .to_owned()
        }
        Problem::UserRepeated => "There is more than one IAM user. Request one key at a time.".to_owned(),
        Problem::AccountRepeated => "There is more than one account. Keep one.".to_owned(),
        Problem::NotAnAccount(word) => {
            format!("{} is not an account. Write its alias or its 12-digit number.", inline_code(word))
        }
        Problem::SecretTyped => secret_typed(None),
        Problem::UserMissing => "Which IAM user is the key for? Add its name directly after `create`.".to_owned(),
        Problem::NotAnIamUser(word) => {
            format!("{} is not an IAM user name. Write it as shown in the AWS console.", inline_code(word))
        }
        Problem::UseMissing => format!("What is the key for? Add `use:` and one of {}.", use_cases()),
        Problem::UseRepeated => "There is more than one `use:`. Keep one.".to_owned(),
        Problem::UnknownUseCase(word, None) => {
            format!("{} is not a use case. Choose one of {}.", inline_code(word), use_cases())
        }
        Problem::UnknownUseCase(word, Some(near)) => {
            format!("{} is not a use case. Did you mean `{near}`?", inline_code(word))
        }
        Problem::TtlMissing => "How long do you need the key? Add `ttl:`, such as `ttl:30d`.".to_owned(),
        Problem::TtlRepeated => "There is more than one `ttl:`. Keep one.".to_owned(),
        Problem::InvalidLifetime(word) => {
            format!("{} is not a lifetime. Use whole days from 1 to 3650, such as `ttl:30d`.", inline_code(word))
        }
        Problem::ReasonMissing => {
            "Why do you need the key? Add a few words at the end; the approvers read them.".to_owned()
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
pub(crate) fn inline_code(text: &str) -> String {
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

    // T5.3
    #[test]
    fn echoed_user_text_is_escaped_and_truncated() {
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
    fn every_use_case_links_aws_recommendation() {
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
            let links: Vec<&str> = told.split('<').skip(1).collect();
            assert!(!links.is_empty(), "{use_case}: {told}");
            for link in links {
                let (address, label) = link.split_once('>').unwrap().0.split_once('|').unwrap();
                let page = address.strip_prefix("https://docs.aws.amazon.com/").unwrap();
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
                assert!(page.ends_with(".html") && page.chars().all(is_plain), "{address}");
                assert!(!label.is_empty(), "{told}");
            }
        }
    }

    #[test]
    fn the_help_is_the_commands_own() {
        insta::assert_snapshot!(help("/access-key"), @r"
        *Commands*
        • `/access-key create` Open the request form; the command alone, or with an IAM user of yours, does the same.
        • `/access-key create &lt;iam-user&gt;[@account] use:&lt;use-case&gt; ttl:&lt;days&gt;d &lt;reason&gt;` Request an access key for an IAM user that you own.
        • `/access-key list [iam-user[@account]]` List the access keys of your IAM users or of one of them, with the available actions.
        • `/access-key rotate &lt;key&gt;` Request a replacement for a key, with the same expiry.
        • `/access-key extend &lt;key&gt;` Request a later expiry for a key.
        • `/access-key deactivate &lt;key&gt;` Deactivate a key immediately. You can undo it for 15 minutes.
        • `/access-key activate &lt;key&gt;` Request reactivation of an inactive key.
        • `/access-key delete &lt;key&gt;` Delete an inactive key, after you confirmed it.
        • `/access-key status [request]` Show your requests or one of them.
        • `/access-key cancel [request]` Cancel a request that has no key yet.
        • `/access-key freeze` Freeze key issuing immediately (approvers).
        • `/access-key unfreeze` Resume key issuing (approvers).
        • `/access-key whoami` Show your Slack ID, your role and how ownership is defined.
        • `/access-key help` Show this list.
        The use cases are `cli`, `local-code`, `aws-compute`, `third-party`, `outside-aws`, `other`.
        ");
    }

    #[test]
    fn syntax_error_says_what_to_type() {
        let say = |line: &str| syntax(&line.parse::<Command>().unwrap_err(), "/access-key");
        insta::assert_snapshot!(say("create <@U1|bob>"), @"`@bob` is not an IAM user name. Write it as shown in the AWS console. Type `/access-key create ci-deployer use:&lt;use-case&gt; ttl:30d why you need it`");
        insta::assert_snapshot!(say("create ci use:laptop ttl:7d to deploy"), @"`laptop` is not a use case. Did you mean `local-code`? Type `/access-key create ci use:local-code ttl:7d to deploy`");
        insta::assert_snapshot!(say("deactvate x"), @"`deactvate` is not a command. Did you mean `/access-key list`?");
        let unknown = say("&lt;!here&gt; `x`");
        assert_eq!(unknown, format!("`&lt;!here&gt;` is not a command.\n{}", help("/access-key")));
    }
}
