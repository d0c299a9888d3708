//! What the daily comparisons found, of all accounts, and what is left of their reports.

use futures_util::future::try_join_all;

use crate::domain::iam::Account;
use crate::domain::reconciliation::MarkedKeys;
use crate::render::{ended, text};
use crate::slack::action_id::Action;
use crate::slack::message::SlackMessage;
use crate::store::document::{StoredFindings, findings_pk};
use crate::time::Timestamp;
use crate::worker::context::Context;

/// How many accounts are read at a time.
const AT_ONCE: usize = 16;

/// The findings account by account, in the configured order.
pub(crate) async fn read_findings(ctx: &Context) -> anyhow::Result<Vec<(&Account, StoredFindings)>> {
    let mut all = Vec::new();
    for some in ctx.config.accounts.chunks(AT_ONCE) {
        let read = some.iter().map(|account| async move {
            anyhow::Ok((account, StoredFindings::read(&ctx.tables, &findings_pk(&account.id)).await?))
        });
        all.extend(try_join_all(read).await?);
    }
    Ok(all)
}

/// The keys that a button marks as known, and the accounts that they may be in.
pub(crate) fn marked_keys<'c>(ctx: &'c Context, value: &str) -> Option<(Vec<&'c Account>, MarkedKeys)> {
    let (before, after) = value.split_once('.')?;
    if before == "reported" {
        let begun = Timestamp(after.parse().ok()?);
        return Some((ctx.config.accounts.iter().collect(), MarkedKeys::ReportedUpTo(begun)));
    }
    let account = ctx.config.accounts.iter().find(|account| account.id.as_str() == before)?;
    Some((vec![account], MarkedKeys::One(after.parse().ok()?)))
}

/// A report or a list as it reads now: without the buttons of keys that are known, or that match. None where all are as they were.
pub(crate) fn end_marks(
    ctx: &Context,
    message: &SlackMessage,
    findings: &[(&Account, StoredFindings)],
) -> Option<SlackMessage> {
    let left = |value: &str| {
        let (accounts, which) = marked_keys(ctx, value)?;
        let own = findings.iter().filter(|(account, _)| accounts.contains(account));
        let left: Vec<(bool, Option<Timestamp>)> =
            own.map(|(_, stored)| stored.document.left_to_mark(&which)).collect();
        Some((
            left.iter().any(|(is_left, _)| *is_left),
            left.into_iter().filter_map(|(_, until)| until).min(),
        ))
    };
    let is_open = |(action, value): ended::Pressed<'_>| match action {
        Action::ShowDiscrepancies => findings.iter().any(|(_, stored)| !stored.document.is_empty()),
        _ => left(value).is_some_and(|(is_left, _)| is_left),
    };
    let outcome = |closed: &[ended::Pressed<'_>]| match closed {
        [(Action::MarkKnown, value)] => match left(value).and_then(|(_, known)| known) {
            Some(until) => text::known_until(until),
            None => text::NO_DISCREPANCY.to_owned(),
        },
        _ => text::DISCREPANCIES_OVER.to_owned(),
    };
    ended::close(message, &is_open, &outcome)
}
