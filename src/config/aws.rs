//! What the AWS SDK is told.

use std::path::PathBuf;

use crate::aws::config::AwsConfig;
use crate::config::environment::{ConfigError, Env, Environment};
use crate::config::value::{parse_bool, parse_text, parse_url};

impl AwsConfig {
    /// Reads `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_CA_BUNDLE`, `AWS_USE_FIPS_ENDPOINT` and `AWS_USE_DUALSTACK_ENDPOINT`
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>).
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(environment: &dyn Environment) -> Result<Self, ConfigError> {
        let env = Env::new(environment);
        Ok(Self {
            region: env.required("AWS_REGION", parse_text)?,
            endpoint_url: env.optional("AWS_ENDPOINT_URL", parse_url)?,
            ca_bundle: env.optional("AWS_CA_BUNDLE", parse_text)?.map(PathBuf::from),
            use_fips: env.optional("AWS_USE_FIPS_ENDPOINT", parse_bool)?.unwrap_or(false),
            use_dual_stack: env.optional("AWS_USE_DUALSTACK_ENDPOINT", parse_bool)?.unwrap_or(false),
        })
    }
}
