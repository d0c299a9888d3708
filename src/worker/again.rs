//! A request about a key that exists: another in its place, the key back, or more time for it. Each comes to life like a
//! new key, only by an `issue` decision; approvals it needs are asked for on a card like any other's.

use futures_util::FutureExt as _;
use futures_util::future::{try_join, try_join5};

use super::create::{Limit, too_many_approvers, too_many_open};
use super::facts::{Facts, Found};
use super::ticket::{address_hash, random};
use super::{NotDone, Worker};
use crate::aws::WriteError;
use crate::card;
use crate::id::{AccessKeyId, RequestId};
use crate::inbound::Message;
use crate::key::{IssuedKey, KeyState, StoredKey, UNDO, Why, days_until};
use crate::policy::{Activate, Denial, Issue, KeyFacts, Needed, Policies, Request, Rotate, Verdict};
use crate::request::{Approval, Asked, KeyRequest, Salt, Shown, State, Telling, Wants};
use crate::store::{OpenRequests, Stored};
use crate::time::{DAY, Timestamp};
use crate::words;

/// What can be asked about a key that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// Another in its place.
    Rotate,
    /// Back after it was switched off; after its expiry, what `Undo` asks.
    Activate,
    /// Its expiry taken back.
    Undo,
    /// Back, because its requester has it although nobody confirmed that.
    Received,
    /// Another in its place, because nobody received it.
    Replace,
    /// A longer life.
    Extend,
}

impl Again {
    /// What the trail says where it is refused without becoming a request.
    fn refused(self) -> &'static str {
        match self {
            Self::Rotate => "rotate-refused",
            Self::Activate => "activate-refused",
            Self::Undo => "undo-refused",
            Self::Received => "received-refused",
            Self::Replace => "replace-refused",
            Self::Extend => "extend-refused",
        }
    }

    /// Whether this very message, about this key, is what made a request: its id alone, which whoever can write to the
    /// queue chooses, says nothing.
    fn made(self, asked: &Asked, message: &Message, key: &AccessKeyId) -> bool {
        let about = match (self, &asked.wants) {
            (Self::Rotate | Self::Replace, Wants::InPlaceOf { key, .. })
            | (Self::Activate | Self::Undo | Self::Received, Wants::Back { key, .. })
            | (Self::Extend, Wants::Longer { key, .. }) => key,
            (_, Wants::New | Wants::InPlaceOf { .. } | Wants::Back { .. } | Wants::Longer { .. }) => {
                return false;
            }
        };
        about == key && asked.requester == message.person && asked.at == message.signed_at
    }

    /// What this asks of a key as it stands, with how many days are asked for; or why it cannot be had.
    pub(super) fn wants(
        self,
        stored: &StoredKey,
        most_days: u32,
        now: Timestamp,
    ) -> Result<(Wants, u32), String> {
        let issued = &stored.issued;
        if stored.is_off_pending() && !issued.state.is_live() {
            return Err(words::being_worked_on(&issued.key));
        }
        match self {
            Self::Rotate => rotated(stored, now),
            Self::Activate | Self::Undo | Self::Received => back(self, issued, now),
            Self::Replace => match &issued.state {
                KeyState::Inactive { why: Why::Unconfirmed, .. }
                | KeyState::Deleting { why: Why::Unconfirmed, .. }
                | KeyState::Deleted { why: Why::Unconfirmed, .. } => in_place_of(issued, now),
                KeyState::Delivered
                | KeyState::Confirmed
                | KeyState::Unconfirmed { .. }
                | KeyState::Inactive { .. }
                | KeyState::Activating { .. }
                | KeyState::Active
                | KeyState::Deleting { .. }
                | KeyState::Deleted { .. }
                | KeyState::Suspect { .. }
                | KeyState::Disowned { .. } => Err(words::not_unconfirmed(issued)),
            },
            Self::Extend => {
                let lives = matches!(issued.state, KeyState::Confirmed | KeyState::Active);
                if !lives || stored.off.is_some() {
                    return Err(words::not_on(issued));
                }
                let days = issued.days.min(most_days);
                let end = Timestamp(now.0 + i64::from(days) * DAY);
                if end.since(issued.expires_at) < DAY {
                    return Err(words::long_enough(issued));
                }
                Ok((Wants::Longer { key: issued.key.clone(), end }, days))
            }
        }
    }
}

