//! What the AWS SDK is told.

use crate::aws::config::AwsConfig;
use crate::config::environment::{ConfigError, Env, Environment};
use crate::config::value::{parse_text, parse_url};

impl AwsConfig {
    /// Reads `AWS_REGION` and `AWS_ENDPOINT_URL`
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>).
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &dyn Environment) -> Result<Self, ConfigError> {
        let env = Env::new(environment);
        Ok(Self {
            region: env.required("AWS_REGION", parse_text)?,
            endpoint_url: env.optional("AWS_ENDPOINT_URL", parse_url)?,
        })
    }
}
