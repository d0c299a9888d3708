//! What a command works with: the variables, the way to AWS and Slack, the time, and where it writes.

use std::io::Write;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use crate::aws::operators_config;
use crate::cli::failure::Failure;
use crate::config::{Environment, OperatorConfig};
use crate::id::RequestId;
use crate::time::Timestamp;

/// What a command works with and where it writes.
pub struct CommandContext<'p> {
    /// The variables.
    pub environment: &'p dyn Environment,
    /// AWS, where it is not to be reached as the machine is set up.
    pub sdk: Option<aws_config::SdkConfig>,
    /// The way to Slack.
    pub connector: SharedHttpConnector,
    /// The time.
    pub now: Timestamp,
    /// Drawn at random: names the chain of what this run records that belongs to no request.
    pub random: [u8; 32],
    /// For the answer.
    pub out: &'p mut dyn Write,
    /// For progress and failures.
    pub err: &'p mut dyn Write,
    /// Whether somebody looks on: progress is then shown all the time.
    pub watched: bool,
}

impl CommandContext<'_> {
    /// AWS, as this command is to reach it.
    pub(crate) async fn aws(&self, config: OperatorConfig<'_>) -> Result<aws_config::SdkConfig, Failure> {
        match &self.sdk {
            Some(sdk) => Ok(sdk.clone()),
            None => Ok(operators_config(&config.aws()?).await?),
        }
    }

    /// The name of a chain for what is recorded in this run and belongs to no request.
    pub(crate) fn own_chain(&self) -> RequestId {
        RequestId::of_signature(&self.random)
    }
}
