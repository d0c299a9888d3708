//! The `reveal` function: the page, and the claim of a ticket.

use keyvend::aws::warm_up::{dynamodb_endpoint, open_connections, sqs_endpoint};
use keyvend::aws::{https_connector, sdk_config};
use keyvend::config::{AwsConfig, ProcessEnvironment, RevealConfig};
use keyvend::functions::{reveal::Reveal, runtime};
use lambda_runtime::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::log();
    let (config, aws) = (RevealConfig::read(&ProcessEnvironment)?, AwsConfig::read(&ProcessEnvironment)?);
    let connector = https_connector(aws.trust());
    let reveal = Reveal::new(config, &sdk_config(&aws, connector.clone()));
    let warm_up = async {
        let endpoints = [dynamodb_endpoint(&aws).await, sqs_endpoint(&aws).await];
        open_connections(&connector, endpoints.into_iter().flatten()).await;
    };
    runtime::run(warm_up, async |event| reveal.handle(event.payload, runtime::now()).await).await
}
