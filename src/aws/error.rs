//! What a failed call of the SDK becomes: it names the call and AWS's error code, and nothing else of it.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that failed, such as `dynamodb:GetItem: AWS answered AccessDeniedException`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {failure}")]
pub struct AwsError {
    /// `service:Operation`.
    pub operation: &'static str,
    pub failure: AwsFailure,
}

/// How a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AwsFailure {
    #[error("the request could not be built")]
    InvalidRequest,
    /// It was sent, and nobody answered.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or a broken one.
    #[error("AWS could not be reached")]
    Unreachable,
    /// An answer that is none of AWS's.
    #[error("AWS's answer could not be read")]
    InvalidAnswer,
    #[error("AWS answered {0}")]
    Code(String),
    #[error("failed")]
    Unknown,
}

pub(crate) fn aws_error<E: ProvideErrorMetadata, R>(
    operation: &'static str,
    error: &SdkError<E, R>,
) -> anyhow::Error {
    let failure = match error {
        SdkError::ConstructionFailure(_) => AwsFailure::InvalidRequest,
        SdkError::TimeoutError(_) => AwsFailure::Timeout,
        SdkError::DispatchFailure(_) => AwsFailure::Unreachable,
        SdkError::ResponseError(_) => AwsFailure::InvalidAnswer,
        SdkError::ServiceError(service) => {
            AwsFailure::Code(service.err().code().unwrap_or("an unnamed error").to_owned())
        }
        _ => AwsFailure::Unknown,
    };
    AwsError { operation, failure }.into()
}
