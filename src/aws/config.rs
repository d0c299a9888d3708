//! How the functions reach AWS and Slack: region and credentials as Lambda gives them, one connector, short time-outs.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

pub(crate) const CONNECT_TIME_OUT: Duration = Duration::from_secs(2);

/// What the AWS SDK is told by its own variables, beside the credentials, which it reads itself.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// The region of everything but IAM.
    pub region: String,
    /// Where AWS is, if not where it always is: an emulator.
    pub endpoint_url: Option<String>,
}

/// The HTTPS connector of a function, for AWS and for Slack: one reading of the root certificates, one pool of
/// connections. The SDK by itself makes one for each of its clients.
#[must_use]
pub fn https_connector() -> SharedHttpConnector {
    let connector = Connector::builder()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIME_OUT).build())
        .build();
    SharedHttpConnector::new(connector)
}

/// The SDK's configuration as all functions use it: region and credentials from the environment, as Lambda gives them,
/// and nowhere else, so that neither files nor metadata services are asked; short time-outs.
#[must_use]
pub fn sdk_config(config: &AwsConfig, connector: SharedHttpConnector) -> aws_config::SdkConfig {
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    let mut builder = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(config.region.clone()))
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
