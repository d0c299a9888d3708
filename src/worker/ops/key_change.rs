//! What can be asked about a key that exists, and what its state allows.

use crate::domain::audit::AuditEvent;
use crate::domain::key::{DeactivationReason, IssuedKey, KeyState, UNDO_EXTENSION, days_until};
use crate::domain::request::{RequestDetails, RequestKind};
use crate::id::AccessKeyId;
use crate::policy::{Activate, Denial, KeyFacts, Policies, Request, RequiredApprovals, Rotate};
use crate::render::text;
use crate::slack::receive::SlackEnvelope;
use crate::store::keys::StoredKey;
use crate::time::{DAY, Timestamp};
use crate::worker::decision_facts::DecisionFacts;

/// What can be asked about a key that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyChange {
    /// Another in its place, until the same end.
    Rotate,
    /// Another in its place, for its lifetime from now.
    Renew,
    /// Back after it was deactivated; after its expiry, what `Undo` asks.
    Reactivate,
    /// Its expiry taken back.
    UndoExpiry,
    /// Back, because its requester has it although nobody confirmed that.
    ConfirmReceipt,
    /// Another in its place, because nobody received it.
    Replace,
    Extend,
}

impl KeyChange {
    /// What the trail says where it is refused without becoming a request.
    pub(crate) fn refused(self) -> AuditEvent {
        match self {
            Self::Rotate | Self::Renew => AuditEvent::KeyRotateDenied,
            Self::Reactivate => AuditEvent::KeyActivateDenied,
            Self::UndoExpiry => AuditEvent::KeyUndoDenied,
            Self::ConfirmReceipt => AuditEvent::KeyConfirmDenied,
            Self::Replace => AuditEvent::KeyReplaceDenied,
            Self::Extend => AuditEvent::KeyExtendDenied,
        }
    }

    /// Whether this very message, about this key, is what made a request: its id alone, which whoever can write to the
    /// queue chooses, says nothing.
    pub(crate) fn made(self, asked: &RequestDetails, message: &SlackEnvelope, key: &AccessKeyId) -> bool {
        let about = match (self, &asked.kind) {
            (Self::Rotate | Self::Renew | Self::Replace, RequestKind::Rotate { key, .. })
            | (
                Self::Reactivate | Self::UndoExpiry | Self::ConfirmReceipt,
                RequestKind::Reactivate { key, .. },
            )
            | (Self::Extend, RequestKind::Extend { key, .. }) => key,
            (
                _,
                RequestKind::Create
                | RequestKind::Rotate { .. }
                | RequestKind::Reactivate { .. }
                | RequestKind::Extend { .. },
            ) => {
                return false;
            }
        };
        about == key && asked.requester == message.person && asked.at == message.signed_at
    }

    /// What this asks of a key as it stands, with how many days are asked for; or why it cannot be had.
    pub(crate) fn plan(
        self,
        stored: &StoredKey,
        most_days: u32,
        now: Timestamp,
    ) -> Result<(RequestKind, u32), String> {
        let issued = &stored.issued;
        if stored.is_deactivation_pending() && !issued.state.is_active() {
            return Err(text::being_worked_on(&issued.key));
        }
        match self {
            Self::Rotate => plan_rotation(stored, now),
            Self::Renew => plan_renewal(stored, most_days, now),
            Self::Reactivate | Self::UndoExpiry | Self::ConfirmReceipt => {
                plan_reactivation(self, issued, now)
            }
            Self::Replace => match &issued.state {
                KeyState::Inactive { why: DeactivationReason::Unconfirmed, .. }
                | KeyState::Deleting { why: DeactivationReason::Unconfirmed, .. }
                | KeyState::Deleted { why: DeactivationReason::Unconfirmed, .. } => {
                    plan_replacement(issued, now)
                }
                KeyState::Delivered
                | KeyState::Confirmed
                | KeyState::Unconfirmed { .. }
                | KeyState::Inactive { .. }
                | KeyState::Activating { .. }
                | KeyState::Active
                | KeyState::Deleting { .. }
                | KeyState::Deleted { .. }
                | KeyState::Suspect { .. }
                | KeyState::NotOurs { .. } => Err(text::not_unconfirmed(issued)),
            },
            Self::Extend => {
                let (end, days) = later_end(stored, most_days, now)?;
                Ok((RequestKind::Extend { key: issued.key.clone(), end }, days))
            }
        }
    }
}

