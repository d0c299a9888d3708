//! The stand-in for Slack, asked through the connector as the product asks.

mod events;

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use testkit::aws::BOT_TOKEN;
use testkit::slack::{
    ALICE_OWNER, APPROVALS, BOB_APPROVER, BOT, BOTTY, DORA_DELETED, GENERAL, GUS_GUEST, TEAM_GROUP,
    XENA_EXTERNAL, direct,
};
use testkit::{World, block_kit, form};

use crate::emulators::slack::events::payload_of;

async fn post(
    world: &World,
    url: &str,
    token: Option<&str>,
    kind: &'static str,
    body: String,
) -> (u16, Option<String>, String) {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST").unwrap();
    request.set_uri(url).unwrap();
    request.headers_mut().insert("content-type", kind);
    if let Some(token) = token {
        request.headers_mut().insert("authorization", format!("Bearer {token}"));
    }
    let response = world.net.connector().call(request).await.unwrap();
    let retry_after = response.headers().get("retry-after").map(str::to_owned);
    let body = String::from_utf8(response.body().bytes().unwrap().to_vec()).unwrap();
    (response.status().as_u16(), retry_after, body)
}

async fn api(world: &World, method: &str, input: &Value) -> Value {
    let url = format!("https://slack.com/api/{method}");
    let (status, _, body) = post(world, &url, Some(BOT_TOKEN), "application/json", input.to_string()).await;
    assert_eq!(status, 200, "Slack answers errors with 200 too");
    serde_json::from_str(&body).unwrap()
}

async fn error(world: &World, method: &str, input: &Value) -> String {
    let answer = api(world, method, input).await;
    assert_eq!(answer["ok"], false, "{method} {input}");
    answer["error"].as_str().unwrap().to_owned()
}

async fn respond(world: &World, url: &str, input: &Value) -> (u16, String) {
    let (status, _, body) = post(world, url, None, "application/json", input.to_string()).await;
    (status, body)
}

fn said(channel: &str, text: &str) -> Value {
    json!({
        "channel": channel, "text": text, "parse": "none", "link_names": false,
        "unfurl_links": false, "unfurl_media": false,
    })
}

fn card() -> Value {
    let button = |label: &str, id: &str| json!({"type": "button", "action_id": id, "value": "R1.REV", "text": {"type": "plain_text", "text": label}});
    json!([
        {"type": "section", "text": {"type": "mrkdwn", "text": "*alice* asks", "verbatim": true}},
        {"type": "actions", "block_id": "decide", "elements": [button("Approve", "approve"), button("Deny", "deny")]},
    ])
}

#[tokio::test]
async fn only_the_bot_token_is_let_in() {
    let world = World::new().await;
    let url = "https://slack.com/api/auth.test";
    for (token, expected) in [(None, "not_authed"), (Some("xoxb-old"), "invalid_auth")] {
        let (status, _, body) = post(&world, url, token, "application/json", "{}".to_owned()).await;
        assert_eq!((status, body), (200, json!({"ok": false, "error": expected}).to_string()));
    }
    let answer = api(&world, "auth.test", &json!({})).await;
    assert_eq!((&answer["team_id"], &answer["user_id"]), (&json!("T0001"), &json!(BOT)));
    assert_eq!(error(&world, "no.such", &json!({})).await, "unknown_method");
}

