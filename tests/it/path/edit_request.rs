//! **Edit**: a changed request takes the place of a pending one, and nothing that was approved comes with it.

use serde_json::Value;

use keyvend::domain::audit::AuditEntry;
use testkit::deployed::Deployed;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, MALLORY_OUTSIDER, Message, View};
use testkit::steps::{ASK, text};

/// What the form then says.
const CHANGED: [(&str, &str); 4] =
    [("other", "ci-deployer"), ("use-case", "local-code"), ("lifetime", "7d"), ("reason", "a shorter one")];

/// Alice asked; the answer with **Edit**.
async fn offered(keyvend: &Deployed) -> Message {
    asks(keyvend, ASK).await
}

async fn asks(keyvend: &Deployed, line: &str) -> Message {
    keyvend.types(ALICE_OWNER, line).await;
    keyvend.world.net.slack().last_told(ALICE_OWNER)
}

/// The form that **Edit** opens.
async fn edits(keyvend: &Deployed, offer: &Message) -> View {
    keyvend.presses(ALICE_OWNER, offer, "Edit").await;
    keyvend.view(ALICE_OWNER)
}

/// Where the requests stand, oldest first.
async fn standings(keyvend: &Deployed) -> Vec<String> {
    keyvend.requests().await.iter().map(|request| text(&request["stands"])).collect()
}

fn id(request: &Value) -> String {
    text(&request["id"])
}

#[tokio::test]
async fn edited_request_takes_the_place_of_pending_one() {
    let keyvend = Deployed::new().await;
    let offer = offered(&keyvend).await;
    let form = edits(&keyvend, &offer).await;
    assert!(form.reading().contains("Edit your request"), "{}", form.reading());
    let begins =
        ["own", "use-case", "lifetime", "reason"].map(|block| form.begins(block).unwrap_or_default());
    assert_eq!(begins, ["ci-deployer@home", "local-code", "30d", "laptop tooling"]);
    keyvend.submits(&form, &CHANGED).await;
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Request sent"));
    assert_eq!(standings(&keyvend).await, ["CANCELLED", "PENDING"]);

    let [old, new] = <[Value; 2]>::try_from(keyvend.requests().await).unwrap();
    assert_eq!((&new["details"]["days"], &new["details"]["reason"]), (&7.into(), &"a shorter one".into()));
    assert_eq!(new["details"]["replaces"], old["id"]);
    assert_eq!(old["replaced_by"], new["id"]);
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains(&format!("It replaces request `{}`.", id(&old))), "{told}");

    let [before, after] = <[Message; 2]>::try_from(keyvend.cards()).unwrap();
    assert!(before.reading().contains("Replaced: access key for ci-deployer"), "{}", before.reading());
    assert!(
        before.reading().contains(&format!("Replaced by request `{}`.", id(&new))),
        "{}",
        before.reading()
    );
    assert!(after.reading().contains("a shorter one"), "{}", after.reading());
    let of_old = format!("Request `{}`, an edited version of request `{}`", id(&new), id(&old));
    assert!(after.reading().contains(&of_old), "{}", after.reading());

    let events = |trail: &[AuditEntry]| trail.iter().map(|entry| entry.event.clone()).collect::<Vec<_>>();
    let trail = keyvend.trail_of(&id(&old)).await;
    assert_eq!(events(&trail), ["request.created", "request.replaced"]);
    assert_eq!(trail[1].detail["by"], id(&new));
    let trail = keyvend.trail_of(&id(&new)).await;
    assert_eq!(events(&trail), ["request.created"]);
    assert_eq!(trail[0].detail["replaces"], id(&old));

    keyvend.presses(BOB_APPROVER, &after, "Approve").await;
    assert_eq!(standings(&keyvend).await, ["CANCELLED", "APPROVED"]);
}