fn rotated(stored: &StoredKey, now: Timestamp) -> Result<(Wants, u32), String> {
    let issued = &stored.issued;
    if let Some(successor) = &issued.successor {
        return Err(words::replaced_already(issued, successor));
    }
    match &issued.state {
        // One that is off, too: its holder may need another in its place.
        KeyState::Confirmed | KeyState::Active | KeyState::Inactive { .. } => in_place_of(issued, now),
        KeyState::Delivered | KeyState::Unconfirmed { .. } => Err(words::not_confirmed(issued)),
        KeyState::Activating { .. } | KeyState::Deleting { .. } => Err(words::being_worked_on(&issued.key)),
        KeyState::Deleted { .. } => Err(words::KEY_GONE.to_owned()),
        KeyState::Suspect { .. } | KeyState::Disowned { .. } => Err(words::not_issued_here(&issued.key)),
    }
}

fn in_place_of(issued: &IssuedKey, now: Timestamp) -> Result<(Wants, u32), String> {
    let end = issued.expires_at;
    if end <= now {
        return Err(words::past_end(issued));
    }
    Ok((Wants::InPlaceOf { key: issued.key.clone(), end, days: issued.days }, issued.days_left(now)))
}

fn back(again: Again, issued: &IssuedKey, now: Timestamp) -> Result<(Wants, u32), String> {
    let key = issued.key.clone();
    let why = match &issued.state {
        KeyState::Inactive { why, .. } => *why,
        KeyState::Delivered | KeyState::Confirmed | KeyState::Unconfirmed { .. } | KeyState::Active => {
            return Err(words::not_off(issued));
        }
        KeyState::Activating { .. } | KeyState::Deleting { .. } => {
            return Err(words::being_worked_on(&issued.key));
        }
        KeyState::Deleted { .. } => return Err(words::KEY_GONE.to_owned()),
        KeyState::Suspect { .. } | KeyState::Disowned { .. } => return Err(words::not_issued_here(&key)),
    };
    if again == Again::Received && why != Why::Unconfirmed {
        return Err(words::not_unconfirmed(issued));
    }
    if why == Why::Expired {
        if issued.undone.is_some() {
            return Err(words::undone_before(issued));
        }
        let end = Timestamp(now.0 + UNDO);
        return Ok((Wants::Back { key, end, undo: true }, days_until(end, now)));
    }
    let end = issued.expires_at;
    if end <= now {
        return Err(words::past_end(issued));
    }
    Ok((Wants::Back { key, end, undo: false }, issued.days_left(now)))
}