#[tokio::test]
async fn people_are_who_they_are() {
    let world = World::new().await;
    let info = async |user: &str| api(&world, "users.info", &json!({"user": user})).await["user"].clone();
    let alice = info(ALICE_OWNER).await;
    assert_eq!(alice["profile"]["email"], "alice@example.com");
    assert_eq!(
        (&alice["is_email_confirmed"], &alice["is_restricted"], &alice["is_stranger"]),
        (&json!(true), &json!(false), &Value::Null)
    );
    assert_eq!(info(GUS_GUEST).await["is_restricted"], true);
    let xena = info(XENA_EXTERNAL).await;
    assert_eq!((&xena["is_stranger"], &xena["team_id"]), (&json!(true), &json!("T0XENA")));
    let dora = info(DORA_DELETED).await;
    assert_eq!(
        (&dora["deleted"], dora.get("is_restricted")),
        (&json!(true), None),
        "a deactivated person has few fields"
    );
    assert_eq!(info(BOTTY).await["is_bot"], true);
    assert_eq!(error(&world, "users.info", &json!({"user": "U0NOBODY"})).await, "user_not_found");
    world.net.slack().person(ALICE_OWNER, |alice| alice.deleted = true);
    assert_eq!(info(ALICE_OWNER).await["deleted"], true);
    // The product asks in a form.
    let form = form::encode([("user", GUS_GUEST)]);
    let kind = "application/x-www-form-urlencoded";
    let (_, _, body) = post(&world, "https://slack.com/api/users.info", Some(BOT_TOKEN), kind, form).await;
    assert!(body.contains("gus_guest"), "{body}");
}

