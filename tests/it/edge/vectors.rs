//! The conformance cases in tests/vectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyvend::http::api_gateway::{Header, HttpRequest};
use keyvend::http::form_urlencoded::Form;
use keyvend::slack::receive::SlackEvent;
use keyvend::slack::signature::{SignatureError, SigningSecret, verify};
use keyvend::time::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::edge::requests::{
    body_json, cases, content_type, ephemeral_text, gateway_cases, hex, parts, pins, receive, secret,
};

fn header(value: &Value) -> Header<'_> {
    value.as_str().map_or(Header::Absent, Header::One)
}

// T1.1
#[test]
fn every_signature_case_has_its_verdict_and_reason() {
    let cases = cases(include_str!("../../vectors/slack-signature.json"));
    assert_eq!(cases.len(), 71);
    for case in &cases {
        let name = &case["name"];
        let accepted = case["expect"] == "accept";
        let reason = case["reason"].as_str().unwrap_or_default();
        let texts = std::iter::once(&case["signing_secret"])
            .chain(case["also_secrets"].as_array().into_iter().flatten())
            .map(|text| text.as_str().unwrap().to_owned());
        let secrets: Vec<SigningSecret> = match texts.map(SigningSecret::new).collect() {
            Ok(secrets) => secrets,
            Err(_) => {
                let refused_as = [("boltjs_secret_empty", "bad_secret_config")];
                let blanks = name == "secret_trailing_newline_not_trimmed_here";
                assert!(blanks || refused_as.iter().any(|(n, r)| name == n && reason == *r), "{name}");
                continue;
            }
        };
        let body = match case["body_base64"].as_str() {
            Some(text) => STANDARD.decode(text).unwrap(),
            None => case["body"].as_str().unwrap_or_default().as_bytes().to_vec(),
        };
        let now = Timestamp(case["now"].as_i64().unwrap());
        let (timestamp, signature) = (header(&case["timestamp"]), header(&case["signature"]));
        match verify(&secrets, timestamp, signature, &body, now) {
            Ok(verified) => {
                assert!(accepted, "{name}");
                assert_eq!(*verified.get(), body, "{name}");
                let text = case["signature"].as_str().unwrap();
                assert_eq!(verified.hash().to_string(), hex(&Sha256::digest(text)), "{name}");
            }
            Err(error) => {
                assert!(!accepted, "{name}: {error}");
                let well_formed = case["signature"].as_str().is_some_and(|text| {
                    text.len() == 67 && text[3..].bytes().all(|b| b"0123456789abcdef".contains(&b))
                });
                let expected = match reason {
                    "missing_header" => SignatureError::Missing,
                    "bad_timestamp" => SignatureError::BadTimestamp,
                    "stale_timestamp" => SignatureError::Stale,
                    "future_timestamp" => SignatureError::Future,
                    "bad_signature_format" => SignatureError::BadFormat,
                    "signature_mismatch" if well_formed => SignatureError::Mismatch,
                    "signature_mismatch" => SignatureError::BadFormat,
                    other => panic!("{name}: unknown reason {other}"),
                };
                assert_eq!(error, expected, "{name}");
            }
        }
    }
}

#[test]
fn every_gateway_case_has_its_status_and_outcome() {
    let cases = gateway_cases();
    assert_eq!(cases.len(), 26);
    for case in &cases {
        let name = &case["name"];
        let teams: Vec<&str> =
            case["config"]["team_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        let pins = pins(case["config"]["api_app_id"].as_str().unwrap(), &teams);
        let secrets = [secret(case["signing_secret"].as_str().unwrap())];
        let now = Timestamp(case["now"].as_i64().unwrap());
        let request = HttpRequest::try_from(case["event"].clone()).unwrap();
        if let Some(text) = case["parsed_text"].as_str() {
            assert_eq!(Form::parse(request.body()).unwrap().get("text"), Some(text), "{name}");
        }
        let received = receive(&request, &pins, &secrets, now);
        let (message, response) = parts(&received);
        assert_eq!(response.status, case["expect"]["status"], "{name}: {received:?}");
        let what = message.map(|message| &message.what);
        let right = match case["expect"]["outcome"].as_str().unwrap() {
            "refused" => message.is_none() && response.status >= 400,
            "command" | "ephemeral_help" => match what {
                None => ephemeral_text(response).is_some(),
                Some(what) => matches!(what, SlackEvent::Command(_)),
            },
            "interaction" => matches!(what, Some(SlackEvent::Interaction(_))) && response.body.is_empty(),
            "ephemeral_refusal" => message.is_some() || ephemeral_text(response).is_some(),
            "ssl_check_ack" => message.is_none() && response.body.is_empty(),
            "challenge_echo" => {
                let sent: Value = serde_json::from_slice(request.body()).unwrap();
                content_type(response) == Some("application/json")
                    && body_json(response) == Some(json!({ "challenge": sent["challenge"] }))
            }
            other => panic!("{name}: unknown outcome {other}"),
        };
        assert!(right, "{name}: {received:?}");
        if response.status == 401 {
            assert_eq!(response.body, "", "{name}");
        }
    }
}