impl Worker {
    /// Somebody asks for something about a key that exists.
    pub(super) async fn again(
        &self,
        message: &Message,
        key: &AccessKeyId,
        again: Again,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        // The read-only session of the home account meanwhile: the key is most likely of it.
        let session = async {
            match self.config.accounts.first() {
                Some(account) => self.lookup.open(account, now).await,
                None => Ok(()),
            }
        };
        let read = async {
            let before = Stored::read(&self.dynamo, &message.id);
            let open = OpenRequests::read(&self.dynamo, &message.person.user);
            Ok(try_join5(self.read_key(key), before, open, self.slack(), session).await?)
        };
        let ((found, before, open, slack, ()), ()) = try_join(read, self.admit(message)).await?;
        if let Some(before) = before {
            if !again.made(&before.request.asked, message, key) {
                bears_anothers_id();
                return Ok(());
            }
            // A redelivery goes on from what the first delivery recorded.
            return self.tell_again(message, before, None, now).await;
        }
        if let Some(barred) = self.barred(&message.person).await? {
            return self.refuse_barred(message, barred, now).await;
        }
        let stored = match found {
            Some(stored) if stored.is_known_to_be_ours() => self.as_succeeded(stored).await?,
            Some(StoredKey { issued, .. }) if matches!(issued.state, KeyState::Suspect { .. }) => {
                return Ok(self.answer(message, now, &words::being_asked_about(key)).await?);
            }
            Some(_) | None => return Ok(self.answer(message, now, &words::not_issued_here(key)).await?),
        };
        let issued = &stored.issued;
        let Ok(policies) = &self.policies else {
            return Ok(self.answer(message, now, words::POLICIES_INVALID).await?);
        };
        if again == Again::Replace && issued.requester != message.person {
            return self.refuse_again(message, issued, again, words::NOT_YOURS, now).await;
        }
        let (wants, days) = match again.wants(&stored, self.config.max_key_days, now) {
            Ok(wanted) => wanted,
            Err(why) => return self.refuse_again(message, issued, again, &why, now).await,
        };
        let approvals = self.inherited(message, issued, again);
        let subject = (&issued.account, &issued.user);
        let mut asked = Asked {
            wants,
            requester: message.person.clone(),
            account: issued.account.clone(),
            user: issued.user.clone(),
            use_case: issued.use_case,
            days,
            reason: issued.reason.clone(),
            email_hash: None,
            at: message.signed_at,
        };
        // The holder of a key approves no change of it, whoever asks for it.
        let about_key = |facts: Facts, asked: &Asked| {
            let eligible = facts.eligible.clone().without(&issued.requester.user);
            Facts { eligible, ..facts }.with(asked, Some(issued.clone()))
        };
        let ask = |policies: &Policies, facts: &Facts| {
            let facts = about_key(facts.clone(), &asked);
            self.may_ask_again(policies, &asked, &facts, issued, again).map(drop)
        };
        let looked_up =
            self.facts_unless_denied(&slack, &message.person, subject, (&approvals, None), now, ask).boxed();
        let (found, open) = try_join(looked_up, self.still_open(open, now)).await?;
        let (facts, denied) = match found {
            Found::Facts(facts) => (*facts, None),
            Found::Denied(denial, facts) => (*facts, Some(denial)),
            Found::NoSuchUser => {
                return self.refuse_again(message, issued, again, words::USER_GONE, now).await;
            }
        };
        asked.email_hash = facts.requester.email.as_deref().map(address_hash);
        let facts = about_key(facts, &asked);
        let id = match (again, &issued.replacement) {
            // Begun before: goes on as it began.
            (Again::Replace, Some(begun)) => begun.clone(),
            (_, _) => message.id.clone(),
        };
        let salt = Salt::of(random()?);
        let may = match denied {
            Some(denial) => Err(denial),
            None => self.may_ask_again(policies, &asked, &facts, issued, again),
        };
        let request = match may {
            Ok(needed) => match too_many_approvers(&facts) {
                Some(Limit { by, why }) => KeyRequest::refused(id, asked, salt, why, &[by.to_owned()]),
                None => self.asked_again(policies, (id, asked, salt), &facts, (issued, approvals, needed)),
            },
            Err(denial) => {
                let why = words::refused(&denial.advice, self.config.help_channel.as_ref());
                KeyRequest::refused(id, asked, salt, why, &denial.by)
            }
        };
        let request = too_many_open(request, &open);
        if again == Again::Replace && !matches!(request.state, State::Refused { .. }) {
            if self.replaced_before(&stored, &request.id).await? {
                return Ok(self.answer(message, now, &words::replacement_asked(issued)).await?);
            }
            self.make_room(message, stored.clone(), &request.id, now).await?;
            self.record_again((message, key, again), (request, &open), &facts, now).await?;
            self.remove_description_of(&stored.issued, &message.person.to_string(), now).await;
            return Ok(());
        }
        self.record_again((message, key, again), (request, &open), &facts, now).await
    }

    /// Whether policy lets this person ask for it, with how many approvals it then needs. The same question decides
    /// whether a button for it is shown.
    pub(super) fn may_ask_again(
        &self,
        policies: &Policies,
        asked: &Asked,
        facts: &Facts,
        issued: &IssuedKey,
        again: Again,
    ) -> Result<u32, Denial> {
        let (who, user) = (&facts.requester, &facts.iam_user);
        let key = KeyFacts::from(issued);
        match again {
            Again::Rotate | Again::Replace => policies.authorize(who, Rotate(key), user).map(drop)?,
            Again::Activate | Again::Undo | Again::Received => {
                policies.authorize(who, Activate(key), user).map(drop)?;
            }
            Again::Extend => policies.authorize(who, Request(facts.asked(asked, 0)), user).map(drop)?,
        }
        match facts.needed(policies, asked) {
            Needed::Approvals(needed) => Ok(needed),
            Needed::Never(denial) => Err(denial),
        }
    }