#[tokio::test]
async fn a_channel_lists_its_members_page_by_page() {
    let world = World::new().await;
    let info = api(&world, "conversations.info", &json!({"channel": APPROVALS})).await["channel"].clone();
    assert_eq!((&info["is_private"], &info["is_ext_shared"]), (&json!(true), &json!(false)));
    world.net.slack().page(3);
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let input = json!({"channel": APPROVALS, "limit": 1000, "cursor": cursor});
        let answer = api(&world, "conversations.members", &input).await;
        all.extend(
            answer["members"].as_array().unwrap().iter().map(|member| member.as_str().unwrap().to_owned()),
        );
        cursor = answer["response_metadata"]["next_cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(all, ["U0BOB", "U0CAROL", "U0DAVE", "U0KEYVEND"]);
    world.net.slack().channel(APPROVALS, |channel| {
        channel.members.remove(BOT);
    });
    assert_eq!(
        error(&world, "conversations.members", &json!({"channel": APPROVALS})).await,
        "channel_not_found"
    );
    let group = json!({"usergroup": TEAM_GROUP});
    assert_eq!(api(&world, "usergroups.users.list", &group).await["users"], json!([ALICE_OWNER]));
    assert_eq!(
        error(&world, "usergroups.users.list", &json!({"usergroup": "S0NONE"})).await,
        "no_such_subteam"
    );
}

#[tokio::test]
async fn messages_are_kept_and_updated_in_place() {
    let world = World::new().await;
    let slack = world.net.slack();
    let mut card_message = said(APPROVALS, "alice asks");
    card_message["blocks"] = card();
    let sent = api(&world, "chat.postMessage", &card_message).await;
    let direct = api(&world, "chat.postMessage", &said(ALICE_OWNER, "to you")).await;
    assert_eq!(direct["channel"], "D0ALICE");
    assert_ne!(sent["ts"], direct["ts"]);
    let message = slack.last_message(APPROVALS);
    assert_eq!(
        (message.ts.as_str(), message.reading().as_str()),
        (sent["ts"].as_str().unwrap(), "*alice* asks\nApprove\nDeny")
    );
    assert_eq!(message.button("Deny").action_id, "deny");
    let mut update = said(APPROVALS, "approved");
    update["ts"] = sent["ts"].clone();
    api(&world, "chat.update", &update).await;
    let after = slack.last_message(APPROVALS);
    assert_eq!(
        (after.reading().as_str(), after.edits.len(), slack.messages(APPROVALS).len()),
        ("approved", 1, 1)
    );
    assert_eq!(slack.last_told(ALICE_OWNER).text, "to you");
    api(&world, "chat.postEphemeral", &{
        let mut only = said(GENERAL, "hush");
        only["user"] = json!(BOB_APPROVER);
        only
    })
    .await;
    assert_eq!((slack.told(BOB_APPROVER).len(), slack.messages(GENERAL).len()), (1, 0));

    // In a direct message too, once it is there, and to nobody but its person.
    let whisper = |channel: &str, user: &str| {
        let mut only = said(channel, "hush");
        only["user"] = json!(user);
        only
    };
    let own = format!("D{}", BOB_APPROVER.trim_start_matches('U'));
    let unopened = error(&world, "chat.postEphemeral", &whisper(&own, BOB_APPROVER)).await;
    assert_eq!(unopened, "channel_not_found");
    let opened = api(&world, "conversations.open", &json!({"users": BOB_APPROVER})).await;
    assert_eq!(opened["channel"]["id"], json!(own));
    api(&world, "chat.postEphemeral", &whisper(&own, BOB_APPROVER)).await;
    assert_eq!((slack.told(BOB_APPROVER).len(), slack.messages(&own).len()), (2, 0));
    let foreign = error(&world, "chat.postEphemeral", &whisper(&own, ALICE_OWNER)).await;
    assert_eq!(foreign, "user_not_in_channel");

    for (channel, expected) in
        [("C0NONE", "channel_not_found"), (DORA_DELETED, "user_disabled"), (BOTTY, "cannot_dm_bot")]
    {
        assert_eq!(error(&world, "chat.postMessage", &said(channel, "x")).await, expected);
    }
    slack.channel(GENERAL, |channel| {
        channel.members.remove(BOT);
    });
    assert_eq!(error(&world, "chat.postMessage", &said(GENERAL, "x")).await, "not_in_channel");
    update["ts"] = json!("1.000001");
    assert_eq!(error(&world, "chat.update", &update).await, "message_not_found");
}

#[tokio::test]
async fn response_url_takes_five_posts_in_thirty_minutes() {
    let world = World::new().await;
    let slack = world.net.slack();
    let url = slack.response_url(ALICE_OWNER, GENERAL, None);
    for index in 0..5 {
        let answer = respond(&world, &url, &json!({"text": format!("answer {index}")})).await;
        assert_eq!(answer, (200, "ok".to_owned()));
    }
    assert_eq!(respond(&world, &url, &json!({"text": "x"})).await, (404, "used_url".to_owned()));
    assert_eq!(
        (slack.told(ALICE_OWNER).len(), slack.messages(GENERAL).len()),
        (5, 0),
        "ephemeral by default"
    );
    let late = slack.response_url(ALICE_OWNER, GENERAL, None);
    world.clock.advance(Duration::from_secs(1800));
    let aloud = json!({"text": "aloud", "response_type": "in_channel"});
    assert_eq!(respond(&world, &late, &aloud).await.0, 200);
    assert_eq!(slack.last_message(GENERAL).text, "aloud");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(respond(&world, &late, &aloud).await, (404, "expired_url".to_owned()));

    let origin = slack.last_told(ALICE_OWNER);
    let of_press = slack.response_url(ALICE_OWNER, GENERAL, Some(&origin.ts));
    respond(&world, &of_press, &json!({"text": "instead", "replace_original": true})).await;
    assert_eq!(slack.last_told(ALICE_OWNER).text, "instead");
    respond(&world, &of_press, &json!({"delete_original": true})).await;
    assert_eq!(slack.told(ALICE_OWNER).len(), 4);
}

#[tokio::test]
async fn a_trigger_opens_one_view_within_three_seconds() {
    let world = World::new().await;
    let slack = world.net.slack();
    let view = json!({
        "type": "modal", "callback_id": "ask", "title": {"type": "plain_text", "text": "Access key"},
        "submit": {"type": "plain_text", "text": "Submit request"},
        "blocks": [{"type": "input", "block_id": "user", "label": {"type": "plain_text", "text": "IAM user"},
            "element": {"type": "plain_text_input", "action_id": "name"}}],
    });
    let trigger = slack.trigger(ALICE_OWNER);
    world.clock.advance(Duration::from_secs(3));
    let input = json!({"trigger_id": trigger, "view": view});
    let opened = api(&world, "views.open", &input).await;
    assert_eq!(error(&world, "views.open", &input).await, "exchanged_trigger_id");
    let late = slack.trigger(ALICE_OWNER);
    world.clock.advance(Duration::from_secs(4));
    assert_eq!(
        error(&world, "views.open", &json!({"trigger_id": late, "view": view})).await,
        "expired_trigger_id"
    );
    assert_eq!(
        error(&world, "views.open", &json!({"trigger_id": "x", "view": view})).await,
        "invalid_trigger_id"
    );
    let mut checking = view.clone();
    checking["title"]["text"] = json!("Checking...");
    api(&world, "views.update", &json!({"view_id": opened["view"]["id"], "view": checking})).await;
    let open = slack.views();
    assert_eq!(
        (open.len(), open[0].user.as_str(), &open[0].view["title"]["text"]),
        (1, ALICE_OWNER, &json!("Checking..."))
    );
    let event =
        world.submit(&open[0], &json!({"user": {"name": {"type": "plain_text_input", "value": "ci"}}}));
    let payload = payload_of(&event);
    assert_eq!(
        (&payload["type"], &payload["view"]["state"]["values"]["user"]["name"]["value"]),
        (&json!("view_submission"), &json!("ci"))
    );
}

#[tokio::test]
async fn slack_can_be_made_to_fail() {
    let world = World::new().await;
    world.net.slack().fail_next("users.info", "internal_error");
    assert_eq!(error(&world, "users.info", &json!({"user": ALICE_OWNER})).await, "internal_error");
    assert_eq!(api(&world, "users.info", &json!({"user": ALICE_OWNER})).await["ok"], true);
    world.net.slack().rate_limit_next("auth.test", 30);
    let limited =
        post(&world, "https://slack.com/api/auth.test", Some(BOT_TOKEN), "application/json", "{}".to_owned())
            .await;
    assert_eq!((limited.0, limited.1.as_deref()), (429, Some("30")));
}

#[test]
fn the_limits_of_block_kit_are_kept() {
    let button = |text: &str, value: &str, id: &str| json!({"type": "button", "text": {"type": "plain_text", "text": text}, "value": value, "action_id": id});
    let section =
        |text: &str| json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}});
    let actions = |elements: Value| json!({"type": "actions", "elements": elements});
    let message = |blocks: Value| json!({"text": "t", "blocks": blocks});
    let long = |count: usize| "ä".repeat(count);
    let good = [
        json!({"text": "only text"}),
        message(card()),
        message(json!(vec![section("x"); 50])),
        message(json!([section(&long(3000))])),
        message(json!([actions(json!([button(&long(75), &long(2000), &long(255))]))])),
    ];
    for message in good {
        assert_eq!(block_kit::message(&message), Ok(()), "{message}");
    }
    let bad = [
        ("no text", json!({"blocks": card()})),
        ("an empty text", json!({"text": "", "blocks": card()})),
        ("51 blocks", message(json!(vec![section("x"); 51]))),
        ("3001 characters", message(json!([section(&long(3001))]))),
        ("an empty section", message(json!([section("")]))),
        ("a long label", message(json!([actions(json!([button(&long(76), "v", "a")]))]))),
        ("a long value", message(json!([actions(json!([button("b", &long(2001), "a")]))]))),
        ("a long action_id", message(json!([actions(json!([button("b", "v", &long(256))]))]))),
        (
            "an action_id twice",
            message(json!([actions(json!([button("b", "v", "a"), button("c", "w", "a")]))])),
        ),
        (
            "a block_id twice",
            message(json!([{"type": "divider", "block_id": "x"}, {"type": "divider", "block_id": "x"}])),
        ),
        ("a long block_id", message(json!([{"type": "divider", "block_id": long(256)}]))),
        (
            "mrkdwn on a button",
            message(json!([actions(json!([{"type": "button", "text": {"type": "mrkdwn", "text": "b"}}]))])),
        ),
        ("a header in mrkdwn", message(json!([{"type": "header", "text": {"type": "mrkdwn", "text": "h"}}]))),
        (
            "no such text type",
            message(json!([{"type": "section", "text": {"type": "markdown", "text": "h"}}])),
        ),
        ("no such block", message(json!([{"type": "paragraph"}]))),
        ("no such element", message(json!([actions(json!([{"type": "knob"}]))]))),
        ("a field too many", message(json!([{"type": "divider", "text": "x"}]))),
        (
            "mrkdwn that is parsed",
            message(json!([{"type": "section", "text": {"type": "mrkdwn", "text": "@channel"}}])),
        ),
        (
            "emoji in mrkdwn",
            message(
                json!([{"type": "section", "text": {"type": "mrkdwn", "text": "x", "verbatim": true, "emoji": true}}]),
            ),
        ),
        ("no elements", message(json!([actions(json!([]))]))),
        (
            "a style",
            message(json!([actions(
                json!([{"type": "button", "style": "red", "text": {"type": "plain_text", "text": "b"}}])
            )])),
        ),
    ];
    for (what, message) in bad {
        assert!(block_kit::message(&message).is_err(), "{what}: {message}");
    }
    let title =
        |text: &str| json!({"type": "modal", "title": {"type": "plain_text", "text": text}, "blocks": []});
    assert_eq!(block_kit::modal(&title(&long(24))), Ok(()));
    assert!(block_kit::modal(&title(&long(25))).is_err());
}

