//! How the functions reach AWS: region and credentials as Lambda gives them, one HTTPS client, short time-outs.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::aws::https::CONNECT_TIME_OUT;
use crate::aws::trust::Trust;

/// What the AWS SDK is told by its own variables, beside the credentials, which it reads itself.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// The region of everything but IAM.
    pub region: String,
    /// Where AWS is, if not where it always is: an emulator.
    pub endpoint_url: Option<String>,
    /// Whose certificates are accepted in place of Amazon's: an emulator's, or those of a company's proxy.
    pub ca_bundle: Option<PathBuf>,
    /// Whether FIPS endpoints are used, and such as have IPv6 addresses.
    pub use_fips: bool,
    pub use_dual_stack: bool,
}

impl AwsConfig {
    /// Whose certificates are accepted of AWS.
    #[must_use]
    pub fn trust(&self) -> Trust {
        match &self.ca_bundle {
            Some(path) => Trust::Bundle(path.clone()),
            // AWS documents whose certificates its endpoints have for all partitions but China's.
            None if self.region.starts_with("cn-") => Trust::System,
            None => Trust::Amazon,
        }
    }
}

/// The SDK's configuration as all functions use it: region and credentials from the environment, as Lambda gives them,
/// and nowhere else, so that neither files nor metadata services are asked; one client for all services; short time-outs.
#[must_use]
pub fn sdk_config(config: &AwsConfig, connector: SharedHttpConnector) -> aws_config::SdkConfig {
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    let mut builder = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(config.region.clone()))
        .use_fips(config.use_fips)
        .use_dual_stack(config.use_dual_stack)
        .credentials_provider(credentials)
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIME_OUT)
                .operation_attempt_timeout(Duration::from_secs(5))
                .operation_timeout(Duration::from_secs(12))
                .build(),
        );
    builder.set_endpoint_url(config.endpoint_url.clone());
    builder.build()
}