    /// The approvals that the key had, where what is asked is what they were given for: that its requester has it, until
    /// the end that was approved.
    fn inherited(&self, message: &Message, issued: &IssuedKey, again: Again) -> Vec<Approval> {
        // Not where the key itself comes back: whoever could forge that press might hold what was sealed.
        if again != Again::Replace || issued.requester != message.person {
            return Vec::new();
        }
        let approvals = issued.approved_by.iter().map(|by| Approval {
            by: by.clone(),
            press: issued.request.clone(),
            at: issued.issued_at,
        });
        approvals.collect()
    }

    /// The request as it begins, with the approvals that it inherits and that still count, if what they were given for is
    /// still so.
    fn asked_again(
        &self,
        policies: &Policies,
        (id, asked, salt): (RequestId, Asked, Salt),
        facts: &Facts,
        (issued, mut approvals, needed): (&IssuedKey, Vec<Approval>, u32),
    ) -> KeyRequest {
        let shown = Shown::of(&facts.iam_user, needed);
        // Who approved a user with other rights has not approved this.
        let same = issued.approved == shown.digest();
        approvals.retain(|approval| same && facts.stands(policies, &asked, &approval.by));
        let count = if same { facts.approvals(policies, &asked, None) } else { 0 };
        let issue = Issue(facts.asked(&asked, count));
        let enough =
            matches!(policies.decide(&facts.requester, &issue, &facts.iam_user), Verdict::Allow { .. });
        let approved_ttl = self.config.approved_ttl;
        let ttls = (self.config.request_ttl, approved_ttl);
        let request = KeyRequest::new(id, asked, shown, salt, facts.eligible.clone(), ttls);
        if approvals.is_empty() {
            return request;
        }
        request.inheriting(approvals, &issued.request, enough, approved_ttl)
    }

    /// Whether the key's one replacement was asked for before, by another message.
    async fn replaced_before(&self, stored: &StoredKey, id: &RequestId) -> anyhow::Result<bool> {
        match &stored.issued.replacement {
            Some(_) => Ok(Stored::read(&self.dynamo, id).await?.is_some()),
            None => Ok(false),
        }
    }

    /// The key that nobody received goes first. That it is being replaced is written down before, so that it happens once.
    async fn make_room(
        &self,
        message: &Message,
        stored: StoredKey,
        id: &RequestId,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let mut stored = stored;
        if stored.issued.replacement.is_none() {
            let begun = IssuedKey { replacement: Some(id.clone()), ..stored.issued.clone() };
            match self.dynamo.write(vec![stored.replace(&begun)?]).await {
                Ok(()) => {}
                Err(WriteError::Lost(_)) => return Err(NotDone::Later(std::time::Duration::from_secs(1))),
                Err(WriteError::Fault(fault)) => return Err(fault.into()),
            }
            stored = self.read_key(&begun.key).await?.unwrap_or(stored);
        }
        if matches!(stored.issued.state, KeyState::Deleted { .. }) {
            return Ok(());
        }
        self.delete_key(&stored, (Why::Unconfirmed, &message.person.to_string()), now).boxed().await
    }

    /// Records the request and answers. Where two keys are in the way, which of them could go is the answer.
    async fn record_again(
        &self,
        (message, key, again): (&Message, &AccessKeyId, Again),
        (mut request, open): (KeyRequest, &OpenRequests),
        facts: &Facts,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let refused = matches!(request.state, State::Refused { .. });
        let full = again == Again::Rotate && !refused && Self::has_two_keys(&facts.iam_user);
        if full {
            let why = words::two_keys(&facts.iam_user.name, &facts.iam_user.account);
            request = KeyRequest::refused(request.id, request.asked, request.salt, why, &[]);
        }
        if request.state == State::Pending {
            request.tellings.extend([Telling::Card]);
            request.tellings.extend(why_off(&request, facts));
        }
        let chooser = async { if full { self.chooser(facts, now).await.map(Some) } else { Ok(None) } };
        let create = async {
            match Stored::create(&self.dynamo, &request, Some(open)).await {
                Ok(stored) => Ok(stored),
                Err(WriteError::Lost(lost)) => {
                    Stored::read(&self.dynamo, &request.id).await?.ok_or_else(|| lost.into())
                }
                Err(WriteError::Fault(fault)) => Err(fault),
            }
        };
        let (stored, chooser) = try_join(create, chooser).await?;
        if !again.made(&stored.request.asked, message, key) {
            bears_anothers_id();
            return Ok(());
        }
        self.tell_again(message, stored, chooser, now).await
    }

