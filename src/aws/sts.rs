//! Sessions of the issuer role, each narrowed to one IAM user and the actions of one step.

use aws_sdk_iam::config::Credentials;

use super::Iam;
use crate::facts::Account;

/// STS, and what it takes to make an IAM client of a session.
#[derive(Clone, Debug)]
pub struct Sts {
    client: aws_sdk_sts::Client,
    config: aws_config::SdkConfig,
    role_name: String,
}

impl Sts {
    /// A client that assumes the role of this name in any account.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, role_name: &str) -> Self {
        Self {
            client: aws_sdk_sts::Client::new(config),
            config: config.clone(),
            role_name: role_name.to_owned(),
        }
    }

    /// Assumes the issuer role for 15 minutes. `session_name` is the operation's id, `source_identity` whoever is
    /// behind it: CloudTrail names both with every call of the session
    /// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
    ///
    /// # Errors
    /// A fault.
    pub async fn session(
        &self,
        account: &Account,
        session_name: &str,
        source_identity: &str,
        policy: String,
    ) -> anyhow::Result<Iam> {
        let answer = self
            .client
            .assume_role()
            .role_arn(format!("arn:aws:iam::{}:role/{}", account.id, self.role_name))
            .role_session_name(session_name)
            .source_identity(source_identity)
            .duration_seconds(900)
            .policy(policy)
            .send()
            .await
            .map_err(|error| super::fault("sts:AssumeRole", &error))?;
        let session = answer
            .credentials
            .ok_or_else(|| anyhow::anyhow!("sts:AssumeRole: an answer without credentials"))?;
        let credentials = Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            None,
            "keyvend-issuer",
        );
        Ok(Iam::new(&self.config, credentials))
    }
}
