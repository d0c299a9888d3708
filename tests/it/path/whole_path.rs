//! The path as it should go.

use keyvend::domain::audit::AuditEntry;
use serde_json::json;

use testkit::aws::{self, REQUESTS, TICKETS};
use testkit::deployed::{Deployed, Tab};
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};
use testkit::steps::{stable, text};

#[tokio::test]
async fn approved_request_reveals_key_in_one_tab() {
    let keyvend = Deployed::new().await;
    let said = keyvend.types(ALICE_OWNER, "create ci-deployer use:local-code ttl:30d laptop tooling").await;
    insta::assert_snapshot!(said, @"Checking... the answer will appear here in a moment.");
    insta::assert_snapshot!(stable(&keyvend.told(ALICE_OWNER)), @r"
    Request sent: a key for `ci-deployer` in `home`. It needs 1 approval by <time>. Approvers: <@U0BOB>, <@U0CAROL>, <@U0DAVE>. You will be notified when it is decided.
    Edit
    Cancel
    Cancel this request?
    The approvers will see that you cancelled it.
    Cancel the request
    Go back
    AWS recommends <https://docs.aws.amazon.com/sdkref/latest/guide/access-sso.html|IAM Identity Center> for code on your machine: the SDKs and IDEs sign in with it.
    Request `<request>`
    ");
    let card = keyvend.card();
    insta::assert_snapshot!(stable(&card.reading()), @r"
    Access key for ci-deployer
    <!channel> *<@U0ALICE>* requests a key for `ci-deployer` in `home`:
    > laptop tooling
    *Use case*
    local development
    *Lifetime*
    30 days
    *Permissions*
    not privileged
    *Approvals*
    0 of 1, by <time>
    Existing keys: none
    Policies: `upload-artifacts`
    Request `<request>`
    Approvers: <@U0BOB>, <@U0CAROL>, <@U0DAVE>
    Approve
    Approve with comment
    Deny
    Ask
    Details
    ");
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    insta::assert_snapshot!(keyvend.told(BOB_APPROVER), @"Your approval is recorded.");
    let ready = keyvend.world.net.slack().last_told(ALICE_OWNER);
    insta::assert_snapshot!(stable(&ready.reading()), @r"
    Approved by <@U0BOB>: your key for `ci-deployer` in `home` is ready to create. Press *Get my key* on the computer where you will use it, by <time>. The key is created only when you confirm on the page of its link.
    Get my key
    Cancel
    Cancel this request?
    You would have to submit a new request.
    Cancel the request
    Go back
    AWS recommends <https://docs.aws.amazon.com/sdkref/latest/guide/access-sso.html|IAM Identity Center> for code on your machine: the SDKs and IDEs sign in with it.
    Request `<request>`
    ");
    keyvend.nothing_was_created().await;

    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    insta::assert_snapshot!(stable(&keyvend.told(ALICE_OWNER)), @r"
    Your one-time link for `ci-deployer` in `home` works once, in one browser tab, until <time>. Do not share it: the first person to use it gets the key.
    Open the one-time link
    ");
    keyvend.nothing_was_created().await;
    let link = keyvend.world.net.slack().last_told(ALICE_OWNER);
    let tab = Tab::open(&link.button("Open the one-time link").url.unwrap());
    assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await, (202, json!({})));
    keyvend.deliver().await;
    let (status, body) = keyvend.posts("/reveal/claim", &tab.claim(None)).await;
    assert_eq!(status, 200, "{body}");
    let key = tab.unseal(&body);
    insta::assert_snapshot!(stable(&keyvend.told(ALICE_OWNER)), @r"
    The key `AKIAWORLD00000000002` for `ci-deployer` in `home` was created and delivered to the browser tab that used your link (Chrome on Linux). It may take about 10 seconds to start working. It expires <time>; you will be reminded before. If that wasn't you, press *This wasn't me* to deactivate it within seconds.
    This wasn't me
    Report this key?
    The key AKIAWORLD00000000002 of ci-deployer stops working immediately, everywhere, and the approvers are notified. Only an approver who is not its requester can reactivate it.
    Deactivate
    Go back
    ");
    assert_eq!(keyvend.posts("/reveal/ack", &tab.ack(&key)).await, (200, json!({})));
    keyvend.deliver().await;

    let keys = aws::keys(&keyvend.world.net, HOME, "ci-deployer");
    assert_eq!(keys.len(), 1);
    assert_eq!((&keys[0].id, &keys[0].secret), (&key.id, &key.secret));
    assert_eq!(key.aad, format!("{HOME}\nci-deployer\n{}", key.id));
    assert_eq!(keyvend.creates(), 1);
    insta::assert_snapshot!(stable(&keyvend.card().reading()), @r"
    Issued: access key for ci-deployer
    The key `AKIAWORLD00000000002` for `ci-deployer` in `home` was created <time>. It is active, and expires <time>.
    > laptop tooling
    Requested by <@U0ALICE>: local development, 30 days. Approved by <@U0BOB>. Request `<request>`
    Details
    Report and deactivate
    Report this key?
    The key AKIAWORLD00000000002 of ci-deployer stops working immediately, everywhere, and the approvers are notified. Only an approver who is not its requester can reactivate it.
    Deactivate
    Go back
    ");
    keyvend.links_are_shown_to_nobody_else();
}

// T5.1
#[tokio::test]
async fn every_step_leaves_its_audit_entry() {
    let keyvend = Deployed::new().await;
    let (tab, key) = keyvend.confirmed().await;
    let trail = keyvend.trail().await;
    let lines: Vec<String> = trail.iter().map(|entry| line(entry, &tab, &key.id)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    request.created by T0001.U0ALICE: account=123456789012, days=30, needed=1, reason=laptop tooling, use_case=local-code, user=ci-deployer
    review.approved by T0001.U0BOB: enough=true
    link.issued by T0001.U0ALICE: tid=<tid>
    link.claimed by reveal: attempt=1, tid=<tid>
    issue.started by T0001.U0ALICE: browser=Chrome on Linux, tid=<tid>
    issue.key_created by keyvend: key=<key>
    issue.completed by keyvend: key=<key>
    link.confirmed by reveal: attempt=1, tid=<tid>
    ");
}

/// An entry on one line, what is random in it by name.
fn line(entry: &AuditEntry, tab: &Tab, key: &str) -> String {
    let said = entry.detail.iter().filter(|(name, _)| !["run", "revision"].contains(&name.as_str()));
    let said: Vec<String> = said.map(|(name, value)| format!("{name}={value}")).collect();
    let line = format!("{} by {}: {}", entry.event, entry.actor, said.join(", "));
    line.replace(&tab.tid(), "<tid>").replace(key, "<key>").trim_end_matches(": ").to_owned()
}

#[tokio::test]
async fn completed_request_leaves_no_secret_or_lease() {
    let keyvend = Deployed::new().await;
    let (tab, key) = keyvend.confirmed().await;
    let ticket = keyvend.ticket(&tab).await;
    assert_eq!(ticket["state"]["S"], "CONFIRMED");
    for gone in ["enc", "ct"] {
        assert!(ticket[gone].is_null(), "{gone}");
    }
    assert_eq!(ticket["outbox"]["L"], json!([]));
    assert!(!keyvend.has_psk(&tab).await);
    let item = keyvend.item(&format!("key#{}", key.id)).await;
    assert_eq!(item["state"]["S"], "CONFIRMED");
    assert!(keyvend.lease().await.is_null());
    assert_eq!(keyvend.counted().await, "1");
    assert_eq!(keyvend.stands().await, "ISSUED");
    for secret in [&key.secret, &key.receipt] {
        assert_eq!(keyvend.world.places_holding(secret).await, Vec::<String>::new());
    }
    let all = aws::items(&keyvend.world.net, TICKETS).await;
    assert_eq!(all.len(), 1, "{all:?}");
    let mut kinds: Vec<String> = aws::items(&keyvend.world.net, REQUESTS)
        .await
        .keys()
        .map(|pk| pk.split('#').next().unwrap().to_owned())
        .filter(|kind| kind != "notification")
        .collect();
    kinds.dedup();
    let expected =
        ["issued", "key", "lease", "mentions", "open", "owned", "posted", "rate", "request", "ticket"];
    assert_eq!(kinds, expected);
}

// T2.22
#[tokio::test]
async fn each_iam_step_has_its_own_session() {
    // The session carries the name of the requester.
    let keyvend = Deployed::new().await;
    keyvend.confirmed().await;
    let request = text(&keyvend.request().await["id"]);
    let user = vec![format!("arn:aws:iam::{HOME}:user/ci-deployer")];
    let sessions = aws::sessions(&keyvend.world.net);
    let acting: Vec<_> = sessions.iter().filter(|session| session.name != "keyvend-read").collect();
    let did: Vec<_> = acting.iter().map(|session| session.allowed()).collect();
    assert_eq!(
        did,
        [
            vec![(vec!["iam:CreateAccessKey".to_owned()], user.clone())],
            vec![(vec!["iam:TagUser".to_owned()], user)],
        ]
    );
    for session in &acting {
        assert_eq!(session.name, request);
        assert_eq!(session.source_identity.as_deref(), Some("T0001.U0ALICE"));
        assert_eq!(session.duration_seconds, 900);
        assert_eq!(session.account, HOME);
    }
    let reading: Vec<_> = sessions.iter().filter(|session| session.name == "keyvend-read").collect();
    assert_eq!(reading.len(), 1, "one read-only session is kept for all look-ups");
    for (actions, _) in reading[0].allowed() {
        assert!(actions.iter().all(|a| a.starts_with("iam:Get") || a.starts_with("iam:List")), "{actions:?}");
    }
}

// T4.6
#[tokio::test]
async fn key_is_announced_only_after_sealing() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    keyvend.world.net.forget();
    keyvend.deliver().await;
    let calls = keyvend.world.net.calls();
    let sealed = calls
        .iter()
        .find(|call| {
            call.operation == "TransactWriteItems" && call.parameters.to_string().contains(":receipt")
        })
        .unwrap();
    let created = calls.iter().find(|call| call.operation == "CreateAccessKey").unwrap();
    let intended = calls.iter().find(|call| call.operation == "TransactWriteItems").unwrap();
    let told: Vec<_> = calls
        .iter()
        .filter(|call| ["chat.postMessage", "chat.update"].contains(&call.operation.as_str()))
        .collect();
    assert!(intended.finished.unwrap() < created.started && created.finished.unwrap() < sealed.started);
    assert!(!told.is_empty());
    assert!(told.iter().all(|call| sealed.finished.unwrap() < call.started));
}

#[tokio::test]
async fn requester_is_notified_of_every_step() {
    let keyvend = Deployed::new().await;
    keyvend.confirmed().await;
    let told: Vec<String> = keyvend
        .world
        .net
        .slack()
        .told(ALICE_OWNER)
        .iter()
        .map(|message| {
            let buttons: Vec<String> = message.buttons().into_iter().map(|button| button.text).collect();
            let alone = if message.ephemeral_to.is_some() { "ephemeral" } else { "direct" };
            format!("{alone}: {}", buttons.join(", "))
        })
        .collect();
    assert_eq!(
        told,
        [
            "ephemeral: Edit, Cancel",
            // Ended, once the key was made.
            "direct: ",
            "ephemeral: Open the one-time link",
            "direct: This wasn't me"
        ]
    );
}

#[tokio::test]
async fn key_description_names_requester_and_reason() {
    let keyvend = Deployed::new().await;
    let (_, key) = keyvend.confirmed().await;
    let tags = keyvend.world.net.iam().tags(HOME, "ci-deployer").await;
    insta::assert_snapshot!(stable(&tags[&key.id]), @"keyvend <request> for U0ALICE: laptop tooling");
    assert_eq!(tags["keyvend:owners"], ALICE_OWNER, "who owns the user is as it was");

    // Of what people write, the tag has what IAM takes, and as much as it takes.
    let keyvend = Deployed::new().await;
    let reason = format!("a\u{301}\u{e4}: 1/2 =+-@_. (\u{1f511}) & <b> {}", "x".repeat(250));
    let reason: String = reason.chars().take(200).collect();
    keyvend.types(ALICE_OWNER, &format!("create ci-deployer use:local-code ttl:30d {reason}")).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    keyvend.reveals(&tab).await;
    let described = text(&keyvend.world.net.calls_to("iam", "TagUser")[0].parameters["Tags.member.1.Value"]);
    let takes = |c: char| c.is_alphabetic() || c.is_numeric() || " _.:/=+-@".contains(c);
    assert!(described.chars().all(takes) && described.chars().count() <= 256, "{described}");
    assert!(described.contains("\u{e4}: 1/2 =+-@_. "), "{described}");
}