    /// Answers with what came of it.
    async fn tell_again(
        &self,
        message: &Message,
        stored: Stored,
        chooser: Option<crate::slack_api::Message>,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        let request = &stored.request;
        let answer = match (&request.state, chooser) {
            (State::Refused { .. }, Some(chooser)) => chooser,
            (State::Refused { why }, None) => card::text(why),
            (State::Pending, _) => card::asked(request),
            (State::Approved, _) if request.asked.wants.existing().is_some() => {
                card::text(&words::under_way(request))
            }
            (State::Approved, _) => card::ready(request),
            (
                State::Ticketed { .. }
                | State::Issuing(_)
                | State::Ambiguous(_)
                | State::Issued { .. }
                | State::Fulfilled { .. }
                | State::Denied { .. }
                | State::Cancelled
                | State::Lapsed,
                _,
            ) => card::text(&words::standing(request)),
        };
        let told = self.answer_with(message, now, &answer).await;
        self.flush(stored).await;
        Ok(told?)
    }

    /// A no that the key's own state gives: said, and written into its trail.
    async fn refuse_again(
        &self,
        message: &Message,
        issued: &IssuedKey,
        again: Again,
        why: &str,
        now: Timestamp,
    ) -> Result<(), NotDone> {
        if let Some(stored) = Stored::read(&self.dynamo, &issued.request).await? {
            self.note(&stored, again.refused(), message, now).await?;
        }
        Ok(self.answer(message, now, why).await?)
    }
}

/// No redelivery: whoever made the message chose the id, and is told nothing of the request that has it.
fn bears_anothers_id() {
    tracing::error!("a message bears the id of another one's request");
}

