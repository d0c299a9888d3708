//! **Get my key**: a one-time link, to the requester alone: never to where the press says it should be answered, which
//! whoever can forge a press chooses. Nothing is created yet.

use secrecy::ExposeSecret as _;

use crate::aws::item::{Item, Table, Write};
use crate::aws::{MailError, WriteError};
use crate::config::Mail;
use crate::domain::email_address::MailAddress;
use crate::domain::email_hash::email_hash;
use crate::domain::request::{KeyRequest, Notification, RequestEvent, RequestState, TransitionError};
use crate::domain::ticket::claim::{StoredTicket, TicketState};
use crate::domain::ticket::{MailedCode, Ticket};
use crate::encoding::crockford_of;
use crate::id::{ChannelId, RequestId, Revision, SlackUserId};
use crate::random::random;
use crate::render::{approval_card, text};
use crate::slack::api::{self, SlackApi, SlackError};
use crate::slack::receive::SlackEnvelope;
use crate::store::freeze;
use crate::store::requests::StoredRequest;
use crate::store::ticket_refs::TicketRef;
use crate::store::tickets;
use crate::store::tickets::read_ticket;
use crate::time::{DAY, Timestamp};
use crate::worker::context::{Context, HandleError, MAX_CONFLICT_RETRIES, slack_client};
use crate::worker::ops::button::{carried, note_unknown};
use crate::worker::ops::expire_request::expire_request;
use crate::worker::outbox::{commit, drain_outbox};
use crate::worker::reply::{answer, answer_with, try_to_answer};

/// Tickets are swept up by the table's TTL this many seconds after they expire.
const RETENTION: i64 = 30 * DAY;

/// A ticket that was just made, with what only its requester may have.
struct NewTicket {
    ticket: Ticket,
    stored: StoredTicket,
    code: Option<MailedCode>,
}

