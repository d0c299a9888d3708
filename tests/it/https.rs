//! The HTTPS client against real sockets: whose certificates it accepts, what becomes of a connection that breaks, and which of
//! these failures the SDK may try again.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use keyvend::aws::warm_up::{dynamodb_endpoint, iam_endpoint, open_connections, sqs_endpoint, sts_endpoint};
use keyvend::aws::{Trust, https_connector};
use keyvend::config::AwsConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The certificates were made with openssl, for 127.0.0.1, and are good for a hundred years.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/https").join(name)
}

fn listener(scheme: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    (listener, url)
}

/// One request's head; `None` where the other end is gone.
fn request_line(stream: &mut impl std::io::Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8(head).unwrap().lines().next().unwrap().to_owned())
}

/// A server that answers every request over TLS of this version; says how each connection's handshake ended.
fn tls_server(version: &'static SupportedProtocolVersion) -> (String, Receiver<Result<(), String>>) {
    let (listener, url) = listener("https");
    let (said, heard) = channel();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            CertificateDer::pem_file_iter(file("server.pem")).unwrap().map(Result::unwrap).collect(),
            PrivateKeyDer::from_pem_file(file("server.key.pem")).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut tls =
                StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream.unwrap());
            let shaken = tls.conn.complete_io(&mut tls.sock);
            said.send(shaken.map(drop).map_err(|error| error.to_string())).unwrap();
            while request_line(&mut tls).is_some() {
                tls.write_all(ANSWER).unwrap();
            }
        }
    });
    (url, heard)
}

/// A server without TLS that does this with every connection.
fn server(serve: impl Fn(TcpStream) + Send + 'static) -> String {
    let (listener, url) = listener("http");
    thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap())));
    url
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn get(connector: &SharedHttpConnector, url: &str) -> Result<String, ConnectorError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url).unwrap();
    let mut response = connector.call(request).await?;
    assert_eq!(response.status().as_u16(), 200);
    let body = aws_smithy_types::byte_stream::ByteStream::new(response.take_body()).collect().await.unwrap();
    Ok(String::from_utf8(body.into_bytes().to_vec()).unwrap())
}

fn trusting_test_authority() -> SharedHttpConnector {
    https_connector(Trust::Bundle(file("authority.pem")))
}

// T3.12
#[test]
fn server_of_a_trusted_authority_is_spoken_to_and_no_other() {
    for version in [&TLS12, &TLS13] {
        let (url, handshakes) = tls_server(version);
        assert_eq!(run(get(&trusting_test_authority(), &url)).unwrap(), "ok", "{version:?}");
        handshakes.recv().unwrap().unwrap();
        for trust in [Trust::Amazon, Trust::System, Trust::Bundle(file("missing.pem"))] {
            let error = run(get(&https_connector(trust.clone()), &url)).unwrap_err();
            assert!(format!("{error:?}").contains("UnknownIssuer"), "{trust:?}: {error:?}");
            assert!(handshakes.recv().unwrap().is_err(), "{trust:?}");
        }
    }
}

// T3.12
#[test]
fn certificate_must_name_the_host() {
    let (url, handshakes) = tls_server(&TLS13);
    let other_name = url.replace("127.0.0.1", "localhost");
    let error = run(get(&trusting_test_authority(), &other_name)).unwrap_err();
    assert!(format!("{error:?}").contains("NotValidForName"), "{error:?}");
    assert!(handshakes.recv().unwrap().is_err());
}

#[test]
fn connection_is_used_again_and_opened_before_it_is_needed() {
    let (said, connections) = channel();
    let url = server(move |mut stream| {
        said.send(request_line(&mut stream).unwrap()).unwrap();
        stream.write_all(b"HTTP/1.1 404 -\r\ncontent-length: 0\r\n\r\n").unwrap();
        while request_line(&mut stream).is_some() {
            stream.write_all(ANSWER).unwrap();
        }
    });
    run(async {
        let connector = https_connector(Trust::Amazon);
        open_connections(&connector, [url.clone()]).await;
        assert_eq!(get(&connector, &url).await.unwrap(), "ok");
        assert_eq!(get(&connector, &url).await.unwrap(), "ok");
    });
    assert_eq!(
        connections.try_iter().collect::<Vec<_>>(),
        ["HEAD / HTTP/1.1"],
        "one connection, opened by the warm-up"
    );
}

