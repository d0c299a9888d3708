//! The audit trail: what happened to a request, each entry bound to the one before it by its hash.
//! An entry is written with the change it tells of, in the same item, and inserted into table `Audit` afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::RequestId;
use crate::time::Timestamp;

/// One record. Never holds a secret, a ticket, a code or an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the request's chain, from 1.
    pub seq: u32,
    pub at: Timestamp,
    /// What happened: the name of an [`AuditEvent`]
    pub event: String,
    /// Who did it: a person's id, `reveal`, or `keyvend`.
    pub actor: String,
    /// What else matters, by name.
    pub detail: BTreeMap<String, String>,
    /// The hash of the entry before, hex; 64 zeros for the first.
    pub prev: String,
    /// SHA-256, hex, over the canonical form of all of the above.
    pub hash: String,
}

/// An entry with the chain that it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The chain: a request's id, or what else has one.
    pub request: String,
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// The end of a request's chain, and the entries not yet known to be in table `Audit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChain {
    next: u32,
    head: String,
    /// When it last grew.
    pub last_appended_at: Timestamp,
    /// Written with the item, still to be inserted.
    pub outbox: Vec<AuditEntry>,
}

impl Default for AuditChain {
    fn default() -> Self {
        Self { next: 1, head: "0".repeat(64), last_appended_at: Timestamp(0), outbox: Vec::new() }
    }
}

