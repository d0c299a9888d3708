//! Sessions of the issuer role, each narrowed to one IAM user and the actions of one step.

use aws_sdk_iam::config::Credentials;

use crate::aws::error::aws_error;
use crate::aws::iam::client::Iam;
use crate::aws::session_policy::SessionPolicy;
use crate::domain::iam::Account;
use crate::id::Partition;

/// Whose credentials these are.
#[cfg(feature = "cli")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: crate::id::AccountId,
    /// The user's ARN, or the session's.
    pub arn: String,
}

#[cfg(feature = "cli")]
impl Caller {
    /// The partition that the credentials are of.
    #[must_use]
    pub fn partition(&self) -> Option<Partition> {
        self.arn.split(':').nth(1)?.parse().ok()
    }
}

/// STS, and what it takes to make an IAM client of a session.
#[derive(Clone, Debug)]
pub struct Sts {
    client: aws_sdk_sts::Client,
    config: aws_config::SdkConfig,
    role_name: String,
    partition: Partition,
}

impl Sts {
    /// A client that assumes the role of this name in any account of the partition.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, role_name: &str, partition: Partition) -> Self {
        Self {
            client: aws_sdk_sts::Client::new(config),
            config: config.clone(),
            role_name: role_name.to_owned(),
            partition,
        }
    }

    /// Assumes the issuer role for 15 minutes. `session_name` is the operation's id, `source_identity` whoever is
    /// behind it: CloudTrail names both with every call of the session
    /// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
    pub async fn session(
        &self,
        account: &Account,
        session_name: &str,
        source_identity: &str,
        policy: SessionPolicy,
    ) -> anyhow::Result<Iam> {
        self.assume(account, session_name, Some(source_identity), policy).await
    }

    /// The same without a source identity, which a role must allow apart: an operator is named by the session that
    /// assumes it.
    #[cfg(feature = "cli")]
    pub async fn operators_session(
        &self,
        account: &Account,
        session_name: &str,
        policy: SessionPolicy,
    ) -> anyhow::Result<Iam> {
        self.assume(account, session_name, None, policy).await
    }

    async fn assume(
        &self,
        account: &Account,
        session_name: &str,
        source_identity: Option<&str>,
        policy: SessionPolicy,
    ) -> anyhow::Result<Iam> {
        let answer = self
            .client
            .assume_role()
            .role_arn(format!("arn:{}:iam::{}:role/{}", self.partition, account.id, self.role_name))
            .role_session_name(session_name)
            .set_source_identity(source_identity.map(str::to_owned))
            .duration_seconds(900)
            .policy(policy.document(&self.partition))
            .send()
            .await
            .map_err(|error| aws_error("sts:AssumeRole", &error))?;
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

    /// Whose credentials these are; nobody needs a right for it
    /// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>).
    #[cfg(feature = "cli")]
    pub async fn caller(config: &aws_config::SdkConfig) -> anyhow::Result<Caller> {
        let answer = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
        let answer = answer.map_err(|error| aws_error("sts:GetCallerIdentity", &error))?;
        let account = answer.account.and_then(|account| account.try_into().ok());
        let (Some(account), Some(arn)) = (account, answer.arn) else {
            anyhow::bail!("sts:GetCallerIdentity: an answer without account or ARN");
        };
        Ok(Caller { account, arn })
    }
}
