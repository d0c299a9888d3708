//! IAM and STS: facts about users, keys, sessions and what they may do.

use std::time::Duration;

use aws_sdk_iam::Client;
use aws_sdk_iam::config::Credentials;
use aws_sdk_iam::error::ProvideErrorMetadata as _;
use aws_sdk_iam::types::{PolicyScopeType, StatusType, Tag};
use serde_json::json;

use testkit::World;
use testkit::aws::{self, SANDBOX};
use testkit::clock::START;
use testkit::iam_rights::Function;
use testkit::net::HOME;

/// IAM through a session of the issuer role, as the worker assumes it.
async fn session(world: &World, account: &str, policy: Option<serde_json::Value>) -> Client {
    let config = world.net.config(Function::Worker);
    let assumed = aws_sdk_sts::Client::new(&config)
        .assume_role()
        .role_arn(format!("arn:aws:iam::{account}:role/keyvend-issuer"))
        .role_session_name("0123456789ABCDEF")
        .source_identity("T0001.U0ALICE")
        .duration_seconds(900)
        .set_policy(policy.map(|policy| policy.to_string()))
        .send()
        .await
        .unwrap();
    let given = assumed.credentials.unwrap();
    assert_eq!(assumed.source_identity.as_deref(), Some("T0001.U0ALICE"));
    let credentials = Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        Some(given.expiration.try_into().unwrap()),
        "issuer",
    );
    Client::from_conf(aws_sdk_iam::config::Builder::from(&config).credentials_provider(credentials).build())
}

fn one_user(account: &str, user: &str, actions: &[&str]) -> serde_json::Value {
    let arn = format!("arn:aws:iam::{account}:user/{user}");
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": arn}]})
}

