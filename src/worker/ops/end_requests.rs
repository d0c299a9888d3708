//! Ends what is still requested about a key when that has no meaning any more, so that nobody approves it.

use std::collections::BTreeSet;

use futures_util::FutureExt as _;

use crate::domain::denial::DenialReason;
use crate::domain::key::IssuedKey;
use crate::domain::request::RequestKind;
use crate::id::SlackUserId;
use crate::store::open_requests::OpenRequests;
use crate::store::requests::StoredRequest;
use crate::time::Timestamp;
use crate::worker::context::{Context, HandleError};
use crate::worker::ops::deny_request::deny_request;

/// The key is gone: its requester's and owners' open requests about it end. Failing is only logged; such a request then ends
/// when it is approved.
pub(crate) async fn end_requests_of_gone_key(ctx: &Context, issued: &IssuedKey, now: Timestamp) {
    let is_about = |kind: &RequestKind| kind.existing() == Some(&issued.key);
    end_requests(ctx, issued, is_about, &DenialReason::KeyDeleted, now).await;
}

/// The key is active again: the same of requests to reactivate it.
pub(crate) async fn end_requests_of_active_key(ctx: &Context, issued: &IssuedKey, now: Timestamp) {
    let is_about =
        |kind: &RequestKind| matches!(kind, RequestKind::Reactivate { key, .. } if *key == issued.key);
    let reason = DenialReason::KeyNotInactive { key: issued.key.clone() };
    end_requests(ctx, issued, is_about, &reason, now).await;
}

async fn end_requests(
    ctx: &Context,
    issued: &IssuedKey,
    is_about: impl Fn(&RequestKind) -> bool,
    reason: &DenialReason,
    now: Timestamp,
) {
    let people: BTreeSet<&SlackUserId> = issued.owners.iter().chain([&issued.requester.user]).collect();
    let ended = async {
        for user in people {
            for id in OpenRequests::read(&ctx.tables, user).await?.ids() {
                if let Some(stored) = StoredRequest::read(&ctx.tables, id).await?
                    && stored.request.is_actionable()
                    && is_about(&stored.request.details.kind)
                {
                    deny_request(ctx, &stored, reason.clone(), now).boxed().await?;
                }
            }
        }
        Ok(())
    };
    match ended.await {
        Ok(()) | Err(HandleError::RetryAfter(_) | HandleError::RateLimited) => {}
        Err(HandleError::Failed(error)) => {
            tracing::warn!(error = format!("{error:#}"), "open requests about a key not ended");
        }
    }
}
