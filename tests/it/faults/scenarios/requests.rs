//! What people do about requests, and what they ask to know.

use serde_json::Value;

use super::{DAY, Scenario, passes, said, scenarios, told};
use testkit::deployed::Deployed;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};

const RECOMMENDED: &str = "Roles Anywhere";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AboutRequest {
    /// In the form.
    Ask,
    /// In the form, in two accounts at once.
    AskSeveral,
    /// In a form that is open: what AWS recommends for it is shown.
    Choose,
    Details,
    Deny,
    Cancel,
    /// A pending request is changed in the form: another one takes its place.
    Edit,
    /// An approver asks the requester.
    Question,
    /// The requester answers.
    Answer,
    Status,
    Whoami,
    Freeze,
    Unfreeze,
    /// Approvers who do nothing are reminded.
    Remind,
    /// And if they never do anything, it ends.
    Expire,
    /// Its requester's message was deleted in Slack.
    PostAgain,
}

impl Scenario for AboutRequest {
    type About = ();

    async fn begin(self, keyvend: &Deployed) {
        match self {
            Self::Ask | Self::AskSeveral | Self::Freeze => {}
            Self::Choose => drop(keyvend.types(ALICE_OWNER, "").await),
            Self::Unfreeze => drop(keyvend.types(BOB_APPROVER, "freeze").await),
            Self::Cancel => drop(keyvend.linked().await),
            Self::PostAgain => drop(keyvend.approved().await),
            Self::Answer => {
                let card = keyvend.asked().await;
                keyvend.presses(BOB_APPROVER, &card, "Ask").await;
                keyvend.submits(&keyvend.view(BOB_APPROVER), &[("reason", "for which pipeline?")]).await;
            }
            Self::Edit
            | Self::Question
            | Self::Deny
            | Self::Details
            | Self::Status
            | Self::Whoami
            | Self::Remind
            | Self::Expire => {
                keyvend.asked().await;
            }
        }
        Box::pin(keyvend.minute(61)).await;
        if self == Self::PostAgain {
            keyvend.world.net.slack().delete(&keyvend.offer("Get my key").unwrap());
            passes(keyvend, DAY).await;
        }
        if let Self::Remind | Self::Expire = self {
            let request = keyvend.request().await;
            let at = |moment: &Value| moment.as_u64().unwrap();
            let quarter = (at(&request["expires_at"]) - at(&request["details"]["at"])) / 4;
            passes(keyvend, quarter).await;
            if self == Self::Expire {
                Box::pin(keyvend.minute(60)).await;
                passes(keyvend, 3 * quarter).await;
            }
        }
    }

    async fn attempt(self, keyvend: &Deployed, (): &()) {
        let typed = async |person: &str, line: &str| {
            keyvend.gets_through(|| keyvend.world.slash_command(person, line)).await;
        };
        match self {
            Self::Ask => {
                typed(ALICE_OWNER, "").await;
                let filled =
                    [("other", "ci-deployer"), ("use-case", "cli"), ("lifetime", "30d"), ("reason", "tests")];
                if let Some(form) = keyvend.modal_of(ALICE_OWNER) {
                    keyvend.gets_through(|| keyvend.world.submit(&form, &form.values(&filled))).await;
                }
            }
            Self::AskSeveral => {
                typed(ALICE_OWNER, "").await;
                let filled = [
                    ("other", "ci-deployer"),
                    ("accounts", "sandbox"),
                    ("use-case", "cli"),
                    ("lifetime", "30d"),
                    ("reason", "tests"),
                ];
                if let Some(form) = keyvend.modal_of(ALICE_OWNER) {
                    keyvend.gets_through(|| keyvend.world.submit(&form, &form.values(&filled))).await;
                }
            }
            Self::Choose => {
                if let Some(form) = keyvend.modal_of(ALICE_OWNER) {
                    let chosen = || keyvend.world.choose(&form, "use-case", "outside-aws");
                    keyvend.gets_through(chosen).await;
                }
            }
            Self::Details => {
                if let Some(card) = keyvend.card_with("Details") {
                    keyvend.press(BOB_APPROVER, &card, "Details").await;
                }
            }
            Self::Deny => keyvend.gets_denied().await,
            Self::Cancel => {
                if let Some(offer) = keyvend.offer("Cancel") {
                    keyvend.press(ALICE_OWNER, &offer, "Cancel").await;
                }
            }
            Self::Edit => {
                if let Some(offer) = keyvend.offer("Edit") {
                    keyvend.press(ALICE_OWNER, &offer, "Edit").await;
                }
                let changed = [
                    ("other", "ci-deployer"),
                    ("use-case", "cli"),
                    ("lifetime", "7d"),
                    ("reason", "something shorter"),
                ];
                if let Some(form) = keyvend.modal_of(ALICE_OWNER) {
                    keyvend.gets_through(|| keyvend.world.submit(&form, &form.values(&changed))).await;
                }
            }
            Self::Question => {
                if let Some(card) = keyvend.card_with("Ask") {
                    keyvend.press(BOB_APPROVER, &card, "Ask").await;
                }
                if let Some(form) = keyvend.modal_of(BOB_APPROVER) {
                    let asked = form.values(&[("reason", "for which pipeline?")]);
                    keyvend.gets_through(|| keyvend.world.submit(&form, &asked)).await;
                }
            }
            Self::Answer => {
                if let Some(question) = keyvend.offer("Answer") {
                    keyvend.press(ALICE_OWNER, &question, "Answer").await;
                }
                if let Some(form) = keyvend.modal_of(ALICE_OWNER) {
                    let given = form.values(&[("reason", "the nightly one")]);
                    keyvend.gets_through(|| keyvend.world.submit(&form, &given)).await;
                }
            }
            Self::Status => typed(ALICE_OWNER, "status").await,
            Self::Whoami => typed(ALICE_OWNER, "whoami").await,
            Self::Freeze => typed(BOB_APPROVER, "freeze").await,
            Self::Unfreeze => typed(BOB_APPROVER, "unfreeze").await,
            Self::Remind | Self::Expire | Self::PostAgain => Box::pin(keyvend.minute(60)).await,
        }
    }