#[tokio::test]
async fn facts_about_a_user_are_complete() {
    let world = World::new().await;
    let admin = aws::iam(&world.net, HOME);
    admin.create_group().group_name("robots").send().await.unwrap();
    admin.add_user_to_group().group_name("robots").user_name("ci-deployer").send().await.unwrap();
    let read_only = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    admin.attach_group_policy().group_name("robots").policy_arn(read_only).send().await.unwrap();
    let inline = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a&b/*"}]}"#;
    admin
        .put_group_policy()
        .group_name("robots")
        .policy_name("more")
        .policy_document(inline)
        .send()
        .await
        .unwrap();
    admin
        .put_user_policy()
        .user_name("ci-deployer")
        .policy_name("own")
        .policy_document(inline)
        .send()
        .await
        .unwrap();
    let boundary =
        admin.put_user_permissions_boundary().user_name("ci-deployer").permissions_boundary(read_only);
    boundary.send().await.unwrap();

    let iam = session(&world, HOME, None).await;
    let user = iam.get_user().user_name("ci-deployer").send().await.unwrap().user.unwrap();
    assert_eq!(user.arn(), "arn:aws:iam::123456789012:user/ci-deployer");
    assert_eq!(user.tags(), [Tag::builder().key("keyvend:owners").value("U0ALICE").build().unwrap()]);
    assert_eq!(user.permissions_boundary().unwrap().permissions_boundary_arn(), Some(read_only));
    let groups = iam.list_groups_for_user().user_name("ci-deployer").send().await.unwrap();
    assert_eq!(groups.groups()[0].group_name(), "robots");
    let attached = iam.list_attached_user_policies().user_name("ci-deployer").send().await.unwrap();
    assert_eq!(attached.attached_policies()[0].policy_name(), Some("upload-artifacts"));
    let of_group = iam.list_attached_group_policies().group_name("robots").send().await.unwrap();
    assert_eq!(of_group.attached_policies()[0].policy_arn(), Some(read_only));
    assert_eq!(
        iam.list_user_policies().user_name("ci-deployer").send().await.unwrap().policy_names(),
        ["own"]
    );
    assert_eq!(iam.list_group_policies().group_name("robots").send().await.unwrap().policy_names(), ["more"]);
    // IAM percent-encodes documents.
    let own = iam.get_user_policy().user_name("ci-deployer").policy_name("own").send().await.unwrap();
    assert!(
        own.policy_document().starts_with("%7B%22Version%22%3A%222012-10-17%22"),
        "{}",
        own.policy_document()
    );
    assert!(own.policy_document().contains("a%26b"), "{}", own.policy_document());
    let managed = iam.get_policy().policy_arn(read_only).send().await.unwrap().policy.unwrap();
    let version =
        iam.get_policy_version().policy_arn(read_only).version_id(managed.default_version_id().unwrap());
    let document = version.send().await.unwrap().policy_version.unwrap().document.unwrap();
    assert!(document.contains("%22s3%3AGet%2A%22"), "{document}");
    let details = iam.get_account_authorization_details().send().await.unwrap();
    let ci = details.user_detail_list().iter().find(|user| user.user_name() == Some("ci-deployer")).unwrap();
    assert_eq!((ci.tags().len(), ci.group_list()), (1, ["robots".to_owned()].as_slice()));
}

#[tokio::test]
async fn what_is_not_there_is_no_such_entity() {
    let world = World::new().await;
    let iam = session(&world, HOME, None).await;
    let user = iam.get_user().user_name("nobody").send().await.unwrap_err().into_service_error();
    assert!(user.is_no_such_entity_exception(), "{user:?}");
    let keys = iam.list_access_keys().user_name("nobody").send().await.unwrap_err().into_service_error();
    assert!(keys.is_no_such_entity_exception(), "{keys:?}");
    let groups =
        iam.list_groups_for_user().user_name("nobody").send().await.unwrap_err().into_service_error();
    assert!(groups.is_no_such_entity_exception(), "{groups:?}");
    let of_group =
        iam.list_group_policies().group_name("none").send().await.unwrap_err().into_service_error();
    assert!(of_group.is_no_such_entity_exception(), "{of_group:?}");
    let delete = iam.delete_access_key().user_name("full").access_key_id("AKIANOSUCHKEY0000000").send().await;
    assert!(delete.unwrap_err().into_service_error().is_no_such_entity_exception());
    let update = iam.update_access_key().user_name("full").access_key_id("AKIANOSUCHKEY0000000");
    let update = update.status(StatusType::Inactive).send().await.unwrap_err().into_service_error();
    assert!(update.is_no_such_entity_exception());
    // Not here: AWS does not say whether the key exists.
    let used = iam.get_access_key_last_used().access_key_id("AKIANOSUCHKEY0000000").send().await.unwrap_err();
    assert_eq!(used.code(), Some("AccessDenied"));
}

#[tokio::test]
async fn a_key_lives_as_in_iam() {
    let world = World::new().await;
    let iam = session(&world, HOME, None).await;
    let create = || iam.create_access_key().user_name("ci-deployer").send();
    let first = create().await.unwrap().access_key.unwrap();
    assert_eq!((first.access_key_id().len(), first.secret_access_key().len()), (20, 40));
    assert_eq!(
        first.create_date().unwrap().secs(),
        world.clock.now().0,
        "IAM's dates are on the world's clock"
    );
    world.clock.advance(Duration::from_secs(60));
    let second = create().await.unwrap().access_key.unwrap();
    assert_ne!(first.secret_access_key(), second.secret_access_key());
    let third = create().await.unwrap_err().into_service_error();
    assert!(third.is_limit_exceeded_exception(), "{third:?}");
    let off = iam.update_access_key().user_name("ci-deployer").access_key_id(first.access_key_id());
    off.status(StatusType::Inactive).send().await.unwrap();
    let list = iam.list_access_keys().user_name("ci-deployer").send().await.unwrap();
    let seen: Vec<_> = list
        .access_key_metadata()
        .iter()
        .map(|key| {
            (key.access_key_id().unwrap(), key.status().unwrap().as_str(), key.create_date().unwrap().secs())
        })
        .collect();
    let start = world.clock.now().0 - 60;
    let expected =
        [(first.access_key_id(), "Inactive", start), (second.access_key_id(), "Active", start + 60)];
    assert_eq!(seen, expected);
    let tag = Tag::builder().key(second.access_key_id()).value("keyvend").build().unwrap();
    iam.tag_user().user_name("ci-deployer").tags(tag).send().await.unwrap();
    assert_eq!(world.net.iam().tags(HOME, "ci-deployer").await.len(), 2);
    iam.delete_access_key()
        .user_name("ci-deployer")
        .access_key_id(first.access_key_id())
        .send()
        .await
        .unwrap();
    assert_eq!(aws::keys(&world.net, HOME, "ci-deployer").len(), 1);
    create().await.unwrap();
}

#[tokio::test]
async fn last_use_is_reported() {
    let world = World::new().await;
    let iam = session(&world, HOME, None).await;
    let key = &aws::keys(&world.net, HOME, "full")[0].id;
    let used = || iam.get_access_key_last_used().access_key_id(key).send();
    let never = used().await.unwrap();
    let detail = never.access_key_last_used().unwrap();
    assert_eq!(
        (detail.last_used_date(), detail.service_name(), never.user_name()),
        (None, "N/A", Some("full"))
    );
    world.clock.advance(Duration::from_secs(120));
    world.net.iam().use_key(key, "s3", "eu-west-1");
    let once = used().await.unwrap();
    let detail = once.access_key_last_used().unwrap();
    assert_eq!(detail.last_used_date().unwrap().secs(), world.clock.now().0);
    assert_eq!((detail.service_name(), detail.region()), ("s3", "eu-west-1"));
}

#[tokio::test]
async fn a_new_key_can_be_missing_from_lists() {
    let world = World::new().await;
    let iam = session(&world, HOME, None).await;
    world.net.iam().hide_new_keys(2);
    iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    let mut counts = Vec::new();
    for _ in 0..3 {
        counts.push(
            iam.list_access_keys().user_name("ci-deployer").send().await.unwrap().access_key_metadata().len(),
        );
    }
    assert_eq!(counts, [0, 0, 1]);
    assert_eq!(aws::keys(&world.net, HOME, "ci-deployer").len(), 1, "it is there all the same");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    let iam = session(&world, HOME, None).await;
    world.net.iam().page(1);
    let first = iam.list_access_keys().user_name("full").send().await.unwrap();
    assert_eq!((first.is_truncated, first.access_key_metadata().len()), (true, 1));
    let mut users = iam.list_users().into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(user) = users.next().await {
        names.push(user.unwrap().user_name);
    }
    assert_eq!(names, ["admin-bot", "ci-deployer", "full", "group-owned", "quarantined-bot", "untagged"]);
    let mut attached =
        iam.list_attached_user_policies().user_name("quarantined-bot").into_paginator().items().send();
    let mut policies = 0;
    while let Some(policy) = attached.next().await {
        policy.unwrap();
        policies += 1;
    }
    assert_eq!(policies, 2);
}

#[tokio::test]
async fn a_session_reaches_its_own_account_only() {
    let world = World::new().await;
    let iam = session(&world, SANDBOX, None).await;
    let user = iam.get_user().user_name("ci-deployer").send().await.unwrap().user.unwrap();
    assert_eq!(user.arn(), "arn:aws:iam::210987654321:user/ci-deployer");
    iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    let count = |account| aws::keys(&world.net, account, "ci-deployer").len();
    assert_eq!((count(HOME), count(SANDBOX)), (0, 1));
    let none = iam.get_user().user_name("admin-bot").send().await.unwrap_err().into_service_error();
    assert!(none.is_no_such_entity_exception());
}

#[tokio::test]
async fn a_session_policy_narrows() {
    let world = World::new().await;
    let policy = one_user(HOME, "ci-deployer", &["iam:CreateAccessKey", "iam:List*"]);
    let iam = session(&world, HOME, Some(policy.clone())).await;
    iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    iam.list_access_keys().user_name("ci-deployer").send().await.unwrap();
    let other_user = iam.create_access_key().user_name("full").send().await.unwrap_err();
    assert_eq!(other_user.code(), Some("AccessDenied"));
    let other_action = iam.get_user().user_name("ci-deployer").send().await.unwrap_err();
    assert_eq!(other_action.code(), Some("AccessDenied"));
    let kept = &aws::sessions(&world.net)[0];
    assert_eq!(
        (kept.name.as_str(), kept.source_identity.as_deref()),
        ("0123456789ABCDEF", Some("T0001.U0ALICE"))
    );
    assert_eq!((kept.duration_seconds, kept.policy.as_ref()), (900, Some(&policy)));
    world.clock.advance(Duration::from_secs(900));
    let late = iam.list_access_keys().user_name("ci-deployer").send().await.unwrap_err();
    assert_eq!(late.code(), Some("ExpiredToken"));
}

#[tokio::test]
async fn session_policy_can_limit_tags() {
    let world = World::new().await;
    let mut policy = one_user(HOME, "ci-deployer", &["iam:TagUser"]);
    policy["Statement"][0]["Condition"] = json!({"ForAllValues:StringLike": {"aws:TagKeys": "AKIA*"}});
    let iam = session(&world, HOME, Some(policy)).await;
    let tag = |key: &str| {
        let tag = Tag::builder().key(key).value("x").build().unwrap();
        iam.tag_user().user_name("ci-deployer").tags(tag)
    };
    tag("AKIAWORLD00000000000").send().await.unwrap();
    let both = tag("AKIAWORLD00000000000").tags(Tag::builder().key("cost").value("x").build().unwrap());
    assert_eq!(both.send().await.unwrap_err().code(), Some("AccessDenied"));
}

#[tokio::test]
async fn policies_are_listed_by_scope() {
    let world = World::beginning(START).await;
    let iam = session(&world, HOME, None).await;
    let names = async |scope, attached| {
        let list = iam.list_policies().scope(scope).only_attached(attached).send().await.unwrap();
        list.policies.unwrap().into_iter().map(|policy| policy.policy_name.unwrap()).collect::<Vec<_>>()
    };
    let attached = ["AWSCompromisedKeyQuarantineV3", "AdministratorAccess", "upload-artifacts"];
    assert_eq!(names(PolicyScopeType::All, true).await, attached);
    assert_eq!(names(PolicyScopeType::All, false).await.len(), 7);
    assert_eq!(names(PolicyScopeType::Local, false).await, ["upload-artifacts"]);
    let new = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let arn = "arn:aws:iam::123456789012:policy/upload-artifacts";
    let version = aws::iam(&world.net, HOME).create_policy_version().policy_arn(arn).policy_document(new);
    version.set_as_default(true).send().await.unwrap();
    let local = iam.list_policies().scope(PolicyScopeType::Local).send().await.unwrap();
    assert_eq!(
        (local.policies()[0].arn(), local.policies()[0].default_version_id()),
        (Some(arn), Some("v2"))
    );
    let read = iam.get_policy_version().policy_arn(arn).version_id("v2").send().await.unwrap();
    assert!(read.policy_version.unwrap().document.unwrap().contains("%22Action%22%3A%22%2A%22"));
}

// T2.22
#[tokio::test]
async fn the_issuer_role_has_its_limits() {
    let world = World::new().await;
    let iam = session(&world, HOME, None).await;
    let untagged = iam.create_access_key().user_name("untagged").send().await.unwrap_err();
    assert_eq!(untagged.code(), Some("AccessDenied"));
    let tag = Tag::builder().key("keyvend:owners").value("U0MALLORY").build().unwrap();
    let owners = iam.tag_user().user_name("ci-deployer").tags(tag).send().await.unwrap_err();
    assert_eq!(owners.code(), Some("AccessDenied"));
    let key = "AKIAIOSFODNN7EXAMPLE";
    let describe = |user: &str| {
        iam.tag_user().user_name(user).tags(Tag::builder().key(key).value("a key").build().unwrap()).send()
    };
    let untag = |user: &str, tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        iam.untag_user().user_name(user).set_tag_keys(Some(tags)).send()
    };
    describe("ci-deployer").await.unwrap();
    for (user, tags) in [
        ("ci-deployer", ["keyvend:owners"].as_slice()),
        ("ci-deployer", &[key, "keyvend:owners"]),
        ("ci-deployer", &[]),
        ("untagged", &[key]),
    ] {
        let refused = untag(user, tags).await.unwrap_err();
        assert_eq!(refused.code(), Some("AccessDenied"), "{tags:?} of {user}");
    }
    assert!(world.net.iam().tags(HOME, "ci-deployer").await.contains_key(key));
    untag("ci-deployer", &[key]).await.unwrap();
    let left: Vec<String> = world.net.iam().tags(HOME, "ci-deployer").await.into_keys().collect();
    assert_eq!(left, ["keyvend:owners"]);
    let delete = iam.delete_user().user_name("ci-deployer").send().await.unwrap_err();
    assert_eq!(delete.code(), Some("AccessDenied"));
    let direct = Client::new(&world.net.config(Function::Worker));
    let direct = direct.list_access_keys().user_name("ci-deployer").send().await.unwrap_err();
    assert_eq!(direct.code(), Some("AccessDenied"), "the worker's own role has no right over IAM");
}

#[tokio::test]
async fn sts_refuses_what_it_documents_to_refuse() {
    let world = World::new().await;
    let sts = aws_sdk_sts::Client::new(&world.net.config(Function::Worker));
    let role = |name: &str| format!("arn:aws:iam::{HOME}:role/{name}");
    let assume = || sts.assume_role().role_arn(role("keyvend-issuer")).role_session_name("run");
    let cases = [
        ("no such role", assume().role_arn(role("other")), "AccessDenied"),
        (
            "another account's",
            assume().role_arn("arn:aws:iam::000000000000:role/keyvend-issuer"),
            "AccessDenied",
        ),
        ("a name of one character", assume().role_session_name("x"), "ValidationError"),
        ("a name with a slash", assume().role_session_name("a/b"), "ValidationError"),
        ("a source with a space", assume().source_identity("a b"), "ValidationError"),
        ("five minutes", assume().duration_seconds(300), "ValidationError"),
        ("no JSON", assume().policy("{"), "MalformedPolicyDocument"),
        (
            "a condition nobody checks",
            assume().policy(
                r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{"Bool":{"a":"true"}}}]}"#,
            ),
            "MalformedPolicyDocument",
        ),
        ("no statement", assume().policy(r#"{"Version":"2012-10-17"}"#), "MalformedPolicyDocument"),
    ];
    for (what, call, code) in cases {
        assert_eq!(call.send().await.expect_err(what).code(), Some(code), "{what}");
    }
    assert_eq!(aws::sessions(&world.net).len(), 0);
    for function in [Function::Slack, Function::Reveal] {
        let sts = aws_sdk_sts::Client::new(&world.net.config(function));
        let call = sts.assume_role().role_arn(role("keyvend-issuer")).role_session_name("run");
        assert_eq!(call.send().await.unwrap_err().code(), Some("AccessDenied"), "{function:?}");
    }
}