/// The end that a key in use has if its lifetime begins again now, with that lifetime in days.
fn later_end(stored: &StoredKey, most_days: u32, now: Timestamp) -> Result<(Timestamp, u32), String> {
    let issued = &stored.issued;
    let lives = matches!(issued.state, KeyState::Confirmed | KeyState::Active);
    if !lives || stored.deactivation_mark.is_some() {
        return Err(text::not_on(&issued.key));
    }
    let days = issued.days.min(most_days);
    let end = Timestamp(now.0 + i64::from(days) * DAY);
    if end.since(issued.expires_at) < DAY { Err(text::long_enough(issued)) } else { Ok((end, days)) }
}

fn plan_renewal(stored: &StoredKey, most_days: u32, now: Timestamp) -> Result<(RequestKind, u32), String> {
    plan_rotation(stored, now)?;
    let (end, days) = later_end(stored, most_days, now)?;
    let issued = &stored.issued;
    Ok((RequestKind::Rotate { key: issued.key.clone(), end, days: issued.days, renews: true }, days))
}

fn plan_rotation(stored: &StoredKey, now: Timestamp) -> Result<(RequestKind, u32), String> {
    let issued = &stored.issued;
    if let Some(successor) = &issued.successor {
        return Err(text::replaced_already(issued, successor));
    }
    match &issued.state {
        // One that is off, too: its holder may need another in its place.
        KeyState::Confirmed | KeyState::Active | KeyState::Inactive { .. } => plan_replacement(issued, now),
        KeyState::Delivered | KeyState::Unconfirmed { .. } => Err(text::not_confirmed(issued)),
        KeyState::Activating { .. } | KeyState::Deleting { .. } => Err(text::being_worked_on(&issued.key)),
        KeyState::Deleted { .. } => Err(text::KEY_GONE.to_owned()),
        KeyState::Suspect { .. } | KeyState::NotOurs { .. } => Err(text::not_issued_here(&issued.key)),
    }
}

fn plan_replacement(issued: &IssuedKey, now: Timestamp) -> Result<(RequestKind, u32), String> {
    let end = issued.expires_at;
    if end <= now {
        return Err(text::past_end(&issued.key, issued.expires_at));
    }
    let kind = RequestKind::Rotate { key: issued.key.clone(), end, days: issued.days, renews: false };
    Ok((kind, issued.days_left(now)))
}

fn plan_reactivation(
    change: KeyChange,
    issued: &IssuedKey,
    now: Timestamp,
) -> Result<(RequestKind, u32), String> {
    let key = issued.key.clone();
    let why = match &issued.state {
        KeyState::Inactive { why, .. } => *why,
        KeyState::Delivered | KeyState::Confirmed | KeyState::Unconfirmed { .. } | KeyState::Active => {
            return Err(text::not_off(&issued.key));
        }
        KeyState::Activating { .. } | KeyState::Deleting { .. } => {
            return Err(text::being_worked_on(&issued.key));
        }
        KeyState::Deleted { .. } => return Err(text::KEY_GONE.to_owned()),
        KeyState::Suspect { .. } | KeyState::NotOurs { .. } => return Err(text::not_issued_here(&key)),
    };
    if change == KeyChange::ConfirmReceipt && why != DeactivationReason::Unconfirmed {
        return Err(text::not_unconfirmed(issued));
    }
    if why == DeactivationReason::Expired {
        if issued.undone_expiry.is_some() {
            return Err(text::undone_before(&issued.key));
        }
        let end = Timestamp(now.0 + UNDO_EXTENSION);
        return Ok((RequestKind::Reactivate { key, end, undo: true }, days_until(end, now)));
    }
    let end = issued.expires_at;
    if end <= now {
        return Err(text::past_end(&issued.key, issued.expires_at));
    }
    Ok((RequestKind::Reactivate { key, end, undo: false }, issued.days_left(now)))
}

