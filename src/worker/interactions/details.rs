//! **Details**: what does not fit on the card, looked up afresh and shown to an approver.

use serde_json::Value;

use crate::domain::iam::IamUser;
use crate::domain::request::KeyRequest;
use crate::facts::NoSuchUser;
use crate::id::{SlackUserId, ViewId};
use crate::render::{modal, text};
use crate::slack::api::SlackError;
use crate::slack::receive::SlackEnvelope;
use crate::time::Timestamp;
use crate::worker::authorize::who_may_approve;
use crate::worker::context::{Context, HandleError, slack_client};
use crate::worker::decision_facts::{facts_about, with_key};
use crate::worker::ops::button::{Opened, PressOrigin, on_card, open};
use crate::worker::reply::{answer, failure_text};

/// Opens the modal while the trigger lives, then looks up what goes into it.
pub(crate) async fn details(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    place: PressOrigin<'_>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some(stored) = on_card(ctx, message, value, place, now).await? else { return Ok(()) };
    let view = match open(ctx, message, &modal::notice(text::LOOKING_UP), now).await? {
        Opened::Now(view) => view,
        Opened::Before => return Ok(()),
        Opened::TooLate => return Ok(answer(ctx, message, now, text::PRESS_AGAIN).await?),
    };
    // A fault from here on is told in the modal: another delivery could not open it again.
    let shown = match look_up_details(ctx, message, &stored.request, now).await {
        Ok(shown) => shown,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "opening details failed");
            modal::notice(&failure_text(ctx, &error, &message.id))
        }
    };
    Ok(render_details(ctx, &view, &shown).await?)
}

/// A modal that was closed meanwhile wants nothing more.
async fn render_details(ctx: &Context, view: &ViewId, shown: &Value) -> anyhow::Result<()> {
    match slack_client(ctx).await?.update_view(view, None, shown).await {
        Err(SlackError::Said(code)) if code == "not_found" => Ok(()),
        done => Ok(done?),
    }
}

async fn look_up_details(
    ctx: &Context,
    message: &SlackEnvelope,
    request: &KeyRequest,
    now: Timestamp,
) -> anyhow::Result<Value> {
    let slack = slack_client(ctx).await?;
    let asked = &request.details;
    let approvers = ctx.lookup.approvers(&slack, ctx.config.approval_places()).await?;
    if !approvers.contains(&message.person.user) {
        return Ok(modal::notice(text::NOT_AN_APPROVER));
    }
    let found = match facts_about(ctx, &slack, request, Some(&message.person), now).await? {
        Ok(facts) => Ok(with_key(ctx, facts, asked).await?),
        Err(missing) => Err(missing),
    };
    let may = match &found {
        Ok(facts) => who_may_approve(ctx, &slack, facts, request).await?,
        Err(NoSuchUser) => Vec::new(),
    };
    let user = found.as_ref().map(|facts| &facts.iam_user);
    Ok(modal::paragraphs(text::DETAILS_TITLE, &paragraphs(request, user, &may, now)))
}

fn paragraphs(
    request: &KeyRequest,
    found: Result<&IamUser, &NoSuchUser>,
    may_approve: &[SlackUserId],
    now: Timestamp,
) -> Vec<(&'static str, Vec<String>)> {
    let asked = &request.details;
    let mut all = vec![(
        "Request",
        vec![
            text::to_review(request),
            text::standing(request),
            format!("For {}, {}", text::use_case(asked.use_case), text::days(asked.days)),
            format!("Request `{}`", request.id),
        ],
    )];
    let mut history =
        vec![format!("{} asked {}", text::person(&asked.requester), text::slack_date(asked.at))];
    history.extend(request.approvals.iter().map(text::approval_line));
    all.push(("So far", history));
    match found {
        Err(NoSuchUser) => all.push(("IAM user", vec![text::user_gone(&asked.user, &asked.account)])),
        Ok(user) => {
            all.push(("Who may approve", vec![text::who_may_approve(may_approve)]));
            all.extend(iam_user(user, now));
        }
    }
    all
}

fn iam_user(user: &IamUser, now: Timestamp) -> Vec<(&'static str, Vec<String>)> {
    let or_none = |lines: Vec<String>| if lines.is_empty() { vec!["none".to_owned()] } else { lines };
    let named = |names: &std::collections::BTreeSet<String>| {
        or_none(names.iter().map(|name| text::tag(name, "")).collect())
    };
    let about = vec![
        text::iam_user(&user.name, &user.account),
        format!("Path {}", text::tag(&user.path, "")),
        format!("Owned by {}", text::owners(user)),
        format!("Privileged: {}", if user.privileged { "yes" } else { "no" }),
    ];
    vec![
        ("IAM user", about),
        ("Groups", named(&user.groups)),
        ("Policies", named(&user.policies)),
        ("Boundary", or_none(user.boundary.iter().map(|boundary| text::tag(boundary, "")).collect())),
        ("Access keys", or_none(user.keys.iter().map(|key| text::key_line(key, now)).collect())),
        ("Tags", or_none(user.tags.iter().map(|(name, value)| text::tag(name, value)).collect())),
    ]
}
