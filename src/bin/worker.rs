//! The `worker` function: everything that decides and acts.

use keyvend::config::{AwsConfig, ProcessEnvironment, WorkerConfig};
use keyvend::worker::{self, Context, Invocation};
use keyvend::{aws, functions::runtime};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    runtime::log();
    let config = WorkerConfig::read(&ProcessEnvironment)?;
    let connector = aws::https_connector();
    let sdk = aws::sdk_config(&AwsConfig::read(&ProcessEnvironment)?, connector.clone());
    let worker = Context::new(config, &sdk, connector);
    let worker = &worker;
    let handler = |LambdaEvent { payload, context }: LambdaEvent<Value>| async move {
        let invocation = Invocation { now: runtime::now(), deadline: runtime::deadline(&context) };
        Ok::<_, Error>(worker::handle(worker, payload, invocation).await)
    };
    lambda_runtime::run(service_fn(handler)).await
}
