//! IAM with the rights of one session.

use aws_sdk_iam::Client;
use aws_sdk_iam::config::Credentials;

/// IAM with the rights of one session.
#[derive(Clone, Debug)]
pub struct Iam(pub(in crate::aws::iam) Client);

impl Iam {
    pub(crate) fn new(config: &aws_config::SdkConfig, credentials: Credentials) -> Self {
        let config = aws_sdk_iam::config::Builder::from(config).credentials_provider(credentials).build();
        Self(Client::from_conf(config))
    }

    /// IAM with the rights of the caller, in their own account.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn of_caller(config: &aws_config::SdkConfig) -> Self {
        Self(Client::new(config))
    }
}
