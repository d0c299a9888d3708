//! The ids that cross a boundary, each checked where it enters against the pattern its own API gives.
//! A value of one of these types never has to be checked again.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::encoding;
use crate::encoding::{CROCKFORD, crockford_of, from_base64url};

/// A text that is not the id it was taken for. Holds what was expected, never the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct InvalidId(pub &'static str);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(InvalidId($what)) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn slack(text: &str, kinds: &[u8]) -> bool {
    let bytes = text.as_bytes();
    (2..=32).contains(&bytes.len())
        && bytes.first().is_some_and(|kind| kinds.contains(kind))
        && bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn crockford(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| CROCKFORD.contains(&b))
}

fn base64url(text: &str, len: usize) -> bool {
    from_base64url(text).is_some_and(|bytes| bytes.len() == len)
}

id!(
    /// A Slack user id, `U...` or `W...` (<https://docs.slack.dev/reference/objects/user-object>).
    SlackUserId, "a Slack user id", |text| slack(text, b"UW")
);
id!(
    /// A Slack workspace id, `T...` (<https://docs.slack.dev/reference/methods/team.info>).
    SlackTeamId, "a Slack team id", |text| slack(text, b"TE")
);
id!(
    /// A Slack app id, `A...`.
    SlackAppId, "a Slack app id", |text| slack(text, b"A")
);
id!(
    /// A Slack conversation id: `C...` channel, `G...` older private channel, `D...` direct message
    /// (<https://docs.slack.dev/reference/objects/conversation-object>).
    ChannelId, "a Slack channel id", |text| slack(text, b"CGD")
);
id!(
    /// A Slack user group id, `S...` (<https://docs.slack.dev/reference/methods/usergroups.list>).
    UserGroupId, "a Slack user group id", |text| slack(text, b"S")
);
id!(
    /// The time stamp that names a message within its channel, `1700000000.000100`.
    MessageTs, "a Slack message time stamp", |text| {
        text.split_once('.').is_some_and(|(seconds, rest)| {
            let digits = |part: &str, most: usize| {
                (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
            };
            digits(seconds, 12) && digits(rest, 9)
        })
    }
);
id!(
    /// A Slack view id, `V...` (<https://docs.slack.dev/reference/methods/views.open>).
    ViewId, "a Slack view id", |text| slack(text, b"V")
);
id!(
    /// What stands for a view's state when something was chosen in it: an update that names another is refused
    /// (<https://docs.slack.dev/reference/methods/views.update>).
    ViewHash, "a Slack view hash", |text| {
        (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    }
);
id!(
    /// An IAM user name: 1 to 64 of `[\w+=,.@-]`
    /// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html>).
    IamUserName, "an IAM user name", |text| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
    }
);
id!(
    /// An access key id: 16 to 128 of `\w` (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html>).
    AccessKeyId, "an access key id", |text| {
        (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    }
);
id!(
    /// An AWS account id: 12 digits.
    AccountId, "an AWS account id (12 digits)", |text| {
        text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
    }
);
id!(
    /// An AWS partition, the second part of every ARN: `aws`, `aws-cn`, `aws-us-gov`
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
    Partition, "an AWS partition, such as aws or aws-us-gov", |text| {
        let mut parts = text.split('-');
        text.len() <= 32
            && parts.next() == Some("aws")
            && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
    }
);

impl Partition {
    /// The partition of a region's name
    /// (<https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>).
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        const PREFIXES: [(&str, &str); 7] = [
            ("cn-", "aws-cn"),
            ("us-gov-", "aws-us-gov"),
            ("us-iso-", "aws-iso"),
            ("us-isob-", "aws-iso-b"),
            ("eu-isoe-", "aws-iso-e"),
            ("us-isof-", "aws-iso-f"),
            ("eusc-", "aws-eusc"),
        ];
        let found = PREFIXES.into_iter().find(|(prefix, _)| region.starts_with(prefix));
        found.map_or_else(Self::default, |(_, partition)| Self(partition.to_owned()))
    }
}

impl Default for Partition {
    /// The commercial regions.
    fn default() -> Self {
        Self("aws".to_owned())
    }
}

id!(
    /// The name an AWS account goes by in a command, after `@`: 1 to 32 of `[a-z0-9-]`.
    AccountAlias, "an account alias", |text| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);
id!(
    /// A key request's id: 80 bits of SHA-256 over Slack's signature, as 16 Crockford base32 characters, so that a
    /// replayed or redelivered Slack request meets its own row.
    RequestId, "a request id", |text| crockford(text, 16)
);
id!(
    /// What a message showed when its button was pressed: 80 bits of a hash over that and the request's salt, 16
    /// characters, so that whoever names it was shown it.
    Revision, "a revision", |text| crockford(text, 16)
);
id!(
    /// A SHA-256 digest: 64 lower-case hexadecimal digits.
    Digest256, "a SHA-256 digest", |text| {
        text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }
);
id!(
    /// One attempt to issue: 80 random bits, 16 characters. Names the invocation that holds the intent.
    RunId, "a run id", |text| crockford(text, 16)
);
id!(
    /// A ticket's public half: the 16 bytes `tid`, unpadded base64url.
    TicketId, "a ticket id", |text| base64url(text, 16)
);
id!(
    /// The claiming tab's own random id: 16 bytes, unpadded base64url.
    ClaimId, "a claim id", |text| base64url(text, 16)
);

impl RequestId {
    /// The id that a signed Slack request gives, from the SHA-256 of its signature.
    #[must_use]
    pub fn of_signature(signature_hash: &[u8; 32]) -> Self {
        Self(crockford_of(signature_hash, 16))
    }

    /// The id of no request.
    #[must_use]
    pub fn none() -> Self {
        Self("0".repeat(16))
    }
}

impl Revision {
    /// The revision of a canonical text.
    #[must_use]
    pub fn of(canonical: &[u8]) -> Self {
        Self(crockford_of(&Sha256::digest(canonical), 16))
    }
}

impl Digest256 {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }
}