    async fn is_done(self, keyvend: &Deployed, (): &()) -> bool {
        let shown = |person: &str, part: &str| {
            let views = keyvend.world.net.slack().views();
            views.iter().any(|view| view.user == person && view.reading().contains(part))
        };
        match self {
            Self::Ask => !keyvend.requests().await.is_empty(),
            Self::AskSeveral => {
                let requests = keyvend.requests().await;
                assert!(requests.len() <= 2, "one request for each account");
                requests.iter().filter(|request| request["stands"] == "PENDING").count() == 2
            }
            Self::Choose => shown(ALICE_OWNER, RECOMMENDED),
            Self::Details => shown(BOB_APPROVER, "Who may approve"),
            Self::Deny => keyvend.stands().await == "DENIED",
            Self::Cancel => keyvend.stands().await == "CANCELLED",
            Self::Edit => {
                let requests = keyvend.requests().await;
                let open = requests.iter().filter(|request| request["stands"] == "PENDING");
                assert_eq!(open.count(), 1, "neither two open requests nor none");
                requests.len() == 2 && said(keyvend, "Replaced by request")
            }
            Self::Question => told(keyvend, "has a question about your request"),
            Self::Answer => said(keyvend, "> the nightly one"),
            Self::Status => told(keyvend, "is pending approval: "),
            Self::Whoami => told(keyvend, "You are <@U0ALICE>"),
            // The other approvers hear of it, too.
            Self::Freeze => {
                !keyvend.item("freeze").await["frozen_by"].is_null() && said(keyvend, "froze key issuing")
            }
            Self::Unfreeze => {
                keyvend.item("freeze").await["frozen_by"].is_null() && said(keyvend, "resumed key issuing")
            }
            Self::Remind => said(keyvend, "Reminder: the request of"),
            Self::PostAgain => keyvend.offer("Get my key").is_some(),
            Self::Expire => keyvend.stands().await == "EXPIRED" && told(keyvend, "has expired"),
        }
    }
}

scenarios! {
    requesting_in_the_form: AboutRequest::Ask;
    requesting_in_two_accounts: AboutRequest::AskSeveral;
    choosing_in_the_form: AboutRequest::Choose;
    opening_the_details: AboutRequest::Details;
    a_denial: AboutRequest::Deny;
    cancelling_a_request: AboutRequest::Cancel;
    editing_a_request: AboutRequest::Edit;
    asking_the_requester: AboutRequest::Question;
    answering_an_approver: AboutRequest::Answer;
    asking_for_status: AboutRequest::Status;
    asking_for_whoami: AboutRequest::Whoami;
    freezing: AboutRequest::Freeze;
    unfreezing: AboutRequest::Unfreeze;
    review_reminder: AboutRequest::Remind;
    expiring_request: AboutRequest::Expire;
    posting_a_deleted_message_again: AboutRequest::PostAgain;
}
