//! What a key is for: the six choices of the AWS console's "Create access key" page.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The AWS console's use cases, under the names one types
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UseCase {
    /// The AWS CLI on somebody's own machine.
    Cli,
    /// Code on somebody's own machine.
    LocalCode,
    /// Code on AWS compute: EC2, ECS, Lambda.
    AwsCompute,
    /// A service of somebody else's that acts in the account.
    ThirdParty,
    /// A workload outside AWS: a data centre, another cloud, a build server.
    OutsideAws,
    Other,
}

impl UseCase {
    /// All of them, in the console's order.
    pub const ALL: [Self; 6] =
        [Self::Cli, Self::LocalCode, Self::AwsCompute, Self::ThirdParty, Self::OutsideAws, Self::Other];

    /// The name one types after `use:`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::LocalCode => "local-code",
            Self::AwsCompute => "aws-compute",
            Self::ThirdParty => "third-party",
            Self::OutsideAws => "outside-aws",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for UseCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is none of the use cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a use case")]
pub struct UnknownUseCase;

impl FromStr for UseCase {
    type Err = UnknownUseCase;
    fn from_str(text: &str) -> Result<Self, UnknownUseCase> {
        Self::ALL.into_iter().find(|use_case| use_case.as_str() == text).ok_or(UnknownUseCase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_cases_round_trip_as_typed() {
        for use_case in UseCase::ALL {
            assert_eq!(use_case.as_str().parse(), Ok(use_case));
            assert_eq!(serde_json::to_value(use_case).unwrap(), use_case.as_str());
        }
        assert_eq!("CLI".parse::<UseCase>(), Err(UnknownUseCase));
    }
}
