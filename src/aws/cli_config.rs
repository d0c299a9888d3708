//! AWS as the operator's tool reaches it: with whatever credentials and region its user has, and longer patience than
//! a function's.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::config::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::http_client_fn;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::aws::https::{CONNECT_TIME_OUT, https_connector};
use crate::aws::trust::Trust;

/// How the operator's tool reaches AWS; what is not said here is as the machine is set up.
#[derive(Clone, Debug, Default)]
pub struct OperatorAws {
    /// `AWS_REGION`
    pub region: Option<String>,
    /// `AWS_PROFILE`
    pub profile: Option<String>,
    /// `AWS_ENDPOINT_URL`
    pub endpoint_url: Option<String>,
    /// `AWS_CA_BUNDLE`, in place of the machine's certificate authorities.
    pub ca_bundle: Option<PathBuf>,
}

/// Why AWS cannot be asked at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAccess {
    /// Neither a flag nor a variable nor the profile says which.
    #[error("no AWS region")]
    Region,
    /// Neither variables nor a profile nor the machine have any that can be used.
    #[error("no AWS credentials")]
    Credentials,
}

/// The SDK's configuration as an operator has it: region and credentials from variables, profiles or the machine.
///
/// # Errors
/// [`NoAccess`], so that the first call need not say it.
pub async fn operators_config(config: &OperatorAws) -> Result<aws_config::SdkConfig, NoAccess> {
    let connector = https_connector(config.ca_bundle.clone().map_or(Trust::System, Trust::Bundle));
    let http_client = http_client_fn(move |_, _| connector.clone());
    let mut profile = ProfileFileRegionProvider::builder();
    let mut credentials = DefaultCredentialsChain::builder()
        .configure(ProviderConfig::without_region().with_http_client(http_client.clone()));
    if let Some(name) = &config.profile {
        profile = profile.profile_name(name);
        credentials = credentials.profile_name(name);
    }
    // Not asked of the machine: that takes seconds where there is nothing to answer.
    let region = RegionProviderChain::first_try(config.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build());
    let region = region.region().await.ok_or(NoAccess::Region)?;
    let credentials = SharedCredentialsProvider::new(credentials.region(region.clone()).build().await);
    credentials.provide_credentials().await.map_err(|_| NoAccess::Credentials)?;
    let mut builder = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(credentials)
        .http_client(http_client)
        .retry_config(RetryConfig::standard().with_max_attempts(5))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIME_OUT)
                .operation_attempt_timeout(Duration::from_secs(15))
                .build(),
        );
    builder.set_endpoint_url(config.endpoint_url.clone());
    Ok(builder.build())
}