/// Whether policy lets this person ask for it, with how many approvals it then needs. The same question decides
/// whether a button for it is shown.
pub(crate) fn authorize_change(
    policies: &Policies,
    asked: &RequestDetails,
    facts: &DecisionFacts,
    issued: &IssuedKey,
    change: KeyChange,
) -> Result<u32, Denial> {
    let (who, user) = (&facts.requester, &facts.iam_user);
    let key = KeyFacts::from(issued);
    match change {
        KeyChange::Rotate | KeyChange::Replace => policies.authorize(who, Rotate(key), user).map(drop)?,
        KeyChange::Renew => {
            policies.authorize(who, Rotate(key), user)?;
            policies.authorize(who, Request(facts.asked(asked, 0)), user).map(drop)?;
        }
        KeyChange::Reactivate | KeyChange::UndoExpiry | KeyChange::ConfirmReceipt => {
            policies.authorize(who, Activate(key), user).map(drop)?;
        }
        KeyChange::Extend => policies.authorize(who, Request(facts.asked(asked, 0)), user).map(drop)?,
    }
    match facts.required_approvals(policies, asked) {
        RequiredApprovals::Approvals(needed) => Ok(needed),
        RequiredApprovals::Never(denial) => Err(denial),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::tests::{START, key};
    use crate::domain::key::{DeactivationMark, Successor};
    use crate::id::{PersonId, RequestId};

    const ALL: [KeyChange; 7] = [
        KeyChange::Rotate,
        KeyChange::Renew,
        KeyChange::Reactivate,
        KeyChange::UndoExpiry,
        KeyChange::ConfirmReceipt,
        KeyChange::Replace,
        KeyChange::Extend,
    ];

    fn off(why: DeactivationReason) -> KeyState {
        KeyState::Inactive { why, since: Timestamp(START) }
    }

    fn states() -> Vec<KeyState> {
        let at = Timestamp(START);
        let by = RequestId::of_signature(&[2; 32]);
        let why = DeactivationReason::UserRequested;
        let person: PersonId = "T0001.U0BOB".to_owned().try_into().unwrap();
        vec![
            KeyState::Delivered,
            KeyState::Confirmed,
            KeyState::Unconfirmed { since: at },
            off(DeactivationReason::UserRequested),
            off(DeactivationReason::Reported),
            off(DeactivationReason::Unconfirmed),
            off(DeactivationReason::Expired),
            KeyState::Activating { by, end: at, why, since: at },
            KeyState::Active,
            KeyState::Deleting { why, by: "a".to_owned() },
            KeyState::Deleted { why: DeactivationReason::Unconfirmed, at },
            KeyState::Deleted { why, at },
            KeyState::Suspect { asked_at: at },
            KeyState::NotOurs { by: person },
        ]
    }

    /// In a word each, what can be had of a key in each state ten days after it was issued for thirty.
    // T8.1
    #[test]
    fn each_key_state_offers_its_changes_only() {
        let now = Timestamp(START + 10 * DAY);
        let given: Vec<String> = states()
            .into_iter()
            .map(|state| {
                let stored = StoredKey::first(IssuedKey { state: state.clone(), ..key(30) });
                let given = ALL.iter().filter(|change| change.plan(&stored, 90, now).is_ok());
                let given: Vec<String> = given.map(|change| format!("{change:?}")).collect();
                let why = match state {
                    KeyState::Inactive { why, .. } | KeyState::Deleted { why, .. } => why.as_str(),
                    _ => "",
                };
                format!("{} {why}: {}", state.as_str(), given.join(", "))
            })
            .collect();
        insta::assert_snapshot!(given.join("\n"), @r"
        DELIVERED : 
        CONFIRMED : Rotate, Renew, Extend
        UNCONFIRMED : 
        INACTIVE user-requested: Rotate, Reactivate, UndoExpiry
        INACTIVE reported: Rotate, Reactivate, UndoExpiry
        INACTIVE unconfirmed: Rotate, Reactivate, UndoExpiry, ConfirmReceipt, Replace
        INACTIVE expired: Rotate, Reactivate, UndoExpiry
        ACTIVATING : 
        ACTIVE : Rotate, Renew, Extend
        DELETING : 
        DELETED unconfirmed: Replace
        DELETED user-requested: 
        SUSPECT : 
        NOT_OURS : 
        ");
    }

    // T8.1
    #[test]
    fn only_extension_and_renewal_pass_approved_expiry() {
        // Undoing an expiry adds a day from now.
        let issued = key(30);
        let end = issued.expires_at;
        for state in states() {
            for now in [Timestamp(START + 10 * DAY), Timestamp(end.0 - 1), end, Timestamp(end.0 + DAY)] {
                let stored = StoredKey::first(IssuedKey { state: state.clone(), ..issued.clone() });
                for change in ALL {
                    let Ok((kind, days)) = change.plan(&stored, 90, now) else { continue };
                    let to = kind.end().unwrap();
                    assert_eq!(days, days_until(to, now), "{change:?} of {state:?}");
                    let most = match &kind {
                        RequestKind::Reactivate { undo: true, .. } => Timestamp(now.0 + DAY),
                        RequestKind::Extend { .. } => Timestamp(now.0 + 30 * DAY),
                        RequestKind::Rotate { .. } if change == KeyChange::Renew => {
                            Timestamp(now.0 + 30 * DAY)
                        }
                        _ => end,
                    };
                    assert!(now < to && to <= most, "{change:?} of {state:?}");
                }
            }
        }
    }

    #[test]
    fn expiry_is_undone_once_by_any_name() {
        let expired = IssuedKey { state: off(DeactivationReason::Expired), ..key(30) };
        let now = Timestamp(START + 31 * DAY);
        let undone = IssuedKey { undone_expiry: Some(now), ..expired.clone() };
        for change in [KeyChange::UndoExpiry, KeyChange::Reactivate] {
            let (kind, days) = change.plan(&StoredKey::first(expired.clone()), 90, now).unwrap();
            assert_eq!(
                kind,
                RequestKind::Reactivate { key: expired.key.clone(), end: Timestamp(now.0 + DAY), undo: true }
            );
            assert_eq!(days, 1);
            let no = change.plan(&StoredKey::first(undone.clone()), 90, now).unwrap_err();
            assert!(no.contains("already reactivated once"), "{no}");
        }
    }

    #[test]
    fn extension_is_original_lifetime_within_maximum() {
        let now = |days: i64| Timestamp(START + days * DAY);
        let extend =
            |issued: IssuedKey, most, now| KeyChange::Extend.plan(&StoredKey::first(issued), most, now);
        for (most, at, expected) in
            [(90, 10, Some(30)), (90, 1, Some(30)), (90, 0, None), (20, 29, Some(20)), (20, 10, None)]
        {
            let days = extend(key(30), most, now(at)).ok().map(|(_, days)| days);
            assert_eq!(days, expected, "at most {most}, on day {at}");
        }
        let mut marked = StoredKey::first(key(30));
        marked.deactivation_mark = Some(DeactivationMark {
            since: now(1),
            by: "a".to_owned(),
            why: DeactivationReason::UserRequested,
            press: None,
        });
        assert!(KeyChange::Extend.plan(&marked, 90, now(10)).is_err(), "it is to be off");
        let successor = Successor {
            key: "AKIAIOSFODNN7EXAMPL2".parse().unwrap(),
            requester: key(30).requester,
            confirmed_at: now(1),
            check_at: None,
        };
        let replaced = IssuedKey { successor: Some(successor), ..key(30) };
        assert!(
            KeyChange::Rotate
                .plan(&StoredKey::first(replaced), 90, now(10))
                .unwrap_err()
                .contains("already been replaced")
        );
    }
}
