//! What IAM says no to, told apart by the codes that callers act on.

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};

use crate::aws::error::aws_error;

/// Why a call about a user did not do.
#[derive(Debug, thiserror::Error)]
pub enum IamError {
    /// There is no such user, group or key.
    #[error("no such entity")]
    NoSuchEntity,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Why IAM did not change a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It finds no such key of that user. Right after a create that proves nothing: IAM is eventually consistent.
    #[error("IAM finds no such key of that user")]
    NotFound,
    /// The session may not: the user has another name or path or no owner tag, or is gone.
    #[error("access denied")]
    AccessDenied,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Why a key was not described.
#[derive(Debug, thiserror::Error)]
pub enum TagError {
    /// The user has 50 tags.
    #[error("the user has as many tags as IAM allows")]
    LimitExceeded,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Why `CreateAccessKey` gave no key.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The user has two keys.
    #[error("the user has two keys")]
    LimitExceeded,
    /// There is no such user any more.
    #[error("no such user")]
    NoSuchUser,
    /// AWS said no: for certain, nothing was created.
    #[error("AWS refused: {0}")]
    Refused(String),
    /// No answer, or none that says: a key may exist.
    #[error("no answer from AWS")]
    Unknown,
}

pub(crate) fn key_error<E: ProvideErrorMetadata, R>(call: &'static str, error: &SdkError<E, R>) -> KeyError {
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some("NoSuchEntity") => KeyError::NotFound,
        Some("AccessDenied") => KeyError::AccessDenied,
        _ => KeyError::Other(aws_error(call, error)),
    }
}

pub(crate) fn unless_missing<E: ProvideErrorMetadata, R>(
    call: &'static str,
    error: &SdkError<E, R>,
) -> IamError {
    match error.as_service_error().and_then(ProvideErrorMetadata::code) {
        Some("NoSuchEntity") => IamError::NoSuchEntity,
        _ => IamError::Other(aws_error(call, error)),
    }
}

/// Only a 4xx that AWS answered, or a request that never left, is a certain no.
pub(crate) fn create_error<E: ProvideErrorMetadata>(
    error: &SdkError<E, aws_smithy_runtime_api::http::Response>,
) -> CreateError {
    match error {
        SdkError::ConstructionFailure(_) => CreateError::Refused("the request could not be built".to_owned()),
        SdkError::ServiceError(service) if service.raw().status().is_client_error() => {
            match service.err().code() {
                Some("LimitExceeded") => CreateError::LimitExceeded,
                Some("NoSuchEntity") => CreateError::NoSuchUser,
                code => CreateError::Refused(code.unwrap_or("an unnamed error").to_owned()),
            }
        }
        _ => CreateError::Unknown,
    }
}