#[tokio::test]
#[should_panic(expected = "unfurl_links must be off")]
async fn message_with_previews_enabled_fails_test() {
    let world = World::new().await;
    api(
        &world,
        "chat.postMessage",
        &json!({
            "channel": ALICE_OWNER, "text": "https://keys.example.com/reveal#1.T",
            "parse": "none", "link_names": false,
        }),
    )
    .await;
}

#[tokio::test]
async fn slack_limits_last_as_documented() {
    let world = World::new().await;
    let slack = world.net.slack();
    slack.limit_rates();
    let waits = async |method: &str, input: Value| {
        let url = format!("https://slack.com/api/{method}");
        let (status, wait, _) =
            post(&world, &url, Some(BOT_TOKEN), "application/json", input.to_string()).await;
        (status == 429).then(|| wait.unwrap().parse::<u64>().unwrap())
    };
    let later = |seconds| world.clock.advance(Duration::from_secs(seconds));
    // One message a second for each channel, whatever it is called.
    assert_eq!(waits("chat.postMessage", said(APPROVALS, "one")).await, None);
    assert_eq!(waits("chat.postMessage", said(APPROVALS, "two")).await, Some(1));
    assert_eq!(waits("chat.postMessage", said(ALICE_OWNER, "one")).await, None);
    assert_eq!(waits("chat.postMessage", said(&direct(ALICE_OWNER), "two")).await, Some(1));
    later(1);
    assert_eq!(waits("chat.postMessage", said(APPROVALS, "three")).await, None);
    // So many calls of other methods a minute; one that was told to wait does not count.
    for (method, input, most) in [
        ("usergroups.users.list", json!({"usergroup": TEAM_GROUP}), 20),
        ("conversations.info", json!({"channel": APPROVALS}), 50),
        ("users.info", json!({"user": ALICE_OWNER}), 100),
    ] {
        for call in 0..most {
            assert_eq!(waits(method, input.clone()).await, None, "{method} {call}");
        }
        later(10);
        for _ in 0..3 {
            assert_eq!(waits(method, input.clone()).await, Some(50), "{method}");
        }
        later(50);
        assert_eq!(waits(method, input.clone()).await, None, "{method}");
    }
    slack.limit_until("users.info", None, world.clock.now() + Duration::from_secs(120), 30);
    assert_eq!(waits("users.info", json!({"user": ALICE_OWNER})).await, Some(30));
    later(120);
    assert_eq!(waits("users.info", json!({"user": ALICE_OWNER})).await, None);
}
