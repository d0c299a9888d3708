//! Every line that names an `aws_sdk_*` crate is in this folder. One method is one API call and the mapping of its
//! errors: what the caller must tell apart is a variant, all else is a [`Fault`](anyhow::Error) with its context,
//! in which AWS's error code stands but never a request, a response or an SDK's debug text.

#[cfg(feature = "cli")]
pub mod cli_config;
pub mod config;
pub mod dynamodb;
pub mod iam;
pub mod item;
pub mod queue_url;
pub mod secrets;
pub mod ses;
pub mod session_policy;
pub mod sqs;
pub mod sts;

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

#[cfg(feature = "cli")]
pub use cli_config::{NoAccess, operators_config};
pub use dynamodb::{Conflict, TableNames, Tables, WriteError};
#[cfg(feature = "cli")]
pub use dynamodb::{KnownEnd, Page, Position, UnreadableRecord};
pub use iam::{AttachedPolicy, CreateError, Iam, IamError, TagError, TaggedUser, UserDetail, UserPage};
pub use secrets::{SecretVersion, Secrets, VersionStage};
pub use ses::{MailError, Ses};
pub use sqs::{ReceiptHandle, Sqs};
#[cfg(feature = "cli")]
pub use sts::Caller;
pub use sts::Sts;

use crate::aws::config::AwsConfig;

const CONNECT_TIME_OUT: Duration = Duration::from_secs(2);

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

/// A fault that names the call and AWS's error code.
fn aws_error<E: ProvideErrorMetadata, R>(call: &'static str, error: &SdkError<E, R>) -> anyhow::Error {
    let what = match error {
        SdkError::ConstructionFailure(_) => "the request could not be built",
        SdkError::TimeoutError(_) => "no answer in time",
        SdkError::DispatchFailure(_) => "AWS could not be reached",
        SdkError::ResponseError(_) => "AWS's answer could not be read",
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("an unnamed error");
            return anyhow::anyhow!("{call}: AWS answered {code}");
        }
        _ => "failed",
    };
    anyhow::anyhow!("{call}: {what}")
}