pub(crate) async fn get_key(
    ctx: &Context,
    message: &SlackEnvelope,
    value: &str,
    now: Timestamp,
) -> Result<(), HandleError> {
    let Some((id, revision)) = carried(value) else {
        return Ok(answer(ctx, message, now, text::UNKNOWN_BUTTON).await?);
    };
    for _ in 0..MAX_CONFLICT_RETRIES {
        let (stored, replaced) = match ensure_collectable(ctx, message, (&id, &revision), now).await? {
            Ok(ensure_collectable) => ensure_collectable,
            Err(sentence) => return Ok(answer(ctx, message, now, &sentence).await?),
        };
        let to = match mail_address(ctx, message, &stored.request).await? {
            Ok(to) => to,
            Err(sentence) => return Ok(answer(ctx, message, now, sentence).await?),
        };
        let made = make_ticket(ctx, to.is_some(), now)?;
        let event = RequestEvent::IssueLink { tid: made.stored.tid.clone() };
        let next = match stored.request.apply(event, &message.person.to_string(), now) {
            Ok(next) => next,
            Err(
                TransitionError::Expired
                | TransitionError::InvalidState
                | TransitionError::AlreadyApproved
                | TransitionError::NotEligible
                | TransitionError::IntentLost,
            ) => continue,
        };
        let mut writes = vec![
            Write::Put {
                table: Table::Tickets,
                item: tickets::new_item(&made.stored, Timestamp(made.stored.expires_at.0 + RETENTION)),
                condition: "attribute_not_exists(tid)",
                values: Item::new(),
            },
            TicketRef::create(&made.stored.tid, &id, &made.ticket.psk(), made.stored.expires_at),
        ];
        writes.extend(replaced);
        match commit(ctx, &stored, next, writes, vec![Notification::UpdateCard]).await {
            Ok(saved) => return deliver_link(ctx, message, saved, made, to, now).await,
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    Err(anyhow::anyhow!("a request changed too often for a link").into())
}

/// The request, if its requester may have a link for it now, with the writes that withdraw the link before; else
/// what to say.
async fn ensure_collectable(
    ctx: &Context,
    message: &SlackEnvelope,
    (id, revision): (&RequestId, &Revision),
    now: Timestamp,
) -> anyhow::Result<Result<(StoredRequest, Vec<Write>), String>> {
    if ctx.policies.is_err() {
        return Ok(Err(text::POLICIES_INVALID.to_owned()));
    }
    let Some(stored) = StoredRequest::read(&ctx.tables, id).await? else {
        return Ok(Err(text::UNKNOWN_BUTTON.to_owned()));
    };
    if *revision != stored.request.requester_revision() {
        note_unknown(ctx, message, &stored, now).await?;
        return Ok(Err(text::UNKNOWN_BUTTON.to_owned()));
    }
    if stored.request.details.requester != message.person {
        return Ok(Err(text::NOT_YOURS.to_owned()));
    }
    // It would be refused in the browser, when the code was mailed and typed.
    if freeze::is_frozen(&ctx.tables).await? {
        return Ok(Err(text::FROZEN.to_owned()));
    }
    if stored.request.is_expired(now) {
        expire_request(ctx, &stored, now).await?;
        return Ok(Err(text::request_expired(&stored.request)));
    }
    match &stored.request.state {
        RequestState::Approved => Ok(Ok((stored, Vec::new()))),
        RequestState::LinkIssued { tid } => {
            Ok(match read_ticket(&ctx.tables, tid).await?.map(|ticket| ticket.state) {
                Some(TicketState::Claimed(_)) => Err(text::BEING_COLLECTED.to_owned()),
                Some(TicketState::Pending | TicketState::Locked) => {
                    let replaced = vec![tickets::void(tid), TicketRef::remove_psk(tid)];
                    Ok((stored, replaced))
                }
                Some(
                    TicketState::Void
                    | TicketState::Failed
                    | TicketState::Sealed { .. }
                    | TicketState::Confirmed { .. }
                    | TicketState::Unconfirmed(_),
                )
                | None => Ok((stored, Vec::new())),
            })
        }
        RequestState::Issuing(_) => Ok(Err(text::BEING_COLLECTED.to_owned())),
        RequestState::Pending
        | RequestState::Ambiguous(_)
        | RequestState::Issued { .. }
        | RequestState::Completed { .. }
        | RequestState::Denied { .. }
        | RequestState::Cancelled
        | RequestState::Expired
        | RequestState::PolicyDenied { .. } => Ok(Err(text::standing(&stored.request))),
    }
}

/// Where the code goes, where one is wanted: the address in the person's Slack profile, if it will do.
async fn mail_address(
    ctx: &Context,
    message: &SlackEnvelope,
    request: &KeyRequest,
) -> anyhow::Result<Result<Option<MailAddress>, &'static str>> {
    let Some(mail) = &ctx.config.mail else { return Ok(Ok(None)) };
    let (email, confirmed) = match slack_client(ctx).await?.user_info(&message.person.user).await {
        Ok(user) => (user.email(), user.is_email_confirmed == Some(true)),
        Err(error) if error.is_about_unknown_person() => (None, false),
        Err(error) => return Err(error.into()),
    };
    let seen = request.details.email_hash.as_deref();
    Ok(validate_email(email, confirmed, seen, mail).map(Some))
}

fn make_ticket(ctx: &Context, wants_code: bool, now: Timestamp) -> anyhow::Result<NewTicket> {
    let ticket = Ticket::of(random()?);
    let code = if wants_code { Some(MailedCode::of(random()?)) } else { None };
    let stored = StoredTicket {
        tid: ticket.tid(),
        proof_hash: ticket.proof_hash(),
        expires_at: now + ctx.config.ticket_ttl,
        code_hash: code.as_ref().map(|code| ticket.code_hash(code)),
        tries: 0,
        state: TicketState::Pending,
        outbox: Vec::new(),
        due_at: None,
    };
    Ok(NewTicket { ticket, stored, code })
}

/// The mail first, then the link. What cannot be handed over is withdrawn.
async fn deliver_link(
    ctx: &Context,
    message: &SlackEnvelope,
    saved: StoredRequest,
    made: NewTicket,
    to: Option<MailAddress>,
    now: Timestamp,
) -> Result<(), HandleError> {
    let request = &saved.request;
    let label = made.code.as_ref().map(|_| label(&made.stored));
    if let (Some(mail), Some(to), Some(code), Some(label)) = (&ctx.config.mail, &to, &made.code, &label) {
        let text = text::mail_text(code.expose(), label, &request.details.user, &request.details.account);
        match ctx.ses.send(mail.from.as_str(), to.as_str(), &text::mail_subject(label), &text).await {
            Ok(()) => {}
            Err(error) => {
                let (said, told) = code_not_mailed(request, &error);
                tracing::error!(
                    error = format!("{:#}", anyhow::Error::new(error)),
                    "sending code mail failed"
                );
                withdraw_ticket(ctx, &saved, "mail-failed", told, now).await?;
                return Ok(answer_with(ctx, message, now, &approval_card::again(said, request)).await?);
            }
        }
    }
    let sentence = text::link(request, made.stored.expires_at, label.as_deref());
    let url = made.ticket.link(&ctx.config.reveal_url);
    let slack = slack_client(ctx).await?;
    let link = approval_card::link(&sentence, url.expose_secret());
    match show(&slack, &request.details.requester.user, &link).await {
        // Pressed in that very conversation, the link itself is the answer.
        Ok(shown) if message.channel.as_ref() == Some(&shown) => {}
        Ok(_) => try_to_answer(ctx, message, now, text::LINK_SHOWN).await,
        Err(error) => {
            tracing::warn!(%error, "posting link failed");
            withdraw_ticket(ctx, &saved, "not-shown", None, now).await?;
            if error.is_about_the_token() {
                // It was rotated: the message comes again and is done with the new one.
                return Err(error.into());
            }
            let again = approval_card::again(text::LINK_NOT_SHOWN, request);
            return Ok(answer_with(ctx, message, now, &again).await?);
        }
    }
    drain_outbox(ctx, saved).await;
    Ok(())
}

/// What its requester is answered where the code could not be mailed, and the approvers are notified of where trying again
/// changes nothing.
fn code_not_mailed(request: &KeyRequest, error: &MailError) -> (&'static str, Option<Notification>) {
    match error {
        MailError::Refused(refusal) => {
            let message = approval_card::text(&text::code_not_mailed(request, &refusal.to_string()));
            (text::MAIL_REFUSED, Some(Notification::ThreadReply { message: message.into() }))
        }
        MailError::Other(_) => (text::MAIL_FAILED, None),
    }
}

/// Withdraws the link that was just made; the request is approved as before.
async fn withdraw_ticket(
    ctx: &Context,
    saved: &StoredRequest,
    why: &'static str,
    told: Option<Notification>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let Some(tid) = saved.request.ticket().cloned() else { return Ok(()) };
    let event = RequestEvent::TicketVoided { tid: tid.clone(), why };
    let Ok(next) = saved.request.apply(event, "keyvend", now) else { return Ok(()) };
    match commit(
        ctx,
        saved,
        next,
        vec![tickets::void(&tid), TicketRef::remove_psk(&tid)],
        told.into_iter().collect(),
    )
    .await
    {
        Ok(saved) => {
            drain_outbox(ctx, saved).await;
            Ok(())
        }
        Err(WriteError::Conflict(_)) => Ok(()),
        Err(WriteError::Other(error)) => Err(error),
    }
}

/// Shows the link to the stored requester, by the bot's own token, in their direct messages, where nobody else is: the
/// press came through a function that knows what Slack signs with, so its `response_url` may be a thief's. Ephemeral, so
/// that it does not stay; and so there is no falling back to a message that would.
async fn show(
    slack: &SlackApi,
    requester: &SlackUserId,
    link: &api::SlackMessage,
) -> Result<ChannelId, SlackError> {
    let direct = slack.open_direct(requester).await?;
    slack.post_ephemeral(&direct, requester, link).await?;
    Ok(direct)
}

/// The address, or why no code may go there. `seen` is the hash of the one that was there when the key was asked for.
fn validate_email(
    address: Option<String>,
    confirmed: bool,
    seen: Option<&str>,
    mail: &Mail,
) -> Result<MailAddress, &'static str> {
    let address = address.filter(|address| !address.is_empty()).ok_or(text::MAIL_MISSING)?;
    if !confirmed {
        return Err(text::MAIL_UNCONFIRMED);
    }
    let Ok(address) = address.parse::<MailAddress>() else { return Err(text::MAIL_MALFORMED) };
    if !mail.domains.contains(&address.domain()) {
        return Err(text::MAIL_FOREIGN);
    }
    if seen != Some(email_hash(address.as_str()).as_str()) {
        return Err(text::MAIL_CHANGED);
    }
    Ok(address)
}