/// What happened, by the names that table `Audit`, its exports and docs/data-model.md have: `noun.verb`, in the past tense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter, strum::EnumString, strum::IntoStaticStr)]
pub enum AuditEvent {
    #[strum(serialize = "request.created")]
    RequestCreated,
    #[strum(serialize = "request.policy_denied")]
    RequestPolicyDenied,
    #[strum(serialize = "request.cancelled")]
    RequestCancelled,
    #[strum(serialize = "request.replaced")]
    RequestReplaced,
    #[strum(serialize = "request.expired")]
    RequestExpired,
    #[strum(serialize = "review.approved")]
    ReviewApproved,
    #[strum(serialize = "review.revoked")]
    ReviewRevoked,
    #[strum(serialize = "review.denied")]
    ReviewDenied,
    #[strum(serialize = "review.facts_changed")]
    ReviewFactsChanged,
    #[strum(serialize = "review.reopened")]
    ReviewReopened,
    #[strum(serialize = "review.reminder_sent")]
    ReviewReminderSent,
    #[strum(serialize = "review.inherited")]
    ReviewInherited,
    #[strum(serialize = "review.rejected")]
    ReviewRejected,
    #[strum(serialize = "question.asked")]
    QuestionAsked,
    #[strum(serialize = "question.answered")]
    QuestionAnswered,
    #[strum(serialize = "interaction.unknown_revision")]
    InteractionUnknownRevision,
    #[strum(serialize = "message.failed")]
    MessageFailed,
    #[strum(serialize = "message.rate_limited")]
    MessageRateLimited,
    #[strum(serialize = "person.denied")]
    PersonDenied,
    #[strum(serialize = "approver.joined")]
    ApproverJoined,
    #[strum(serialize = "approvals_channel.joined")]
    ApprovalsChannelJoined,
    #[strum(serialize = "link.issued")]
    LinkIssued,
    #[strum(serialize = "link.voided")]
    LinkVoided,
    #[strum(serialize = "link.expired")]
    LinkExpired,
    #[strum(serialize = "link.claimed")]
    LinkClaimed,
    #[strum(serialize = "link.locked")]
    LinkLocked,
    #[strum(serialize = "link.reused")]
    LinkReused,
    #[strum(serialize = "link.confirmed")]
    LinkConfirmed,
    #[strum(serialize = "issue.started")]
    IssueStarted,
    #[strum(serialize = "issue.resumed")]
    IssueResumed,
    #[strum(serialize = "issue.key_created")]
    IssueKeyCreated,
    #[strum(serialize = "issue.create_timed_out")]
    IssueCreateTimedOut,
    #[strum(serialize = "issue.rechecked")]
    IssueRechecked,
    #[strum(serialize = "issue.completed")]
    IssueCompleted,
    #[strum(serialize = "issue.aborted")]
    IssueAborted,
    #[strum(serialize = "key.confirmed")]
    KeyConfirmed,
    #[strum(serialize = "key.unconfirmed")]
    KeyUnconfirmed,
    #[strum(serialize = "key.activating")]
    KeyActivating,
    #[strum(serialize = "key.activated")]
    KeyActivated,
    #[strum(serialize = "key.extended")]
    KeyExtended,
    #[strum(serialize = "key.deactivating")]
    KeyDeactivating,
    #[strum(serialize = "key.deactivated")]
    KeyDeactivated,
    #[strum(serialize = "key.deactivation_undone")]
    KeyDeactivationUndone,
    #[strum(serialize = "key.deleting")]
    KeyDeleting,
    #[strum(serialize = "key.deleted")]
    KeyDeleted,
    #[strum(serialize = "key.deletion_skipped")]
    KeyDeletionSkipped,
    #[strum(serialize = "key.gone")]
    KeyGone,
    #[strum(serialize = "key.unproven")]
    KeyUnproven,
    #[strum(serialize = "key.not_ours")]
    KeyNotOurs,
    #[strum(serialize = "key.suspect_reminder_sent")]
    KeySuspectReminderSent,
    #[strum(serialize = "key.suspect_answer_denied")]
    KeySuspectAnswerDenied,
    #[strum(serialize = "key.expiry_reminder_sent")]
    KeyExpiryReminderSent,
    #[strum(serialize = "key.expiry_postponed")]
    KeyExpiryPostponed,
    #[strum(serialize = "key.idle_question_sent")]
    KeyIdleQuestionSent,
    #[strum(serialize = "key.user_quarantined")]
    KeyUserQuarantined,
    #[strum(serialize = "key.requester_deactivated")]
    KeyRequesterDeactivated,
    #[strum(serialize = "key.report_rejected")]
    KeyReportRejected,
    #[strum(serialize = "key.list_denied")]
    KeyListDenied,
    #[strum(serialize = "key.deactivate_denied")]
    KeyDeactivateDenied,
    #[strum(serialize = "key.delete_denied")]
    KeyDeleteDenied,
    #[strum(serialize = "key.rotate_denied")]
    KeyRotateDenied,
    #[strum(serialize = "key.activate_denied")]
    KeyActivateDenied,
    #[strum(serialize = "key.undo_denied")]
    KeyUndoDenied,
    #[strum(serialize = "key.extend_denied")]
    KeyExtendDenied,
    #[strum(serialize = "key.confirm_denied")]
    KeyConfirmDenied,
    #[strum(serialize = "key.replace_denied")]
    KeyReplaceDenied,
    #[strum(serialize = "key.marked_known")]
    KeyMarkedKnown,
    #[strum(serialize = "key.mark_known_denied")]
    KeyMarkKnownDenied,
    #[strum(serialize = "issuing.frozen")]
    IssuingFrozen,
    #[strum(serialize = "issuing.resumed")]
    IssuingResumed,
    #[strum(serialize = "issuing.freeze_denied")]
    IssuingFreezeDenied,
    #[strum(serialize = "issuing.resume_denied")]
    IssuingResumeDenied,
    #[strum(serialize = "audit.checkpoint")]
    AuditCheckpoint,
    #[strum(serialize = "audit.checkpoint_closed")]
    AuditCheckpointClosed,
}

impl AuditEvent {
    /// As table `Audit` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What an entry says, before it has its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuditEntry {
    pub event: AuditEvent,
    pub actor: String,
    pub detail: BTreeMap<String, String>,
}

impl NewAuditEntry {
    /// Something that somebody did.
    #[must_use]
    pub fn new<'n>(
        event: AuditEvent,
        actor: impl ToString,
        detail: impl IntoIterator<Item = (&'n str, String)>,
    ) -> Self {
        let detail = detail.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { event, actor: actor.to_string(), detail }
    }
}

impl AuditChain {
    /// Appends one entry. Its time is never before that of the last: clocks differ, and the order is the chain's.
    pub fn append(&mut self, request: &RequestId, at: Timestamp, happened: NewAuditEntry) {
        let at = at.max(self.last_appended_at);
        let mut entry = AuditEntry {
            seq: self.next,
            at,
            event: happened.event.as_str().to_owned(),
            actor: happened.actor,
            detail: happened.detail,
            prev: self.head.clone(),
            hash: String::new(),
        };
        entry.hash = entry.computed_hash(request);
        self.head.clone_from(&entry.hash);
        self.next += 1;
        self.last_appended_at = at;
        self.outbox.push(entry);
    }

