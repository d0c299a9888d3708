//! Reading Slack's two secrets.

use secrecy::SecretString;

/// Secrets Manager.
#[derive(Clone, Debug)]
pub struct Secrets(aws_sdk_secretsmanager::Client);

/// Which version of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// `AWSCURRENT`
    Current,
    /// `AWSPREVIOUS`: still good for a while after a rotation.
    Previous,
}

impl Secrets {
    /// A client.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_secretsmanager::Client::new(config))
    }

    /// One version of a secret; `None` where there is no such version.
    ///
    /// # Errors
    /// A fault.
    pub async fn get(&self, id: &str, stage: Stage) -> anyhow::Result<Option<SecretString>> {
        let stage = match stage {
            Stage::Current => "AWSCURRENT",
            Stage::Previous => "AWSPREVIOUS",
        };
        match self.0.get_secret_value().secret_id(id).version_stage(stage).send().await {
            Ok(answer) => Ok(answer.secret_string.map(SecretString::from)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                Ok(None)
            }
            Err(error) => Err(super::fault("secretsmanager:GetSecretValue", &error)),
        }
    }
}
