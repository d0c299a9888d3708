//! **Details**: what does not fit on the card, looked up afresh and shown to an approver.

use futures_util::future::try_join;

use super::decide::Place;
use super::form::Opened;
use super::{NotDone, Worker};
use crate::facts::IamUser;
use crate::id::ViewId;
use crate::inbound::Message;
use crate::lookup::{ApproverSet, NoSuchUser};
use crate::modal;
use crate::request::KeyRequest;
use crate::slack_api::SlackError;
use crate::time::Timestamp;
use crate::words;

impl Worker {
    /// Opens the modal while the trigger lives, then looks up what goes into it.
    pub(super) async fn details(
        &self,
        message: &Message,
        value: &str,
        place: Place<'_>,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let Some((stored, _)) = self.on_card(message, value, place, now).await? else { return Ok(()) };
        let view = match self.open(message, &modal::told(words::LOOKING_UP), now).await? {
            Opened::Now(view) => view,
            Opened::Before => return Ok(()),
            Opened::TooLate => return Ok(self.answer(message, now, words::PRESS_AGAIN).await?),
        };
        // A fault from here on is told in the modal: another delivery could not open it again.
        let shown = match self.look_up_details(message, &stored.request, now).await {
            Ok(shown) => shown,
            Err(fault) => {
                tracing::error!(fault = format!("{fault:#}"), "details cannot be shown");
                modal::told(&words::not_done(&message.id))
            }
        };
        Ok(self.fill(&view, &shown).await?)
    }

    /// A modal that was closed meanwhile wants nothing more.
    async fn fill(&self, view: &ViewId, shown: &serde_json::Value) -> anyhow::Result<()> {
        match self.slack().await?.update_view(view, None, shown).await {
            Err(SlackError::Said(code)) if code == "not_found" => Ok(()),
            done => Ok(done?),
        }
    }

    async fn look_up_details(
        &self,
        message: &Message,
        request: &KeyRequest,
        now: Timestamp,
    ) -> anyhow::Result<serde_json::Value> {
        let slack = self.slack().await?;
        let asked = &request.asked;
        let approvers = self.lookup.approvers(&slack, &self.config).await?;
        if !approvers.contains(&message.person.user) {
            return Ok(modal::told(words::NOT_AN_APPROVER));
        }
        let person = self.lookup.person(&slack, &message.person, &approvers);
        let user = self.lookup.iam_user(&asked.account, &asked.user, now);
        let (person, found) = try_join(person, user).await?;
        if person.deleted || person.guest || person.external || person.bot {
            return Ok(modal::told(words::NOT_AN_APPROVER));
        }
        Ok(modal::paragraphs(words::DETAILS_TITLE, &paragraphs(request, found.as_ref(), &approvers, now)))
    }
}

fn paragraphs(
    request: &KeyRequest,
    found: Result<&IamUser, &NoSuchUser>,
    approvers: &ApproverSet,
    now: Timestamp,
) -> Vec<(&'static str, Vec<String>)> {
    let asked = &request.asked;
    let mut all = vec![(
        "Request",
        vec![
            words::to_deny(request),
            words::standing(request),
            format!("{}, for {} days", words::use_case(asked.use_case), asked.days),
            format!("Request `{}`, revision `{}`", request.id, request.revision()),
        ],
    )];
    let mut history = vec![format!("{} asked {}", words::person(&asked.requester), words::moment(asked.at))];
    history.extend(request.approvals.iter().map(words::approval_line));
    all.push(("So far", history));
    all.push(("Who may approve", vec![words::who_may_approve(approvers.iter(), &asked.requester)]));
    match found {
        Err(NoSuchUser) => all.push(("IAM user", vec![words::user_gone(&asked.user, &asked.account)])),
        Ok(user) => all.extend(iam_user(user, now)),
    }
    all
}

fn iam_user(user: &IamUser, now: Timestamp) -> Vec<(&'static str, Vec<String>)> {
    let or_none = |lines: Vec<String>| if lines.is_empty() { vec!["none".to_owned()] } else { lines };
    let named = |names: &std::collections::BTreeSet<String>| {
        or_none(names.iter().map(|name| words::tag(name, "")).collect())
    };
    let about = vec![
        words::iam_user(&user.name, &user.account),
        format!("Path {}", words::tag(&user.path, "")),
        format!("Owned by {}", words::owners(user)),
        format!("Privileged: {}", if user.privileged { "yes" } else { "no" }),
    ];
    vec![
        ("IAM user", about),
        ("Groups", named(&user.groups)),
        ("Policies", named(&user.policies)),
        ("Boundary", or_none(user.boundary.iter().map(|boundary| words::tag(boundary, "")).collect())),
        ("Access keys", or_none(user.keys.iter().map(|key| words::key_line(key, now)).collect())),
        ("Tags", or_none(user.tags.iter().map(|(name, value)| words::tag(name, value)).collect())),
    ]
}