/// Whoever is to approve that a key comes back is told why it is off.
fn why_off(request: &KeyRequest, facts: &Facts) -> Option<Telling> {
    let Wants::Back { undo: false, .. } = &request.asked.wants else { return None };
    let KeyState::Inactive { why, since } = &facts.key.as_ref()?.state else { return None };
    Some(Telling::Thread { message: card::text(&words::why_off(*why, *since)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PersonId;
    use crate::key::tests::{START, key, stored};
    use crate::key::{Off, Successor};

    const ALL: [Again; 6] =
        [Again::Rotate, Again::Activate, Again::Undo, Again::Received, Again::Replace, Again::Extend];

    fn off(why: Why) -> KeyState {
        KeyState::Inactive { why, since: Timestamp(START) }
    }

    fn states() -> Vec<KeyState> {
        let at = Timestamp(START);
        let by = RequestId::of_signature(&[2; 32]);
        let why = Why::Asked;
        let person: PersonId = "T0001.U0BOB".to_owned().try_into().unwrap();
        vec![
            KeyState::Delivered,
            KeyState::Confirmed,
            KeyState::Unconfirmed { since: at },
            off(Why::Asked),
            off(Why::Reported),
            off(Why::Unconfirmed),
            off(Why::Expired),
            KeyState::Activating { by, end: at, why, since: at },
            KeyState::Active,
            KeyState::Deleting { why, by: "a".to_owned() },
            KeyState::Deleted { why: Why::Unconfirmed, at },
            KeyState::Deleted { why, at },
            KeyState::Suspect { asked_at: at },
            KeyState::Disowned { by: person },
        ]
    }

    /// In a word each, what can be had of a key in each state ten days after it was issued for thirty.
    #[test]
    fn each_state_gives_what_it_can_and_nothing_else() {
        let now = Timestamp(START + 10 * DAY);
        let given: Vec<String> = states()
            .into_iter()
            .map(|state| {
                let stored = stored(IssuedKey { state: state.clone(), ..key(30) });
                let given = ALL.iter().filter(|again| again.wants(&stored, 90, now).is_ok());
                let given: Vec<String> = given.map(|again| format!("{again:?}")).collect();
                let why = match state {
                    KeyState::Inactive { why, .. } | KeyState::Deleted { why, .. } => why.as_str(),
                    _ => "",
                };
                format!("{} {why}: {}", state.as_str(), given.join(", "))
            })
            .collect();
        insta::assert_snapshot!(given.join("\n"), @r"
        DELIVERED : 
        CONFIRMED : Rotate, Extend
        UNCONFIRMED : 
        INACTIVE asked: Rotate, Activate, Undo
        INACTIVE reported: Rotate, Activate, Undo
        INACTIVE unconfirmed: Rotate, Activate, Undo, Received, Replace
        INACTIVE expired: Rotate, Activate, Undo
        ACTIVATING : 
        ACTIVE : Rotate, Extend
        DELETING : 
        DELETED unconfirmed: Replace
        DELETED asked: 
        SUSPECT : 
        DISOWNED : 
        ");
    }

    #[test]
    fn nothing_but_more_time_reaches_past_the_approved_end() {
        let issued = key(30);
        let end = issued.expires_at;
        for state in states() {
            for now in [Timestamp(START + 10 * DAY), Timestamp(end.0 - 1), end, Timestamp(end.0 + DAY)] {
                let stored = stored(IssuedKey { state: state.clone(), ..issued.clone() });
                for again in ALL {
                    let Ok((wants, days)) = again.wants(&stored, 90, now) else { continue };
                    let to = wants.end().unwrap();
                    assert_eq!(days, days_until(to, now), "{again:?} of {state:?}");
                    let most = match &wants {
                        Wants::Back { undo: true, .. } => Timestamp(now.0 + DAY),
                        Wants::Longer { .. } => Timestamp(now.0 + 30 * DAY),
                        _ => end,
                    };
                    assert!(now < to && to <= most, "{again:?} of {state:?}");
                }
            }
        }
    }

    #[test]
    fn an_expiry_is_taken_back_once_whatever_it_is_called() {
        let expired = IssuedKey { state: off(Why::Expired), ..key(30) };
        let now = Timestamp(START + 31 * DAY);
        let undone = IssuedKey { undone: Some(now), ..expired.clone() };
        for again in [Again::Undo, Again::Activate] {
            let (wants, days) = again.wants(&stored(expired.clone()), 90, now).unwrap();
            assert_eq!(
                wants,
                Wants::Back { key: expired.key.clone(), end: Timestamp(now.0 + DAY), undo: true }
            );
            assert_eq!(days, 1);
            let no = again.wants(&stored(undone.clone()), 90, now).unwrap_err();
            assert!(no.contains("that happens once"), "{no}");
        }
    }

    #[test]
    fn more_time_is_the_first_lifetime_from_now_and_no_more_than_is_ever_given() {
        let now = |days: i64| Timestamp(START + days * DAY);
        let extend = |issued: IssuedKey, most, now| Again::Extend.wants(&stored(issued), most, now);
        for (most, at, expected) in
            [(90, 10, Some(30)), (90, 1, Some(30)), (90, 0, None), (20, 29, Some(20)), (20, 10, None)]
        {
            let days = extend(key(30), most, now(at)).ok().map(|(_, days)| days);
            assert_eq!(days, expected, "at most {most}, on day {at}");
        }
        let mut marked = stored(key(30));
        marked.off = Some(Off { since: now(1), by: "a".to_owned(), why: Why::Asked, press: None });
        assert!(Again::Extend.wants(&marked, 90, now(10)).is_err(), "it is to be off");
        let successor = Successor {
            key: "AKIAIOSFODNN7EXAMPL2".parse().unwrap(),
            requester: key(30).requester,
            confirmed_at: now(1),
            look_at: None,
        };
        let replaced = IssuedKey { successor: Some(successor), ..key(30) };
        assert!(
            Again::Rotate
                .wants(&stored(replaced), 90, now(10))
                .unwrap_err()
                .contains("already been replaced")
        );
    }
}
