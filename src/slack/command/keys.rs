//! The commands about keys that exist: which IAM user's, or which key.

use crate::id::AccessKeyId;
use crate::slack::command::error::{Problem, SyntaxError};
use crate::slack::command::iam_user::TypedUser;
use crate::slack::command::word::{bare, option};

/// The longest id that is taken. AWS's have 20 characters; a secret access key has 40, and must not be taken for one.
const LONGEST: usize = 32;

/// The IAM user that `list` names, if it names one.
pub(crate) fn listed<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Option<TypedUser>, SyntaxError> {
    let Some(word) = words.next() else { return Ok(None) };
    let Ok(user) = word.parse::<TypedUser>() else {
        return Err(SyntaxError::new(Problem::NotAnIamUser(word.to_owned()), "list"));
    };
    match words.next() {
        None => Ok(Some(user)),
        Some(_) => Err(SyntaxError::new(Problem::TooMuch("list"), format!("list {user}"))),
    }
}

/// The key that a command names: the one word that is an id, whatever stands around it, such as a reason. Of two, none is
/// taken. What is none is not said back: it could be a secret.
pub(crate) fn key<'a>(
    command: &'static str,
    words: impl Iterator<Item = &'a str>,
) -> Result<AccessKeyId, SyntaxError> {
    let wrong = |problem| SyntaxError::new(problem, "list");
    let words: Vec<&str> = words.collect();
    let ids: Vec<AccessKeyId> = words.iter().filter_map(|word| key_id(word)).collect();
    match (&ids[..], words.is_empty()) {
        ([id], _) => Ok(id.clone()),
        ([id, ..], _) => Err(SyntaxError::new(Problem::TooMuch(command), format!("{command} {id}"))),
        ([], true) => Err(wrong(Problem::KeyMissing(command))),
        ([], false) => Err(wrong(Problem::NotAKey)),
    }
}

/// The id that a word is: alone, or the value of an option such as `--access-key-id=`.
fn key_id(word: &str) -> Option<AccessKeyId> {
    let value = option(word).filter(|option| !option.value.is_empty()).map_or(word, |option| option.value);
    let id = bare(value).to_ascii_uppercase();
    Some(id).filter(|id| id.starts_with("AKIA") && id.len() <= LONGEST)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slack::command::Command;

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

    #[test]
    fn a_command_about_a_key_names_it() {
        let key = || KEY.parse().unwrap();
        let user = |user: &str, account: Option<&str>| {
            let account = account.map(|alias| alias.parse().unwrap());
            Command::List(Some(TypedUser { user: user.parse().unwrap(), account }))
        };
        let cases = [
            ("list", Command::List(None)),
            ("List ci", user("ci", None)),
            ("list `ci`@prod", user("ci", Some("prod"))),
            ("list <mailto:bob@example.com|bob@example.com>", user("bob@example.com", None)),
            ("rotate AKIAIOSFODNN7EXAMPLE", Command::Rotate(key())),
            ("deactivate `AKIAIOSFODNN7EXAMPLE`", Command::Deactivate(key())),
            ("`activate akiaiosfodnn7example`", Command::Activate(key())),
            ("DELETE  AKIAIOSFODNN7EXAMPLE ", Command::Delete(key())),
            ("/access-key delete AKIAIOSFODNN7EXAMPLE", Command::Delete(key())),
            ("rotate AKIAIOSFODNN7EXAMPLE now", Command::Rotate(key())),
            ("extend AKIAIOSFODNN7EXAMPLE", Command::Extend(key())),
            ("renew AKIAIOSFODNN7EXAMPLE for a week", Command::Extend(key())),
            ("deactivate AKIAIOSFODNN7EXAMPLE, it leaked on GitHub", Command::Deactivate(key())),
            ("revoke the key AKIAIOSFODNN7EXAMPLE.", Command::Deactivate(key())),
            ("disable \u{201c}AKIAIOSFODNN7EXAMPLE\u{201d}!", Command::Deactivate(key())),
            ("*delete* (AKIAIOSFODNN7EXAMPLE)", Command::Delete(key())),
            ("delete --access-key-id AKIAIOSFODNN7EXAMPLE", Command::Delete(key())),
            ("delete --access-key-id=AKIAIOSFODNN7EXAMPLE", Command::Delete(key())),
            ("keys \"ci\"", user("ci", None)),
            ("list arn:aws:iam::123456789012:user/build/ci", user("ci", Some("123456789012"))),
        ];
        for (line, expected) in cases {
            assert_eq!(line.parse(), Ok(expected), "{line:?}");
        }
    }

    #[test]
    fn invalid_key_id_is_not_echoed() {
        let list = || "list".to_owned();
        let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab";
        let cases = [
            ("rotate", Problem::KeyMissing("rotate"), list()),
            ("delete  ", Problem::KeyMissing("delete"), list()),
            (&format!("delete {secret}"), Problem::NotAKey, list()),
            (&format!("activate AKIA{secret}"), Problem::NotAKey, list()),
            ("deactivate ASIAIOSFODNN7EXAMPLE", Problem::NotAKey, list()),
            ("deactivate AKIA", Problem::NotAKey, list()),
            (
                &format!("rotate {KEY} AKIAIOSFODNN7EXAMPL2"),
                Problem::TooMuch("rotate"),
                format!("rotate {KEY}"),
            ),
            ("list a/b", Problem::NotAnIamUser("a/b".to_owned()), list()),
            ("list ci please", Problem::TooMuch("list"), "list ci".to_owned()),
        ];
        for (line, problem, correct) in cases {
            let error = line.parse::<Command>().unwrap_err();
            assert!(!error.to_string().contains(secret), "{error}");
            assert_eq!(error, SyntaxError::new(problem, correct), "{line:?}");
        }
    }
}
