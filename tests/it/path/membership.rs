//! Who is no full member of the workspace, or no more: whatever they once were, at every step.

use testkit::deployed::Deployed;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, Person};
use testkit::steps::{ASK, policies};

type Change = fn(&mut Person);

/// What somebody can become, and what policy then says of them.
const NO_FULL_MEMBER: [(&str, Change); 7] = [
    ("Guests of this workspace", |person| person.restricted = true),
    ("Guests of this workspace", |person| person.ultra_restricted = true),
    ("People from another workspace", |person| person.stranger = true),
    ("People from another workspace", |person| person.team = "T0ELSEWHERE".to_owned()),
    ("People from another workspace", |person| person.teams = Some(vec!["T0ELSEWHERE".to_owned()])),
    ("Bots and apps", |person| person.bot = true),
    ("deactivated", |person| person.deleted = true),
];

trait Changes {
    fn becomes(&self, person: &str, change: Change);
    async fn pressed_before(&self, person: &str, change: Change, label: &str);
}

impl Changes for Deployed {
    /// Somebody changes. The workspace that Slack names in what they do stays ours.
    fn becomes(&self, person: &str, change: Change) {
        let slack = self.world.net.slack();
        slack.person(person, |who| {
            change(who);
            if who.teams.is_some() {
                who.team = "T0ELSEWHERE".to_owned();
            }
        });
    }

    /// A press of somebody whose profile says by now that they are of elsewhere: Slack signed it here, before.
    async fn pressed_before(&self, person: &str, change: Change, label: &str) {
        self.world.clock.advance(std::time::Duration::from_secs(1));
        assert_eq!(self.arrive(self.world.press(person, &self.card(), label)).await["statusCode"], 200);
        self.becomes(person, change);
        self.deliver().await;
    }
}

// T2.13
#[tokio::test]
async fn approver_without_full_membership_cannot_approve() {
    for (number, (part, change)) in NO_FULL_MEMBER.into_iter().enumerate() {
        let keyvend = Deployed::new().await;
        keyvend.asked().await;
        keyvend.pressed_before(BOB_APPROVER, change, "Approve").await;
        let told = keyvend.world.net.slack().told(BOB_APPROVER).pop().unwrap().reading();
        assert!(told.contains(part), "{number} {part}: {told}");
        assert_eq!(keyvend.stands().await, "PENDING", "{number} {part}");
        assert_eq!(keyvend.events().await, ["request.created", "review.rejected"], "{number} {part}");
        keyvend.nothing_was_created().await;
    }
}

// T2.13
#[tokio::test]
async fn requester_must_remain_full_member() {
    // The request of somebody who is no longer a full member is denied at the review and at issuing.
    for (number, (part, change)) in NO_FULL_MEMBER.into_iter().enumerate() {
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        keyvend.becomes(ALICE_OWNER, change);
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        assert_eq!(keyvend.stands().await, "POLICY_DENIED", "{number} {part}");
        assert!(keyvend.card().reading().contains(part), "{number} {part}: {}", keyvend.card().reading());
        assert!(keyvend.told(BOB_APPROVER).contains(part), "{number} {part}: {}", keyvend.told(BOB_APPROVER));

        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        keyvend.becomes(ALICE_OWNER, change);
        keyvend.claims(&tab).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "POLICY_DENIED", "{number} {part}");
        assert_eq!(keyvend.ticket_stands(&tab).await, "FAILED", "{number} {part}");
        assert!(keyvend.card().reading().contains(part), "{number} {part}: {}", keyvend.card().reading());
        keyvend.nothing_was_created().await;
    }
}

// T2.13
#[tokio::test]
async fn former_members_approval_does_not_count_at_issue() {
    for (number, (part, change)) in NO_FULL_MEMBER.into_iter().enumerate() {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        keyvend.becomes(BOB_APPROVER, change);
        keyvend.claims(&tab).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "PENDING", "{number} {part}");
        assert_eq!(keyvend.approvals().await, Vec::<String>::new(), "{number} {part}");
        keyvend.nothing_was_created().await;
        keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
        let tab = keyvend.collects(&keyvend.direct(ALICE_OWNER)).await;
        keyvend.reveals(&tab).await;
    }
}

#[tokio::test]
async fn departed_requester_cannot_get_key() {
    // Nobody else can collect it in their name.
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    keyvend.becomes(ALICE_OWNER, |alice| alice.deleted = true);
    // Nobody else gets the link, and Slack takes nothing to her.
    keyvend.presses(BOB_APPROVER, &ready, "Get my key").await;
    assert!(keyvend.told(BOB_APPROVER).contains("Only the requester"), "{}", keyvend.told(BOB_APPROVER));
    assert_eq!(keyvend.stands().await, "APPROVED");
    keyvend.world.clock.advance(std::time::Duration::from_secs(73 * 3_600));
    keyvend.world.net.sqs().sweep();
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "EXPIRED", "what she cannot be told holds up nothing");
    assert!(keyvend.card().reading().contains("expired"));
    assert_eq!(keyvend.world.net.sqs().dead(testkit::sqs::DUE).len(), 0);
    keyvend.nothing_was_created().await;
}

#[tokio::test]
async fn policy_receives_email_confirmation_from_slack() {
    let confirmed = policies("confirmed", |text| {
        let policy = r#"@id("confirmed-mail-only")
@advice("Confirm your mail address in Slack first.")
forbid (principal, action in [Action::"request", Action::"issue", Action::"approve"], resource)
unless { principal has email && principal.email_confirmed };

@id("no-bots")"#;
        text.replace("@id(\"no-bots\")", policy)
    });
    let unconfirmed: [Change; 2] = [|person| person.email_confirmed = false, |person| person.email = None];
    for change in unconfirmed {
        let keyvend = Deployed::with(&[("KEYVEND_POLICY_DIR", &confirmed)]).await;
        let alice = keyvend.world.net.slack().who(ALICE_OWNER);
        keyvend.world.net.slack().person(ALICE_OWNER, change);
        keyvend.types(ALICE_OWNER, ASK).await;
        assert!(keyvend.told(ALICE_OWNER).contains("Confirm your mail address"));
        assert_eq!(keyvend.stands().await, "POLICY_DENIED");

        keyvend.world.net.slack().person(ALICE_OWNER, |now| *now = alice);
        keyvend.world.clock.advance(std::time::Duration::from_secs(1));
        let tab = keyvend.linked().await;
        keyvend.world.net.slack().person(BOB_APPROVER, change);
        keyvend.claims(&tab).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "PENDING", "his approval counts no more");
        keyvend.nothing_was_created().await;
    }
}
