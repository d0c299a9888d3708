//! Facts that changed between the approval and the key: judged again when a tab asks for it.

use std::time::Duration;

use testkit::aws;
use testkit::deployed::{Deployed, Tab};
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, DAVE_APPROVER, Message, direct};
use testkit::steps::policies;

/// The tab asks for its key, and none comes of it for certain.
async fn gets_none(keyvend: &Deployed, tab: &Tab, stands: &str, why: &str) {
    keyvend.claims(tab).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, stands);
    assert_eq!(keyvend.ticket_stands(tab).await, "FAILED");
    assert_eq!(keyvend.turned_away(tab).await, (410, "failed".to_owned()));
    assert!(!keyvend.has_psk(tab).await);
    let events = keyvend.events().await;
    assert_eq!(events.last().unwrap(), "issue.aborted", "{events:?}");
    assert_eq!(keyvend.last_detail("why").await, why);
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.key_ids().len(), 0);
}

fn alice_was_told(keyvend: &Deployed, parts: &[&str]) -> Message {
    let told = keyvend.direct(ALICE_OWNER);
    for part in parts {
        assert!(told.reading().contains(part), "{part}: {}", told.reading());
    }
    told
}

async fn attach(keyvend: &Deployed, policy: &str) {
    let arn = format!("arn:aws:iam::aws:policy/{policy}");
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.attach_user_policy().user_name("ci-deployer").policy_arn(arn).send().await.unwrap();
}

// T2.2
#[tokio::test]
async fn user_quarantined_since_approval_gets_no_key() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    attach(&keyvend, "AWSCompromisedKeyQuarantineV3").await;
    gets_none(&keyvend, &tab, "POLICY_DENIED", "policy").await;
    assert!(alice_was_told(&keyvend, &["quarantined", "delete that key"]).buttons().is_empty());
    assert!(keyvend.card().reading().contains("quarantined"));
    keyvend.nothing_was_created().await;
}

// T2.2
#[tokio::test]
async fn removed_owner_tag_ends_request() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.untag_user().user_name("ci-deployer").tag_keys("keyvend:owners").send().await.unwrap();
    gets_none(&keyvend, &tab, "POLICY_DENIED", "policy").await;
    alice_was_told(&keyvend, &["not an owner of this IAM user"]);
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn deleted_iam_user_ends_request() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    aws::delete_user(&keyvend.world.net, HOME, "ci-deployer").await;
    gets_none(&keyvend, &tab, "POLICY_DENIED", "user-gone").await;
    alice_was_told(&keyvend, &["no longer exists", "No key was created"]);
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn a_requester_who_was_deactivated_gets_no_key() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.world.net.slack().person(ALICE_OWNER, |alice| alice.deleted = true);
    gets_none(&keyvend, &tab, "POLICY_DENIED", "policy").await;
    assert!(keyvend.card().reading().contains("deactivated"), "{}", keyvend.card().reading());
    keyvend.nothing_was_created().await;
}

// T2.2
#[tokio::test]
async fn departed_approver_reopens_review() {
    // The approval of a departed approver no longer counts, and the card asks for another.
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.world.net.slack().person(BOB_APPROVER, |bob| bob.deleted = true);
    gets_none(&keyvend, &tab, "PENDING", "approvals-lacking").await;
    alice_was_told(&keyvend, &["no longer counts", "It needs 1 approval"]);
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
    assert!(keyvend.card().reading().contains("0 of 1"), "{}", keyvend.card().reading());
    keyvend.nothing_was_created().await;

    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&alice_was_told(&keyvend, &["Approved by <@U0CAROL>"])).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.key_ids().len(), 1);
}

#[tokio::test]
async fn former_approver_keeps_other_approvals_valid() {
    let keyvend = Deployed::new().await;
    keyvend.types(ALICE_OWNER, "create admin-bot use:cli ttl:7d migrating").await;
    for approver in [BOB_APPROVER, CAROL_APPROVER] {
        keyvend.presses(approver, &keyvend.card(), "Approve").await;
    }
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.world.net.slack().channel(APPROVALS, |channel| _ = channel.members.remove(BOB_APPROVER));
    gets_none(&keyvend, &tab, "PENDING", "approvals-lacking").await;
    assert_eq!(keyvend.approvals().await, ["T0001.U0CAROL"]);
    let reading = keyvend.card().reading();
    assert!(reading.contains("1 of 2") && reading.contains("<@U0CAROL>"), "{reading}");
    keyvend.nothing_was_created().await;

    keyvend.presses(DAVE_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.stands().await, "ISSUED");
}

