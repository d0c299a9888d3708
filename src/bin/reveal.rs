//! The `reveal` function: the page, and the claim of a ticket.

use keyvend::config::{AwsConfig, ProcessEnvironment, RevealConfig};
use keyvend::functions::reveal::Reveal;
use keyvend::{aws, functions::runtime};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::log();
    let config = RevealConfig::read(&ProcessEnvironment)?;
    let reveal =
        Reveal::new(config, &aws::sdk_config(&AwsConfig::read(&ProcessEnvironment)?, aws::https_connector()));
    let handler = |event: LambdaEvent<Value>| async {
        Ok::<_, Error>(reveal.handle(event.payload, runtime::now()).await)
    };
    lambda_runtime::run(service_fn(handler)).await
}
