//! The `slack` function: verify, parse, queue, acknowledge.

use futures_util::future::join;
use keyvend::aws::warm_up::{open_connections, sqs_endpoint};
use keyvend::aws::{https_connector, sdk_config};
use keyvend::config::{AwsConfig, ProcessEnvironment, SlackConfig};
use keyvend::functions::{runtime, slack::Slack};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::log();
    let (config, aws) = (SlackConfig::read(&ProcessEnvironment)?, AwsConfig::read(&ProcessEnvironment)?);
    let connector = https_connector(aws.trust());
    let slack = Slack::new(config, &sdk_config(&aws, connector.clone()));
    let warm_up = async {
        let queue = async { open_connections(&connector, sqs_endpoint(&aws).await).await };
        join(slack.warm_up(runtime::now()), queue).await;
    };
    runtime::run(warm_up, async |event| slack.handle(event.payload, runtime::now()).await).await
}
