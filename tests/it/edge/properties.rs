//! What holds whatever comes in.

use keyvend::functions::gateway::refusal;
use keyvend::http::api_gateway::{BODY_LIMIT, HttpRequest, HttpResponse};
use keyvend::slack::command::Command;
use keyvend::slack::receive::{SlackEnvelope, SlackEvent};
use keyvend::time::Timestamp;
use proptest::prelude::*;

use crate::any_json::{any_json, damaged};
use crate::edge::requests::{
    NOW, SECRET, Sent, UNWANTED, content_type, gateway_cases, member_joined, members_changed, ours, parts,
    pins, press, receive, secret, submission, user_change,
};

const STATUSES: [u16; 8] = [200, 400, 401, 403, 404, 405, 413, 415];

/// A request, and whether its body is our app's and our team's by a reading of its own.
fn any_sent() -> impl Strategy<Value = (Sent, bool)> {
    let field = |name: &'static str, right: &'static str| {
        prop_oneof![
            6 => Just(Some((name.to_owned(), right.to_owned()))),
            1 => Just(None),
            1 => ".{0,9}".prop_map(move |value| Some((name.to_owned(), value))),
        ]
    };
    let line = prop_oneof![
        Just("create ci use:cli ttl:30d to deploy".to_owned()),
        Just("status".to_owned()),
        "create .{0,40}",
        ".*",
    ];
    let command = (
        [field("api_app_id", "A123456"), field("team_id", "T0002"), field("user_id", "U0001")],
        [field("command", "/k"), field("channel_id", "C1"), field("trigger_id", "1.x")],
        prop_oneof![4 => Just("https://hooks.slack.com/x".to_owned()), 1 => ".*"],
        line,
    )
        .prop_map(|(first, second, url, line)| {
            let mut fields: Vec<(String, String)> = first.into_iter().chain(second).flatten().collect();
            fields.push(("response_url".to_owned(), url));
            fields.push(("text".to_owned(), line));
            let has = |name: &str, values: &[&str]| {
                fields.iter().any(|(n, v)| n == name && values.contains(&v.as_str()))
            };
            let ours = has("api_app_id", &["A123456"]) && has("team_id", &["T0001", "T0002"]);
            let pairs: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            (Sent::form("/slack/commands", &pairs), ours)
        });
    let interaction = prop_oneof![damaged(press()), damaged(submission())].prop_map(|payload| {
        let org_wide = payload["team"].is_null() && payload["is_enterprise_install"] == true;
        let team = if org_wide { &payload["user"]["team_id"] } else { &payload["team"]["id"] };
        let ours = payload["api_app_id"] == "A123456" && (team == "T0001" || team == "T0002");
        (Sent::payload(&payload), ours)
    });
    let event = prop_oneof![damaged(user_change()), damaged(member_joined()), damaged(members_changed())]
        .prop_map(|event| {
            // The workspace that an event names decides nothing by itself.
            let ours = event["api_app_id"] == "A123456";
            (Sent::event(&event), ours)
        });
    let noise = (prop::collection::vec(any::<u8>(), 0..300), 0usize..3).prop_map(|(body, route)| {
        let (path, media_type) = [
            ("/slack/commands", "application/x-www-form-urlencoded"),
            ("/slack/interactive", "application/x-www-form-urlencoded"),
            ("/slack/events", "application/json"),
        ][route];
        (Sent::to(path, media_type, body), false)
    });
    let sent = prop_oneof![3 => command, 3 => interaction, 2 => event, 1 => noise];
    let around = (
        prop_oneof![8 => Just("POST".to_owned()), 1 => ".{0,6}"],
        prop_oneof![8 => Just(None), 1 => "(/slack/(commands|interactive|events)|.{0,20})".prop_map(Some)],
        prop_oneof![8 => Just(None), 1 => Just(Some(None)), 1 => ".{0,30}".prop_map(|t| Some(Some(t)))],
        prop_oneof![6 => Just(Some(SECRET)), 1 => Just(Some("another")), 1 => Just(None)],
        prop_oneof![4 => -300i64..=300, 1 => -400i64..=400],
    );
    (sent, around).prop_map(|((sent, ours), (method, path, media_type, signed_with, skew))| {
        let path = path.unwrap_or(sent.path);
        let media_type = media_type.unwrap_or(sent.media_type);
        (Sent { method, path, media_type, body: sent.body, signed_with, skew }, ours)
    })
}

