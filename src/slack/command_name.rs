//! What the slash command is called in a workspace. Sentences are written with its default name, as inline code; on the
//! way to Slack that becomes the installed one, in one place, so that no sentence can miss it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::InvalidId;

/// The default name as sentences write it, where inline code begins with it.
const MENTION: &str = "`/access-key";

/// A slash command's name with its slash: lower case, at most 32 characters after it
/// (<https://docs.slack.dev/interactivity/implementing-slash-commands>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommandName(String);

impl CommandName {
    pub const DEFAULT: &'static str = "/access-key";

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A rendered text, as it is or within JSON, in which every mention of the command has this name.
    #[must_use]
    pub fn name_in(&self, rendered: &str) -> String {
        let mut parts = rendered.split(MENTION);
        let mut named = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            // `/access-keys` is another command's name, and may be this one's.
            let is_longer = part.bytes().next().is_some_and(is_in_name);
            named.push('`');
            named.push_str(if is_longer { Self::DEFAULT } else { &self.0 });
            named.push_str(part);
        }
        named
    }
}

impl Default for CommandName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for CommandName {
    type Err = InvalidId;

    fn from_str(name: &str) -> Result<Self, InvalidId> {
        let rest = name.strip_prefix('/').unwrap_or_default();
        if (1..=32).contains(&rest.len()) && rest.bytes().all(is_in_name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidId("a slash command such as /access-key"))
        }
    }
}

impl TryFrom<String> for CommandName {
    type Error = InvalidId;

    fn try_from(name: String) -> Result<Self, InvalidId> {
        name.parse()
    }
}

impl From<CommandName> for String {
    fn from(name: CommandName) -> Self {
        name.0
    }
}

fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_have_installed_name() {
        let name: CommandName = "/access-keys".parse().unwrap();
        for (rendered, expected) in [
            ("Type `/access-key list`, or `/access-key`.", "Type `/access-keys list`, or `/access-keys`."),
            (r#"{"text":"`/access-key"}"#, r#"{"text":"`/access-keys"}"#),
            ("Type `/access-keys list`.", "Type `/access-keys list`."),
            ("`/access-key-id`, /access-key", "`/access-key-id`, /access-key"),
            ("`--access-key-id`", "`--access-key-id`"),
            ("", ""),
        ] {
            assert_eq!(name.name_in(rendered), expected);
            assert_eq!(name.name_in(&name.name_in(rendered)), expected, "a name given once stays");
        }
    }

    #[test]
    fn only_a_slash_commands_name_is_one() {
        for name in
            ["", "/", "keys", "/Keys", "/ke ys", "/keys\"", "/`", "/\u{e9}", &format!("/{}", "x".repeat(33))]
        {
            assert!(name.parse::<CommandName>().is_err(), "{name:?}");
        }
        for name in ["/k", "/aws_keys-2", &format!("/{}", "x".repeat(32))] {
            assert_eq!(name.parse::<CommandName>().unwrap().as_str(), name);
        }
    }
}
