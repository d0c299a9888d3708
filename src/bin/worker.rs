//! The `worker` function: everything that decides and acts.

use futures_util::future::join3;
use keyvend::aws::warm_up::{dynamodb_endpoint, iam_endpoint, open_connections, sqs_endpoint, sts_endpoint};
use keyvend::aws::{Trust, https_connector, sdk_config};
use keyvend::config::{AwsConfig, ProcessEnvironment, WorkerConfig};
use keyvend::functions::runtime;
use keyvend::worker::{self, Context, Invocation};
use lambda_runtime::{Error, LambdaEvent};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::log();
    let (config, aws) = (WorkerConfig::read(&ProcessEnvironment)?, AwsConfig::read(&ProcessEnvironment)?);
    let (to_aws, to_slack) = (https_connector(aws.trust()), https_connector(Trust::System));
    // A command reads both tables and three of Slack's methods at once, and answers at the origin of `response_url`s.
    let slack = config.slack_api.as_str();
    let slack = [slack, slack, slack, config.response_urls.origin()].map(str::to_owned);
    let worker = &Context::new(config, &sdk_config(&aws, to_aws.clone()), to_slack.clone());
    let warm_up = async {
        let endpoints = [
            dynamodb_endpoint(&aws).await,
            dynamodb_endpoint(&aws).await,
            sqs_endpoint(&aws).await,
            sts_endpoint(&aws).await,
            iam_endpoint(&aws).await,
        ];
        let connected = open_connections(&to_aws, endpoints.into_iter().flatten());
        join3(worker::warm_up(worker), connected, open_connections(&to_slack, slack)).await;
    };
    let handler = async |LambdaEvent { payload, context }: LambdaEvent<Value>| {
        let invocation = Invocation { now: runtime::now(), deadline: runtime::deadline(&context) };
        worker::handle(worker, payload, invocation).await
    };
    runtime::run(warm_up, handler).await
}