// T2.24
// Of two approvals one was given: the changed request needs two again.
#[tokio::test]
async fn edited_request_keeps_no_approvals() {
    let keyvend = Deployed::new().await;
    let offer = asks(&keyvend, "create admin-bot use:cli ttl:7d migrating").await;
    let card = keyvend.card();
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    assert_eq!(keyvend.approvals().await, ["T0001.U0BOB"]);
    let form = edits(&keyvend, &offer).await;
    let changed =
        [("other", "admin-bot"), ("use-case", "cli"), ("lifetime", "90d"), ("reason", "something else")];
    keyvend.submits(&form, &changed).await;
    assert_eq!(standings(&keyvend).await, ["CANCELLED", "PENDING"]);
    assert_eq!(keyvend.approvals().await, Vec::<String>::new());
    // Nor does the old card, as it was before, approve anything.
    keyvend.presses(CAROL_APPROVER, &card, "Approve").await;
    assert!(
        keyvend.told(CAROL_APPROVER).contains("was edited by its requester"),
        "{}",
        keyvend.told(CAROL_APPROVER)
    );
    keyvend.presses(CAROL_APPROVER, &keyvend.card(), "Approve").await;
    assert_eq!(standings(&keyvend).await, ["CANCELLED", "PENDING"]);
    assert_eq!(keyvend.approvals().await, ["T0001.U0CAROL"]);
}

#[tokio::test]
async fn unchanged_form_leaves_request_and_approvals() {
    let keyvend = Deployed::new().await;
    let offer = asks(&keyvend, "create admin-bot use:cli ttl:7d migrating").await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    let form = edits(&keyvend, &offer).await;
    let same =
        [("other", "admin-bot@home"), ("use-case", "cli"), ("lifetime", "7d"), ("reason", "migrating")];
    keyvend.submits(&form, &same).await;
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("Nothing was changed"), "{shown}");
    assert_eq!(standings(&keyvend).await, ["PENDING"]);
    assert_eq!(keyvend.approvals().await, ["T0001.U0BOB"]);
}

/// What policy refuses takes nothing's place, and the form that it is shown in still edits.
#[tokio::test]
async fn refused_edit_leaves_the_pending_request() {
    let keyvend = Deployed::new().await;
    let offer = offered(&keyvend).await;
    let form = edits(&keyvend, &offer).await;
    let on_aws =
        [("other", "ci-deployer"), ("use-case", "aws-compute"), ("lifetime", "7d"), ("reason", "jobs")];
    keyvend.submits(&form, &on_aws).await;
    let again = keyvend.view(ALICE_OWNER);
    assert!(again.reading().contains("Your request was refused."), "{}", again.reading());
    assert!(again.reading().contains("Edit your request"), "{}", again.reading());
    assert_eq!(standings(&keyvend).await, ["PENDING", "POLICY_DENIED"]);
    keyvend.submits(&again, &CHANGED).await;
    assert_eq!(standings(&keyvend).await, ["CANCELLED", "POLICY_DENIED", "PENDING"]);
}

#[tokio::test]
async fn choosing_a_use_case_keeps_the_form_an_edit() {
    let keyvend = Deployed::new().await;
    let offer = offered(&keyvend).await;
    let form = edits(&keyvend, &offer).await;
    keyvend.world.clock.advance(std::time::Duration::from_secs(1));
    keyvend.arrive(keyvend.world.choose(&form, "use-case", "outside-aws")).await;
    keyvend.deliver().await;
    let form = keyvend.view(ALICE_OWNER);
    assert!(form.reading().contains("Roles Anywhere"), "{}", form.reading());
    assert_eq!(form.view["callback_id"], "edit");
    keyvend.submits(&form, &CHANGED).await;
    assert_eq!(standings(&keyvend).await, ["CANCELLED", "PENDING"]);
}

/// The account that the reason names is asked for in the form: a message beside it would make a second request.
#[tokio::test]
async fn account_named_in_reason_is_asked_for_in_the_form() {
    let keyvend = Deployed::new().await;
    let offer = offered(&keyvend).await;
    let form = edits(&keyvend, &offer).await;
    let elsewhere =
        [("other", "ci-deployer"), ("use-case", "cli"), ("lifetime", "7d"), ("reason", "in sandbox to test")];
    keyvend.submits(&form, &elsewhere).await;
    let again = keyvend.view(ALICE_OWNER);
    assert!(again.reading().contains("Which account is the key for?"), "{}", again.reading());
    assert_eq!(again.view["callback_id"], "edit");
    assert_eq!(standings(&keyvend).await, ["PENDING"]);
}

