//! Connections that are opened before the first call needs them.

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use futures_util::future::join_all;

use crate::aws::config::AwsConfig;

/// Opens a connection to each of these addresses, one for each time it is named, and leaves them in the connector's pool. Each gets
/// an unsigned `HEAD /`, and no answer is looked at: whatever is wrong shows again, and is reported, where a call needs it.
pub async fn open_connections(connector: &SharedHttpConnector, urls: impl IntoIterator<Item = String>) {
    join_all(urls.into_iter().map(|url| async move {
        let mut request = HttpRequest::new(SdkBody::empty());
        if request.set_method("HEAD").is_ok() && request.set_uri(url.as_str()).is_ok() {
            let _ = connector.call(request).await;
        }
    }))
    .await;
}

/// Where the SDK finds each service: one function each, so that a function of keyvend links only what it calls.
macro_rules! endpoint {
    ($service:ident, $sdk:ident) => {
        pub async fn $service(config: &AwsConfig) -> Option<String> {
            use $sdk::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
            let params = Params::builder()
                .region(config.region.clone())
                .use_fips(config.use_fips)
                .use_dual_stack(config.use_dual_stack)
                .set_endpoint(config.endpoint_url.clone())
                .build();
            let endpoint = DefaultResolver::new().resolve_endpoint(&params.ok()?).await.ok()?;
            Some(endpoint.url().to_owned())
        }
    };
}

endpoint!(dynamodb_endpoint, aws_sdk_dynamodb);
endpoint!(iam_endpoint, aws_sdk_iam);
endpoint!(sqs_endpoint, aws_sdk_sqs);
endpoint!(sts_endpoint, aws_sdk_sts);
