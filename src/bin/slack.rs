//! The `slack` function: verify, parse, queue, acknowledge.

use keyvend::config::{AwsConfig, ProcessEnvironment, SlackConfig};
use keyvend::functions::slack::Slack;
use keyvend::{aws, functions::runtime};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::log();
    let config = SlackConfig::read(&ProcessEnvironment)?;
    let slack =
        Slack::new(config, &aws::sdk_config(&AwsConfig::read(&ProcessEnvironment)?, aws::https_connector()));
    let handler = |event: LambdaEvent<Value>| async {
        Ok::<_, Error>(slack.handle(event.payload, runtime::now()).await)
    };
    lambda_runtime::run(service_fn(handler)).await
}