#[tokio::test]
async fn decided_request_cannot_be_edited() {
    let keyvend = Deployed::new().await;
    let offer = offered(&keyvend).await;
    let form = edits(&keyvend, &offer).await;
    keyvend.presses(BOB_APPROVER, &keyvend.card(), "Approve").await;
    keyvend.submits(&form, &CHANGED).await;
    let shown = keyvend.view(ALICE_OWNER).reading();
    assert!(shown.contains("Only a request that is pending approval can be edited"), "{shown}");
    assert_eq!(standings(&keyvend).await, ["APPROVED"]);
    keyvend.presses(ALICE_OWNER, &offer, "Edit").await;
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("Only a request that is pending approval can be edited"), "{told}");
}

#[tokio::test]
async fn second_submission_of_edit_changes_nothing() {
    let keyvend = Deployed::new().await;
    let offer = offered(&keyvend).await;
    let form = edits(&keyvend, &offer).await;
    let other = edits(&keyvend, &offer).await;
    keyvend.submits(&form, &CHANGED).await;
    keyvend.submits(&other, &[&CHANGED[..3], &[("reason", "and another")]].concat()).await;
    assert_eq!(standings(&keyvend).await, ["CANCELLED", "PENDING"]);
    assert!(keyvend.view(ALICE_OWNER).reading().contains("Replaced by request"));
}

// T2.24
#[tokio::test]
async fn only_the_requester_edits() {
    let keyvend = Deployed::new().await;
    let offer = offered(&keyvend).await;
    let form = edits(&keyvend, &offer).await;
    keyvend.presses(MALLORY_OUTSIDER, &offer, "Edit").await;
    assert!(
        keyvend.told(MALLORY_OUTSIDER).contains("You have no request"),
        "{}",
        keyvend.told(MALLORY_OUTSIDER)
    );
    let hers = View { user: BOB_APPROVER.to_owned(), ..form.clone() };
    keyvend.submits(&hers, &CHANGED).await;
    assert_eq!(standings(&keyvend).await, ["PENDING"]);
    // A value that no button had is audited.
    let mut forged = form;
    forged.view["private_metadata"] = format!("{}.{}", id(&keyvend.request().await), "0".repeat(16)).into();
    keyvend.submits(&forged, &CHANGED).await;
    assert_eq!(standings(&keyvend).await, ["PENDING"]);
    assert_eq!(keyvend.events().await, ["request.created", "interaction.unknown_revision"]);
}

/// The replaced one counts no more among the ten that may be open.
#[tokio::test]
async fn one_of_the_most_open_requests_can_be_edited() {
    let keyvend = Deployed::new().await;
    let mut offer = offered(&keyvend).await;
    for n in 1..10 {
        keyvend.world.clock.advance(std::time::Duration::from_secs(60));
        offer = asks(&keyvend, &format!("{ASK} {n}")).await;
    }
    let form = edits(&keyvend, &offer).await;
    keyvend.submits(&form, &CHANGED).await;
    let pending = standings(&keyvend).await.iter().filter(|state| *state == "PENDING").count();
    assert_eq!((pending, keyvend.requests().await.len()), (10, 11));
    keyvend.types(ALICE_OWNER, &format!("{ASK} more")).await;
    assert_eq!(keyvend.stands().await, "POLICY_DENIED");
}

#[tokio::test]
async fn status_of_pending_request_offers_edit() {
    let keyvend = Deployed::new().await;
    offered(&keyvend).await;
    let request = id(&keyvend.request().await);
    keyvend.types(ALICE_OWNER, &format!("status {request}")).await;
    let offer = keyvend.direct(ALICE_OWNER);
    let form = edits(&keyvend, &offer).await;
    keyvend.submits(&form, &CHANGED).await;
    assert_eq!(standings(&keyvend).await, ["CANCELLED", "PENDING"]);
    let closed = keyvend.world.net.slack().messages(&testkit::slack::direct(ALICE_OWNER));
    assert!(
        closed.iter().any(|message| message.reading().contains("*Closed.* The request for `ci-deployer`"))
    );
}
