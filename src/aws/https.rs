//! The HTTPS client of the functions, for AWS and for Slack: hyper's own, over rustls. The SDK's default client brings
//! HTTP/2, proxies and a pool made for servers, none of which is used here, and would be a seventh of a function.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_util::client::legacy::{self, Client, connect};
use hyper_util::rt::TokioExecutor;

use crate::aws::trust::Trust;

/// How long the TCP connection may take. The TLS handshake counts towards the time-out of the call.
pub(crate) const CONNECT_TIME_OUT: Duration = Duration::from_secs(2);

type Https = hyper_rustls::HttpsConnector<connect::HttpConnector>;

/// An HTTPS client with its own trusted roots and its own pool of connections. Clones share both.
#[must_use]
pub fn https_connector(trust: Trust) -> SharedHttpConnector {
    SharedHttpConnector::new(HttpsConnector(Arc::new(Inner { trust, client: OnceLock::new() })))
}

#[derive(Debug)]
struct HttpsConnector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    trust: Trust,
    /// Made for the first request: reading roots takes time.
    client: OnceLock<Result<Client<Https, SdkBody>, rustls::Error>>,
}

impl HttpConnector for HttpsConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let inner = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move { inner.call(request).await })
    }
}

impl Inner {
    /// Sends a request at most once: hyper takes another connection only where it can tell that nothing was sent.
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let client = self.client.get_or_init(|| client(&self.trust)).as_ref();
        let client = client.map_err(|error| ConnectorError::other(error.clone().into(), None))?;
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let response = client.request(request).await.map_err(connector_error)?;
        HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
            .map_err(|error| ConnectorError::other(error.into(), None))
    }
}

fn client(trust: &Trust) -> Result<Client<Https, SdkBody>, rustls::Error> {
    let mut tcp = connect::HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIME_OUT));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(trust.tls_config()?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new()).build(https))
}

/// What the SDK's retries tell apart: a broken or refused connection, which may be tried again, and everything else.
fn connector_error(error: legacy::Error) -> ConnectorError {
    let cause = causes(&error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    let is_transport = error.is_connect()
        || causes(&error).any(|cause| cause.is::<std::io::Error>())
        || cause
            .is_some_and(|cause| cause.is_closed() || cause.is_canceled() || cause.is_incomplete_message());
    if cause.is_some_and(hyper::Error::is_user) {
        ConnectorError::user(error.into())
    } else if is_transport {
        ConnectorError::io(error.into())
    } else {
        ConnectorError::other(error.into(), None)
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
