//! Reading Slack's two secrets.

use secrecy::SecretString;

use crate::aws::error::aws_error;
use crate::time::Timestamp;

#[derive(Clone, Debug)]
pub struct Secrets(aws_sdk_secretsmanager::Client);

/// Which version of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionStage {
    /// `AWSCURRENT`
    Current,
    /// `AWSPREVIOUS`: still good for a while after a rotation.
    Previous,
}

/// One version of a secret.
#[derive(Debug)]
pub struct SecretVersion {
    pub text: SecretString,
    pub id: Option<String>,
    /// When it was created
    /// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>).
    pub created_at: Option<Timestamp>,
}

impl Secrets {
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_secretsmanager::Client::new(config))
    }

    /// What one version of a secret holds; `None` where there is no such version.
    pub async fn get(&self, id: &str, stage: VersionStage) -> anyhow::Result<Option<SecretString>> {
        Ok(self.version(id, stage).await?.map(|version| version.text))
    }

    /// One version of a secret; `None` where there is no such version.
    pub async fn version(&self, id: &str, stage: VersionStage) -> anyhow::Result<Option<SecretVersion>> {
        let stage = match stage {
            VersionStage::Current => "AWSCURRENT",
            VersionStage::Previous => "AWSPREVIOUS",
        };
        match self.0.get_secret_value().secret_id(id).version_stage(stage).send().await {
            Ok(answer) => Ok(answer.secret_string.map(|text| SecretVersion {
                text: SecretString::from(text),
                id: answer.version_id,
                created_at: answer.created_date.map(|created| Timestamp(created.secs())),
            })),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                Ok(None)
            }
            Err(error) => Err(aws_error("secretsmanager:GetSecretValue", &error)),
        }
    }
}