impl IamUserName {
    /// Whether both name one user: IAM does not distinguish names by case
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    #[must_use]
    pub fn is_same_user(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl RunId {
    /// A run named by ten random bytes.
    #[must_use]
    pub fn of(random: [u8; 10]) -> Self {
        Self(crockford_of(&random, 16))
    }
}

impl TicketId {
    /// The id of the 16 bytes that a ticket derives.
    #[must_use]
    pub fn of(tid: &[u8; 16]) -> Self {
        Self(encoding::base64url(tid))
    }
}

/// A person: Slack team and user id, never a name or an address. Written `T0001.U0001`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonId {
    /// The workspace the person acted in.
    pub team: SlackTeamId,
    /// The person in it.
    pub user: SlackUserId,
}

impl TryFrom<String> for PersonId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        let (team, user) = text.split_once('.').ok_or(InvalidId("a person"))?;
        Ok(Self { team: team.parse()?, user: user.parse()? })
    }
}

impl From<PersonId> for String {
    fn from(person: PersonId) -> String {
        person.to_string()
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.team, self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_accept_exactly_documented_patterns() {
        let long = "a".repeat(65);
        let cases: &[(bool, bool)] = &[
            ("ci-deployer".parse::<IamUserName>().is_ok(), true),
            ("a+b=c,d.e@f_g-h".parse::<IamUserName>().is_ok(), true),
            ("".parse::<IamUserName>().is_ok(), false),
            ("a/b".parse::<IamUserName>().is_ok(), false),
            ("naïve".parse::<IamUserName>().is_ok(), false),
            (long.parse::<IamUserName>().is_ok(), false),
            ("U2147483697".parse::<SlackUserId>().is_ok(), true),
            ("u2147483697".parse::<SlackUserId>().is_ok(), false),
            ("T0001".parse::<SlackUserId>().is_ok(), false),
            ("U".parse::<SlackUserId>().is_ok(), false),
            ("1700000000.000100".parse::<MessageTs>().is_ok(), true),
            ("1700000000".parse::<MessageTs>().is_ok(), false),
            ("123456789012".parse::<AccountId>().is_ok(), true),
            ("12345678901".parse::<AccountId>().is_ok(), false),
            ("aws".parse::<Partition>().is_ok(), true),
            ("aws-cn".parse::<Partition>().is_ok(), true),
            ("aws-us-gov".parse::<Partition>().is_ok(), true),
            ("aws-iso-b".parse::<Partition>().is_ok(), true),
            ("".parse::<Partition>().is_ok(), false),
            ("aws-".parse::<Partition>().is_ok(), false),
            ("awsome".parse::<Partition>().is_ok(), false),
            ("aws:iam".parse::<Partition>().is_ok(), false),
            ("*".parse::<Partition>().is_ok(), false),
            ("AKIAIOSFODNN7EXAMPLE".parse::<AccessKeyId>().is_ok(), true),
            ("AKIA".parse::<AccessKeyId>().is_ok(), false),
            ("aL_OqsS2rc4R0WwYVVBLhA".parse::<TicketId>().is_ok(), true),
            ("aL_OqsS2rc4R0WwYVVBLhA=".parse::<TicketId>().is_ok(), false),
            ("aL_OqsS2rc4R0WwYVVBLhB".parse::<TicketId>().is_ok(), false),
            ("T0001.U0001".to_owned().try_into().map(|_: PersonId| ()).is_ok(), true),
            ("U0001".to_owned().try_into().map(|_: PersonId| ()).is_ok(), false),
        ];
        for (index, (got, expected)) in cases.iter().enumerate() {
            assert_eq!(got, expected, "case {index}");
        }
    }
}
