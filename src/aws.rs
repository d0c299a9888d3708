//! Every line that names an `aws_sdk_*` crate is in this folder. One method is one API call and the mapping of its
//! errors: what the caller must tell apart is a variant, all else is a [`Fault`](anyhow::Error) with its context,
//! in which AWS's error code stands but never a request, a response or an SDK's debug text.

mod dynamodb;
mod iam;
mod secrets;
mod ses;
mod sqs;
mod sts;

use std::time::Duration;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

pub use dynamodb::{Dynamo, Lost, TableNames, WriteError};
pub use iam::{AttachedPolicy, CreateError, Iam, IamError, TaggedUser, UserDetail, UserPage};
pub use secrets::{Secrets, Stage};
pub use ses::{MailError, Ses};
pub use sqs::{ReceiptHandle, Sqs};
pub use sts::Sts;

/// The SDK's configuration as all functions use it: region and credentials from the environment, short time-outs.
pub async fn sdk_config() -> aws_config::SdkConfig {
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                .operation_attempt_timeout(Duration::from_secs(5))
                .operation_timeout(Duration::from_secs(12))
                .build(),
        )
        .load()
        .await
}

/// A fault that names the call and AWS's error code.
fn fault<E: ProvideErrorMetadata, R>(call: &'static str, error: &SdkError<E, R>) -> anyhow::Error {
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