#[tokio::test]
async fn newly_privileged_user_is_reviewed_again() {
    // The approvals given before the user became privileged are revoked, and the card shows it.
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    attach(&keyvend, "AdministratorAccess").await;
    gets_none(&keyvend, &tab, "PENDING", "facts-changed").await;
    // Bob approved a card that showed an ordinary user.
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
    let reading = keyvend.card().reading();
    assert!(reading.contains("0 of 2") && reading.contains("`AdministratorAccess`"), "{reading}");
    alice_was_told(&keyvend, &["it needs 2 approvals"]);
    keyvend.nothing_was_created().await;
    for approver in [BOB_APPROVER, CAROL_APPROVER] {
        keyvend.presses(approver, &keyvend.card(), "Approve").await;
    }
    assert_eq!(keyvend.stands().await, "APPROVED");
}

/// Where a document is that counts, or that approvers count on.
#[derive(Clone, Copy, Debug)]
pub enum Document {
    Managed,
    Inline,
    InlineOfGroup,
    Boundary,
}

const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::builds/*"}]}"#;
const WRITE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::builds/*"}]}"#;

impl Document {
    pub const ALL: [Self; 4] = [Self::Managed, Self::Inline, Self::InlineOfGroup, Self::Boundary];

    /// `ci-deployer` has a policy that allows to read.
    pub async fn put(self, keyvend: &Deployed) {
        let iam = aws::iam(&keyvend.world.net, HOME);
        match self {
            Self::Managed | Self::Boundary => {
                let policy = iam.create_policy().policy_name("builds").policy_document(READ);
                let arn = policy.send().await.unwrap().policy.unwrap().arn.unwrap();
                if matches!(self, Self::Managed) {
                    iam.attach_user_policy().user_name("ci-deployer").policy_arn(arn).send().await.unwrap();
                } else {
                    let put = iam.put_user_permissions_boundary().user_name("ci-deployer");
                    put.permissions_boundary(arn).send().await.unwrap();
                }
            }
            Self::Inline => self.write(keyvend, READ).await,
            Self::InlineOfGroup => {
                iam.create_group().group_name("builders").send().await.unwrap();
                let add = iam.add_user_to_group().group_name("builders").user_name("ci-deployer");
                add.send().await.unwrap();
                self.write(keyvend, READ).await;
            }
        }
    }

    /// The policy of that name allows to write instead: as ordinary as before.
    pub async fn change(self, keyvend: &Deployed) {
        self.write(keyvend, WRITE).await;
    }

    async fn write(self, keyvend: &Deployed, document: &str) {
        let iam = aws::iam(&keyvend.world.net, HOME);
        match self {
            Self::Managed | Self::Boundary => {
                let version =
                    iam.create_policy_version().policy_arn(format!("arn:aws:iam::{HOME}:policy/builds"));
                version.policy_document(document).set_as_default(true).send().await.map(drop).unwrap();
            }
            Self::Inline => {
                let put = iam.put_user_policy().user_name("ci-deployer").policy_name("builds");
                put.policy_document(document).send().await.map(drop).unwrap();
            }
            Self::InlineOfGroup => {
                let put = iam.put_group_policy().group_name("builders").policy_name("builds");
                put.policy_document(document).send().await.map(drop).unwrap();
            }
        }
    }
}

// T2.15
#[tokio::test]
async fn changed_policy_document_needs_review_before_issue() {
    // The document has the same name and another content.
    for document in Document::ALL {
        let keyvend = Deployed::new().await;
        document.put(&keyvend).await;
        let tab = keyvend.linked().await;
        document.change(&keyvend).await;
        gets_none(&keyvend, &tab, "PENDING", "facts-changed").await;
        assert_eq!(keyvend.approvals().await, Vec::<String>::new(), "{document:?}");
        alice_was_told(&keyvend, &["changed while your request was pending", "it needs 1 approval"]);
        keyvend.nothing_was_created().await;
        // No digest is shown to anybody.
        let digest = keyvend.request().await["snapshot"]["policy_digest"].as_str().unwrap().to_owned();
        let card = keyvend.card().reading();
        assert!(card.contains("0 of 1") && !card.contains(&digest), "{document:?}: {card}");
        assert!(card.contains("builds") && card.contains("not privileged"), "{document:?}: {card}");

        keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
        let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
        keyvend.reveals(&tab).await;
        assert_eq!(keyvend.key_ids().len(), 1, "{document:?}");
    }
}

/// Nobody judged it, so there is nothing that it could differ from.
// T2.15
#[tokio::test]
async fn what_needs_no_approval_is_issued_whatever_changed() {
    let no_approvals = policies("no-approval-for-changed", |text| {
        text.replace("context.approvals >= 1", "context.approvals >= 0")
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &no_approvals)]).await;
    Document::Inline.put(&keyvend).await;
    keyvend.types(ALICE_OWNER, testkit::steps::ASK).await;
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    Document::Inline.change(&keyvend).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.stands().await, "ISSUED");
}

#[tokio::test]
async fn user_with_two_keys_says_how_to_continue() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let iam = aws::iam(&keyvend.world.net, HOME);
    for _ in 0..2 {
        iam.create_access_key().user_name("ci-deployer").send().await.unwrap();
    }
    keyvend.world.net.forget();
    keyvend.claims(&tab).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.creates(), 1, "AWS says no to the one attempt");
    assert_eq!(keyvend.key_ids().len(), 2);
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(keyvend.ticket_stands(&tab).await, "FAILED");
    assert_eq!(keyvend.last_detail("why").await, "two-keys");
    assert!(keyvend.lease().await.is_null());
    assert_eq!(keyvend.counted().await, "0");
    let again =
        alice_was_told(&keyvend, &["AWS allows only two", "Delete one of them and press *Get my key*"]);

    let freed = keyvend.key_ids().remove(0);
    iam.delete_access_key().user_name("ci-deployer").access_key_id(freed).send().await.unwrap();
    let tab = keyvend.collects(&again).await;
    keyvend.reveals(&tab).await;
    assert_eq!(keyvend.counted().await, "1");
}

// T2.18
#[tokio::test]
async fn policies_that_broke_since_give_no_key() {
    let broken = policies("broken-later", |text| text.replace("permit (", "permits ("));
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let keyvend = keyvend.redeployed(&[("KEYVEND_POLICY_DIR", &broken)]);
    gets_none(&keyvend, &tab, "APPROVED", "policies-invalid").await;
    let again = alice_was_told(&keyvend, &["policies are invalid"]);
    keyvend.nothing_was_created().await;
    let keyvend = keyvend.redeployed(&[]);
    let tab = keyvend.collects(&again).await;
    keyvend.reveals(&tab).await;
}

// T2.2
#[tokio::test]
async fn stricter_policy_reopens_review_before_issue() {
    let stricter =
        policies("stricter", |text| text.replace("context.approvals >= 1", "context.approvals >= 3"));
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    let keyvend = keyvend.redeployed(&[("KEYVEND_POLICY_DIR", &stricter)]);
    gets_none(&keyvend, &tab, "PENDING", "approvals-lacking").await;
    assert!(keyvend.card().reading().contains("of 3"), "{}", keyvend.card().reading());
    keyvend.nothing_was_created().await;
}

// T2.4
#[tokio::test]
async fn changed_configuration_limit_applies_at_issue() {
    for (variable, value, part) in [
        (
            "KEYVEND_MAX_KEY_DAYS",
            "10",
            "The longest lifetime is 10 days. Submit a new request with `ttl:10d` or less.",
        ),
        ("KEYVEND_IAM_PATH", "/keyvend/", "`ci-deployer` in `home` is not under `/keyvend/`"),
    ] {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        let keyvend = keyvend.redeployed(&[(variable, value)]);
        gets_none(&keyvend, &tab, "POLICY_DENIED", variable).await;
        assert!(alice_was_told(&keyvend, &[part]).buttons().is_empty());
        assert!(keyvend.card().reading().contains(part), "{}", keyvend.card().reading());
        keyvend.nothing_was_created().await;
        let keyvend = keyvend.redeployed(&[(variable, if value == "10" { "30" } else { "/" })]);
        keyvend.world.clock.advance(Duration::from_secs(1));
        let tab = keyvend.linked().await;
        keyvend.reveals(&tab).await;
    }
}

#[tokio::test]
async fn reopened_review_mentions_approvers_once() {
    // A request that needs review again mentions the approvers once, and the reminder is scheduled again.
    let keyvend = Deployed::new().await;
    let hour = Duration::from_secs(3_600);
    let after = async |hours: u32| {
        keyvend.world.clock.advance(hours * hour);
        keyvend.world.net.sqs().sweep();
        keyvend.deliver().await;
    };
    let in_thread = || {
        let said = keyvend.world.net.slack().messages(APPROVALS).into_iter();
        let daily = |message: &Message| message.text.contains("Audit checkpoint");
        said.filter(|message| message.thread_ts.is_some() && !daily(message)).collect::<Vec<_>>()
    };
    let card = keyvend.asked().await;
    after(7).await;
    assert_eq!(in_thread().len(), 1, "the first reminder");
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.world.net.slack().person(BOB_APPROVER, |bob| bob.deleted = true);
    gets_none(&keyvend, &tab, "PENDING", "approvals-lacking").await;
    let again = in_thread().pop().unwrap();
    assert_eq!(in_thread().len(), 2, "called again, once");
    assert_eq!(again.thread_ts.as_ref(), Some(&card.ts));
    let parts = ["<!channel> <@U0ALICE> is about to receive this key", "needs 1 approval again"];
    assert!(parts.iter().all(|part| again.reading().contains(part)), "{}", again.reading());
    after(5).await;
    assert_eq!(in_thread().len(), 2, "a quarter of a day from then, not from the beginning");
    after(2).await;
    let reminder = in_thread().pop().unwrap();
    assert_eq!(in_thread().len(), 3);
    assert!(reminder.reading().contains("needs 1 approval"), "{}", reminder.reading());
    after(10).await;
    assert_eq!(in_thread().len(), 3, "one reminder");

    // And so each time that it comes back.
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
    keyvend.world.net.slack().person(CAROL_APPROVER, |carol| carol.deleted = true);
    gets_none(&keyvend, &tab, "PENDING", "approvals-lacking").await;
    assert_eq!(in_thread().len(), 4);
    after(25).await;
    assert_eq!(keyvend.stands().await, "EXPIRED");
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn request_newly_needing_approval_gets_card() {
    // A request that had no card and now needs approval gets one, which mentions the approvers once.
    let no_approvals = policies("no-approval-at-first", |text| {
        text.replace("context.approvals >= 1", "context.approvals >= 0")
    });
    let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &no_approvals)]).await;
    keyvend.types(ALICE_OWNER, testkit::steps::ASK).await;
    let tab = keyvend.collects(&keyvend.world.net.slack().last_told(ALICE_OWNER)).await;
    let keyvend = keyvend.redeployed(&[]);
    gets_none(&keyvend, &tab, "PENDING", "approvals-lacking").await;
    let said = keyvend.world.net.slack().messages(APPROVALS);
    assert_eq!(said.len(), 1);
    assert!(said[0].reading().contains("<!channel>") && said[0].reading().contains("0 of 1"));
}

// T2.2
#[tokio::test]
async fn unreadable_facts_give_no_key_and_notify() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    for _ in 0..6 {
        keyvend.world.net.slack().fail_next("conversations.members", "fatal_error");
    }
    gets_none(&keyvend, &tab, "APPROVED", "gave-up").await;
    assert_eq!(keyvend.world.net.slack().messages(&direct(ALICE_OWNER)).len(), 2, "ready, and not in time");
    let again = alice_was_told(&keyvend, &["could not be created in time", "No key was created"]);
    keyvend.nothing_was_created().await;
    let tab = keyvend.collects(&again).await;
    keyvend.reveals(&tab).await;
}