#[test]
fn connection_that_was_closed_while_idle_costs_no_request() {
    let url = server(|mut stream| {
        request_line(&mut stream).unwrap();
        stream.write_all(ANSWER).unwrap();
    });
    run(async {
        let connector = https_connector(Trust::Amazon);
        for _ in 0..3 {
            assert_eq!(get(&connector, &url).await.unwrap(), "ok");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn broken_connection_is_a_failure_that_may_be_tried_again_and_a_bad_answer_is_not() {
    let closed = {
        let (_listener, url) = listener("http");
        url
    };
    let unanswered = server(|mut stream| drop(request_line(&mut stream)));
    let cut_off = server(|mut stream| {
        request_line(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap();
    });
    for url in [&closed, &unanswered, &cut_off, &"http://no-such-host.invalid/".to_owned()] {
        let error = run(get(&https_connector(Trust::Amazon), url)).unwrap_err();
        assert!(error.is_io(), "{url}: {error:?}");
    }
    let nonsense = server(|mut stream| {
        request_line(&mut stream);
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").unwrap();
        let _ = stream.read(&mut [0; 64]);
    });
    let error = run(get(&https_connector(Trust::Amazon), &nonsense)).unwrap_err();
    assert!(!error.is_io() && !error.is_timeout(), "{error:?}");
}

/// The configuration of a function in this region.
fn aws_config(region: &str, more: &[(&'static str, &str)]) -> AwsConfig {
    let mut environment = BTreeMap::from([("AWS_REGION", region.to_owned())]);
    environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    AwsConfig::read(&environment).unwrap()
}

#[test]
fn every_partition_fips_and_dual_stack_have_their_endpoints() {
    // https://docs.aws.amazon.com/general/latest/gr/sqs-service.html, iam-service.html, sts.html and ddb.html
    let (fips, dual) = (("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "TRUE"));
    let of = |region: &str, more: &[(&'static str, &str)]| {
        let config = aws_config(region, more);
        run(async {
            let found = [
                sqs_endpoint(&config).await,
                dynamodb_endpoint(&config).await,
                sts_endpoint(&config).await,
                iam_endpoint(&config).await,
            ];
            found.map(|url| url.unwrap().trim_start_matches("https://").to_owned())
        })
    };
    assert_eq!(
        of("eu-west-1", &[]),
        [
            "sqs.eu-west-1.amazonaws.com",
            "dynamodb.eu-west-1.amazonaws.com",
            "sts.eu-west-1.amazonaws.com",
            "iam.amazonaws.com",
        ]
    );
    assert_eq!(
        of("cn-north-1", &[]),
        [
            "sqs.cn-north-1.amazonaws.com.cn",
            "dynamodb.cn-north-1.amazonaws.com.cn",
            "sts.cn-north-1.amazonaws.com.cn",
            "iam.cn-north-1.amazonaws.com.cn",
        ]
    );
    assert_eq!(of("us-east-1", &[fips])[0], "sqs-fips.us-east-1.amazonaws.com");
    assert_eq!(of("us-east-1", &[fips])[3], "iam-fips.amazonaws.com");
    assert_eq!(of("eu-west-1", &[dual])[0], "sqs.eu-west-1.api.aws");
    assert_eq!(of("eu-west-1", &[("AWS_ENDPOINT_URL", "https://emulator:4566")])[0], "emulator:4566");
}

#[test]
fn amazon_roots_serve_all_regions_but_chinas_unless_others_are_named() {
    assert_eq!(aws_config("us-gov-west-1", &[]).trust(), Trust::Amazon);
    assert_eq!(aws_config("cn-northwest-1", &[]).trust(), Trust::System);
    let named = aws_config("cn-northwest-1", &[("AWS_CA_BUNDLE", "/opt/ca.pem")]);
    assert_eq!(named.trust(), Trust::Bundle("/opt/ca.pem".into()));
}

#[test]
fn amazon_roots_are_those_that_amazon_publishes() {
    use sha2::{Digest as _, Sha256};
    // https://www.amazontrust.com/repository/ lists these fingerprints of the certificates.
    let text = include_str!("../../src/aws/amazon_roots.pem");
    let stated = text.lines().filter_map(|line| line.split_once("SHA-256 ")).map(|(_, hash)| hash.to_owned());
    let actual =
        CertificateDer::pem_slice_iter(text.as_bytes()).map(|der| hex::encode(Sha256::digest(der.unwrap())));
    let actual: Vec<String> = actual.collect();
    assert_eq!(stated.collect::<Vec<_>>(), actual);
    assert_eq!(actual.len(), 5);
    assert_eq!(actual[0], "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e");
}
