//! Where AWS is: what the functions are told of it, beside the credentials, which the SDK reads itself.

/// What the AWS SDK is told by its own variables, beside the credentials, which it reads itself.
#[derive(Clone, Debug)]
pub struct AwsConfig {
    /// The region of everything but IAM.
    pub region: String,
    /// Where AWS is, if not where it always is: an emulator.
    pub endpoint_url: Option<String>,
}