/// Two characters by which a link and its mail are known to belong together.
fn label(ticket: &StoredTicket) -> String {
    crockford_of(&crate::domain::ticket::hash(ticket.tid.as_str().as_bytes()), 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    // T3.8
    #[test]
    fn code_goes_only_to_email_recorded_at_request() {
        let mail =
            Mail { from: "keys@example.com".parse().unwrap(), domains: vec!["example.com".to_owned()] };
        let seen = email_hash("alice@example.com");
        let try_it = |address: Option<&str>, confirmed, seen: Option<&str>| {
            let found = validate_email(address.map(str::to_owned), confirmed, seen, &mail);
            found.map(|address| address.as_str().to_owned())
        };
        let cases = [
            (Some("alice@example.com"), true, Some(&seen), Ok("alice@example.com".to_owned())),
            (Some("Alice@Example.com"), true, Some(&seen), Ok("Alice@Example.com".to_owned())),
            (None, true, Some(&seen), Err(text::MAIL_MISSING)),
            (Some(""), true, Some(&seen), Err(text::MAIL_MISSING)),
            (Some("alice@example.com"), false, Some(&seen), Err(text::MAIL_UNCONFIRMED)),
            (Some("alice@evil.test"), true, Some(&seen), Err(text::MAIL_FOREIGN)),
            (Some("alice@example.com.evil.test"), true, Some(&seen), Err(text::MAIL_FOREIGN)),
            (Some("alice@sub.example.com"), true, Some(&seen), Err(text::MAIL_FOREIGN)),
            (Some("alice@example.com@evil.test"), true, Some(&seen), Err(text::MAIL_MALFORMED)),
            (Some("eve@evil.test,alice@example.com"), true, Some(&seen), Err(text::MAIL_MALFORMED)),
            (Some("Alice <alice@example.com>"), true, Some(&seen), Err(text::MAIL_MALFORMED)),
            (Some("alice@example.com\r\nBcc: e@evil.test"), true, Some(&seen), Err(text::MAIL_MALFORMED)),
            (Some("bob@example.com"), true, Some(&seen), Err(text::MAIL_CHANGED)),
            (Some("alice@example.com"), true, None, Err(text::MAIL_CHANGED)),
        ];
        for (address, confirmed, seen, expected) in cases {
            assert_eq!(try_it(address, confirmed, seen.map(String::as_str)), expected, "{address:?}");
        }
    }
}
