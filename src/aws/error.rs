//! What a failed call of the SDK becomes: a fault that names the call and AWS's error code, and nothing else of it.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A fault that names the call and AWS's error code.
pub(crate) fn aws_error<E: ProvideErrorMetadata, R>(
    call: &'static str,
    error: &SdkError<E, R>,
) -> anyhow::Error {
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
