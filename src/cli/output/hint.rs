//! What to do next where AWS or Slack said why not.

use crate::aws::error::{AwsError, AwsFailure};
use crate::slack::error::SlackError;

/// The hint of the first cause that has one.
pub(crate) fn find_hint(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| {
        let of_aws = cause.downcast_ref::<AwsError>().and_then(AwsError::hint);
        of_aws.or_else(|| cause.downcast_ref::<SlackError>().and_then(SlackError::hint))
    })
}

impl AwsError {
    fn hint(&self) -> Option<&'static str> {
        match &self.failure {
            AwsFailure::Code(code) => match code.as_str() {
                "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
                    Some("Your credentials lack a permission: docs/cli.md lists what each command needs.")
                }
                "ExpiredToken"
                | "ExpiredTokenException"
                | "InvalidClientTokenId"
                | "UnrecognizedClientException" => {
                    Some("Your AWS credentials have expired or are invalid: sign in again.")
                }
                "ResourceNotFoundException" => {
                    Some("Check the table's name, the region and the account of your credentials.")
                }
                _ => None,
            },
            AwsFailure::Timeout | AwsFailure::Unreachable => {
                Some("Check the network, the region and AWS_ENDPOINT_URL, then run the command again.")
            }
            AwsFailure::InvalidRequest | AwsFailure::InvalidAnswer | AwsFailure::Unknown => None,
        }
    }
}

impl SlackError {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Said(code)
                if ["invalid_auth", "not_authed"].contains(&code.as_str()) || code.starts_with("token") =>
            {
                Some("Check KEYVEND_BOT_TOKEN: the bot token of the app, xoxb-...")
            }
            Self::Said(_) | Self::Wait(_) | Self::NoAnswer(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_is_found_behind_context() {
        let aws = |failure| anyhow::Error::from(AwsError { operation: "dynamodb:Scan", failure });
        let code = |code: &str| aws(AwsFailure::Code(code.to_owned()));
        let slack = |code: &str| anyhow::Error::from(SlackError::Said(code.to_owned()));
        for (error, expected) in [
            (code("AccessDenied"), Some("Your credentials lack a permission")),
            (code("AccessDeniedException"), Some("Your credentials lack a permission")),
            (code("ExpiredTokenException"), Some("Your AWS credentials have expired")),
            (code("UnrecognizedClientException"), Some("Your AWS credentials have expired")),
            (code("ResourceNotFoundException"), Some("Check the table's name")),
            (code("ThrottlingException"), None),
            (aws(AwsFailure::Unreachable), Some("Check the network")),
            (aws(AwsFailure::Timeout), Some("Check the network")),
            (aws(AwsFailure::InvalidAnswer), None),
            (slack("invalid_auth"), Some("Check KEYVEND_BOT_TOKEN")),
            (slack("token_revoked"), Some("Check KEYVEND_BOT_TOKEN")),
            (slack("channel_not_found"), None),
            (anyhow::anyhow!("a file named AccessDenied"), None),
        ] {
            let error = error.context("users.info");
            let found = find_hint(&error);
            assert_eq!(found.is_some(), expected.is_some(), "{error:#}");
            assert!(found.unwrap_or_default().starts_with(expected.unwrap_or_default()), "{error:#}");
        }
    }
}
