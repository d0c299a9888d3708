//! What a lookup can never tell: people and user groups that Slack no longer knows, and fields that it leaves out. They count for
//! nothing, keep nobody else from anything, and nothing is tried again.

use serde_json::{Value, json};

use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER};
use testkit::steps::ASK;
use testkit::{aws, sqs};

/// Slack's words for a person whom it does not show.
const UNKNOWN: [&str; 3] = ["user_not_found", "users_not_found", "user_not_visible"];

/// `users.info` of one person answers this from now on.
fn answers_about(keyvend: &Deployed, person: &'static str, answer: Value) {
    keyvend.world.net.before(move |call| {
        if call.operation == "users.info" && call.parameters["user"] == person {
            Interfere::Status(200, answer.to_string())
        } else {
            Interfere::Pass
        }
    });
}

/// What Slack says of bob, with these fields changed.
fn bob_with(keyvend: &Deployed, change: &Value) -> Value {
    let mut user = keyvend.world.net.slack().who(BOB_APPROVER).json();
    for (field, value) in change.as_object().unwrap() {
        if value == "missing" {
            user.as_object_mut().unwrap().remove(field);
        } else {
            user[field] = value.clone();
        }
    }
    json!({"ok": true, "user": user})
}

fn nothing_failed(keyvend: &Deployed, case: &str) {
    for queue in [sqs::SLACK, sqs::DUE, sqs::CLAIMS] {
        assert_eq!(keyvend.world.net.sqs().dead(queue).len(), 0, "{case}");
    }
}

#[tokio::test]
async fn unknown_approver_keeps_request_issuable() {
    // Bob does not count, before the request and after it; carol's approval does.
    for code in UNKNOWN {
        let keyvend = Deployed::new().await;
        answers_about(&keyvend, BOB_APPROVER, json!({"ok": false, "error": code}));
        let card = keyvend.asked().await;
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        assert_eq!(keyvend.stands().await, "PENDING", "{code}");
        keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
        assert_eq!(keyvend.stands().await, "APPROVED", "{code}");
        let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
        keyvend.reveals(&tab).await;
        assert_eq!(keyvend.key_ids().len(), 1, "{code}");
        nothing_failed(&keyvend, code);
    }
}

#[tokio::test]
async fn approval_of_unknown_approver_no_longer_counts() {
    for code in UNKNOWN {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        answers_about(&keyvend, BOB_APPROVER, json!({"ok": false, "error": code}));
        keyvend.claims(&tab).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "PENDING", "{code}");
        keyvend.nothing_was_created().await;
        keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
        let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
        keyvend.reveals(&tab).await;
        nothing_failed(&keyvend, code);
    }
}

#[tokio::test]
async fn unknown_requester_is_refused_at_once() {
    for code in UNKNOWN {
        let keyvend = Deployed::new().await;
        answers_about(&keyvend, ALICE_OWNER, json!({"ok": false, "error": code}));
        keyvend.types(ALICE_OWNER, ASK).await;
        assert_eq!(keyvend.deliver_everything().await, 0, "{code}: nothing is tried again");
        assert!(keyvend.told(ALICE_OWNER).contains("deactivated"), "{code}: {}", keyvend.told(ALICE_OWNER));
        assert_eq!(keyvend.cards().len(), 0, "{code}");
        nothing_failed(&keyvend, code);
    }
}

#[tokio::test]
async fn error_of_token_is_no_word_about_person() {
    for code in ["invalid_auth", "token_revoked", "fatal_error"] {
        let keyvend = Deployed::new().await;
        answers_about(&keyvend, ALICE_OWNER, json!({"ok": false, "error": code}));
        keyvend.types(ALICE_OWNER, ASK).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.requests().await.len(), 0, "{code}");
        assert!(!keyvend.told(ALICE_OWNER).contains("deactivated"), "{code}: {}", keyvend.told(ALICE_OWNER));
    }
}

#[tokio::test]
async fn approver_with_missing_field_does_not_count() {
    // A field that Slack documents and does not send shows nothing; nor is the lookup tried again.
    for (field, kind) in [
        ("deleted", "null"),
        ("deleted", "missing"),
        ("is_bot", "null"),
        ("is_restricted", "null"),
        ("is_restricted", "missing"),
        ("is_ultra_restricted", "null"),
        ("team_id", "null"),
        ("team_id", "missing"),
    ] {
        let case = format!("{field} {kind}");
        let keyvend = Deployed::new().await;
        let value = if kind == "null" { Value::Null } else { json!("missing") };
        let answer = bob_with(&keyvend, &json!({field: value}));
        let card = keyvend.asked().await;
        answers_about(&keyvend, BOB_APPROVER, answer);
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        assert_eq!(keyvend.deliver_everything().await, 0, "{case}: nothing is tried again");
        assert_eq!(keyvend.stands().await, "PENDING", "{case}");
        keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
        assert_eq!(keyvend.stands().await, "APPROVED", "{case}");
        nothing_failed(&keyvend, &case);
    }
}

#[tokio::test]
async fn optional_field_that_is_null_harms_nobody() {
    for change in [
        json!({"profile": null}),
        json!({"profile": {"email": null}}),
        json!({"tz_offset": null}),
        json!({"is_stranger": null}),
        json!({"is_email_confirmed": null}),
        json!({"enterprise_user": null}),
        json!({"enterprise_user": {"teams": null}}),
    ] {
        let keyvend = Deployed::new().await;
        let answer = bob_with(&keyvend, &change);
        answers_about(&keyvend, BOB_APPROVER, answer);
        let card = keyvend.asked().await;
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        assert_eq!(keyvend.stands().await, "APPROVED", "{change}");
    }
}

#[tokio::test]
async fn dead_ids_in_owner_tags_are_skipped() {
    // The group is gone and so is the person; alice still owns the IAM user.
    let keyvend = Deployed::new().await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    let tag = aws_sdk_iam::types::Tag::builder();
    let tag = tag.key("keyvend:owners").value("U0NOBODY S0GONE nobody U0ALICE").build().unwrap();
    iam.tag_user().user_name("ci-deployer").tags(tag).send().await.unwrap();
    keyvend.approved().await;
    assert_eq!(keyvend.stands().await, "APPROVED");
    nothing_failed(&keyvend, "owner tags");
    keyvend.types(ALICE_OWNER, "list ci-deployer").await;
    assert!(keyvend.told(ALICE_OWNER).contains("ci-deployer"), "{}", keyvend.told(ALICE_OWNER));
}