fn check_response(response: &HttpResponse) -> Result<(), TestCaseError> {
    prop_assert!(STATUSES.contains(&response.status), "{:?}", response);
    prop_assert_eq!(response.body.is_empty(), content_type(response).is_none());
    prop_assert!(response.clone().into_event()["statusCode"].is_u64());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    // T1.4, T6.2
    #[test]
    fn only_signed_requests_of_our_app_are_queued((sent, ours) in any_sent()) {
        // Only what Slack signed, for our app and our workspaces, is queued.
        let received = sent.receive();
        let (message, response) = parts(&received);
        check_response(response)?;
        let signed = sent.signed_with == Some(SECRET) && sent.skew.abs() <= 300;
        if !signed && sent.method == "POST" {
            prop_assert!(matches!(response.status, 401 | 404) && response.body.is_empty() == (response.status == 401));
        }
        if let Some(message) = message {
            prop_assert!(signed && ours && sent.method == "POST");
            prop_assert_eq!(response.status, 200);
            let body = serde_json::to_string(message).unwrap();
            prop_assert!(body.len() < 32 * 1024);
            prop_assert!(!body.contains(UNWANTED), "{}", body);
            prop_assert_eq!(&serde_json::from_str::<SlackEnvelope>(&body).unwrap(), message);
            let group = message.group_id();
            prop_assert!((1..=128).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_graphic()), "{}", group);
            prop_assert!(group.contains(&message.person.to_string()), "nobody else's messages are in {}", group);
            prop_assert!(!matches!(message.what, SlackEvent::Command(Command::Help)));
            let printed = format!("{message:?}");
            prop_assert!(!printed.contains("hooks.slack.com"), "{}", printed);
        }
    }

    // T1.9
    #[test]
    fn any_json_at_all_is_answered(event in any_json()) {
        match HttpRequest::try_from(event) {
            Ok(request) => {
                let received = receive(&request, &ours(), &[secret(SECRET)], Timestamp(NOW));
                check_response(parts(&received).1)?;
                prop_assert!(parts(&received).0.is_none());
            }
            Err(refused) => check_response(&refusal(refused))?,
        }
    }

    // T1.9
    #[test]
    fn any_damaged_gateway_event_is_answered(
        event in prop::sample::select(gateway_cases()).prop_flat_map(|case| damaged(case["event"].clone())),
        now: i64,
    ) {
        for now in [now, NOW] {
            match HttpRequest::try_from(event.clone()) {
                Ok(request) => {
                    prop_assert!(request.body().len() <= BODY_LIMIT);
                    let received = receive(&request, &pins("A123456", &["T0001"]), &[secret(SECRET)], Timestamp(now));
                    check_response(parts(&received).1)?;
                }
                Err(refused) => check_response(&refusal(refused))?,
            }
        }
    }

    // T1.9
    #[test]
    fn any_request_is_answered(
        method in ".*",
        path in "(/slack/(commands|interactive|events)|.*)",
        headers in prop::collection::vec(("(?i)(content-type|x-slack-signature|x-slack-request-timestamp|.{0,9})", ".*"), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let request = HttpRequest::new(method, path, headers, body).unwrap();
        let received = receive(&request, &ours(), &[secret(SECRET)], Timestamp(NOW));
        check_response(parts(&received).1)?;
        prop_assert!(parts(&received).0.is_none());
    }
}