    /// Its last entry's place; 0 where it has none.
    #[must_use]
    pub fn last_place(&self) -> u32 {
        self.next.saturating_sub(1)
    }

    /// Its last entry's place and hash, as a checkpoint names it.
    #[must_use]
    pub fn head(&self) -> String {
        format!("{}:{}", self.next - 1, self.head)
    }

    /// The last entry that is known to be in table `Audit`: its place, 0 where there is none, and its hash.
    #[must_use]
    pub fn last_inserted(&self) -> (u32, String) {
        match self.outbox.first() {
            Some(waiting) => (waiting.seq.saturating_sub(1), waiting.prev.clone()),
            None => (self.next.saturating_sub(1), self.head.clone()),
        }
    }

    /// Drops the entries that are known to be in table `Audit`.
    pub fn remove_inserted(&mut self, up_to: u32) {
        self.outbox.retain(|entry| entry.seq > up_to);
    }
}

impl AuditEntry {
    /// The hash that this entry must have: over its parts, each preceded by its length, so that no two entries
    /// have the same canonical form.
    #[must_use]
    pub fn computed_hash(&self, request: &RequestId) -> String {
        self.computed_hash_in(request.as_str())
    }

    /// The same, in a chain that need not be a request's.
    #[must_use]
    pub fn computed_hash_in(&self, chain: &str) -> String {
        let seq = self.seq.to_string();
        let at = self.at.0.to_string();
        let fixed = [chain, &seq, &at, &self.event, &self.actor, &self.prev];
        let detail = self.detail.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let mut hasher = Sha256::new();
        for part in fixed.into_iter().chain(detail) {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hex::encode(hasher.finalize())
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator as _;

    use super::*;

    // T5.1
    #[test]
    fn audit_entry_is_bound_to_predecessor_and_request() {
        let request = RequestId::of_signature(&[7; 32]);
        let other = RequestId::of_signature(&[8; 32]);
        let mut chain = AuditChain::default();
        chain.append(
            &request,
            Timestamp(1),
            NewAuditEntry::new(AuditEvent::RequestCreated, "T1.U1", [("user", "ci".to_owned())]),
        );
        chain.append(&request, Timestamp(2), NewAuditEntry::new(AuditEvent::ReviewApproved, "T1.U2", []));
        let [first, second] = chain.outbox.as_slice() else { panic!("two entries") };
        assert_eq!((first.seq, second.seq), (1, 2));
        assert_eq!(first.prev, "0".repeat(64));
        assert_eq!(second.prev, first.hash);
        assert_eq!(first.hash, first.computed_hash(&request));
        assert_ne!(first.hash, first.computed_hash(&other));
        for change in [
            |entry: &mut AuditEntry| entry.actor.push('x'),
            |entry: &mut AuditEntry| entry.event.push('x'),
            |entry: &mut AuditEntry| entry.at.0 += 1,
            |entry: &mut AuditEntry| entry.seq += 1,
            |entry: &mut AuditEntry| entry.prev = "1".repeat(64),
            |entry: &mut AuditEntry| drop(entry.detail.insert("user".to_owned(), "cj".to_owned())),
        ] {
            let mut changed = first.clone();
            change(&mut changed);
            assert_ne!(changed.computed_hash(&request), first.hash);
        }
    }

    #[test]
    fn inserted_entries_leave_outbox_and_chain_continues() {
        let request = RequestId::of_signature(&[7; 32]);
        let mut chain = AuditChain::default();
        chain.append(&request, Timestamp(1), NewAuditEntry::new(AuditEvent::RequestCreated, "a", []));
        let head = chain.outbox[0].hash.clone();
        chain.remove_inserted(1);
        assert!(chain.outbox.is_empty());
        chain.append(&request, Timestamp(2), NewAuditEntry::new(AuditEvent::ReviewDenied, "b", []));
        assert_eq!((chain.outbox[0].seq, &chain.outbox[0].prev), (2, &head));
    }

    #[test]
    fn every_audit_event_is_documented() {
        let page = include_str!("../../docs/data-model.md");
        let section = page.split("## Audit events").nth(1).unwrap().split("\n## ").next().unwrap();
        let documented: Vec<&str> =
            section.lines().filter_map(|row| row.strip_prefix("| `")?.split('`').next()).collect();
        let events: Vec<&str> = AuditEvent::iter().map(AuditEvent::as_str).collect();
        assert_eq!(documented, events);
    }
}
