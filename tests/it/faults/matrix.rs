//! The matrix: every call on the path from the command to the confirmation, and everything that can happen to it.

use super::fault::{Fault, Kind, Seen, happen};
use testkit::deployed::Deployed;
use testkit::net::Call;
use testkit::steps::stable;

/// How many calls after the key's creation still are of issuing: sealing it, the trail, and sending for what is told.
const AFTER_CREATION: usize = 6;
/// From how many lists a new key is missing, where lists lag.
const LAG: u32 = 3;

/// Every call; of the queries of a sweep in one lane, which are the same call, the first.
pub fn any(call: &Call) -> bool {
    call.operation != "Query" || call.parameters.to_string().contains(r#"":shard":{"S":"0"}"#)
}

/// Calls that do something. Of a call that only reads, a lost reply is a failure, and being killed before or after it is
/// being killed after the last call that did something.
pub fn acts(call: &Call) -> bool {
    does(&call.operation)
}

/// Whether an operation does something.
pub fn does(operation: &str) -> bool {
    let reads = ["Get", "List", "Query", "users.", "conversations.info", "conversations.members"];
    !reads.iter().any(|read| operation.starts_with(read))
}

/// A session of STS is used for thirteen minutes. Where nothing is due for longer, cold functions do what warm ones would, but
/// that they read the bot's token.
const NOTHING_IS_WARM: u64 = 800;

/// A run without faults, at a moment when nothing is due for a while.
struct Later {
    /// How many calls there were before.
    calls: usize,
    keyvend: Deployed,
}

/// The calls of a run without faults, and what it was like later, when the key was there and only time passed.
async fn unfaulted(counts: fn(&Call) -> bool) -> (Vec<String>, Vec<Later>) {
    let keyvend = Deployed::new().await;
    let seen = happen(&keyvend, &[], counts);
    let (_, key) = Box::pin(keyvend.persists()).await.unwrap();
    Box::pin(keyvend.dead_letters_return()).await;
    keyvend.has_the_key(&key, "no fault").await;
    keyvend.answers_what_is_asked().await;
    let mut later = Vec::new();
    Box::pin(keyvend.all_comes_due(async |wait| {
        if wait > NOTHING_IS_WARM {
            let calls = seen.lock().unwrap().calls.len();
            later.push(Later { calls, keyvend: keyvend.fork().await });
        }
    }))
    .await;
    keyvend.has_ended("no fault").await;
    let calls = seen.lock().unwrap().calls.clone();
    (calls, later)
}

/// What a run under one fault comes to that strikes later: nothing before it is done again.
async fn resumed(later: &Later, fault: Fault, counts: fn(&Call) -> bool) -> (Deployed, Seen) {
    let keyvend = later.keyvend.fork().await;
    let fault = Fault { nth: fault.nth - later.calls, ..fault };
    let seen = happen(&keyvend, &[fault], move |call| call.operation != "GetSecretValue" && counts(call));
    Box::pin(keyvend.all_comes_due(async |_| {})).await;
    keyvend.has_ended(&format!("{fault:?}, {:?}", seen.lock().unwrap().calls)).await;
    keyvend.world.net.undisturbed();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.untrue, Vec::<String>::new(), "{fault:?}");
    (keyvend, seen)
}

/// One run under faults from its beginning; how many calls it had, and whether all the faults happened.
async fn run(faults: &[Fault], counts: fn(&Call) -> bool, lists_lag: u32) -> (Vec<String>, usize) {
    let (_, seen) = Box::pin(replayed(faults, counts, lists_lag)).await;
    (seen.calls, seen.happened)
}

async fn replayed(faults: &[Fault], counts: fn(&Call) -> bool, lists_lag: u32) -> (Deployed, Seen) {
    let keyvend = Deployed::new().await;
    let seen = happen(&keyvend, faults, counts);
    keyvend.world.net.iam().hide_new_keys(lists_lag);
    let about = || format!("{faults:?}, lists lag {lists_lag}, {:?}", seen.lock().unwrap().calls);
    let got = Box::pin(keyvend.persists()).await;
    keyvend.is_sound(&about()).await;
    let Some((_, key)) = got else { panic!("{}: no key in the end", about()) };
    keyvend.has_the_key(&key, &about()).await;
    let creates = keyvend.creates();
    Box::pin(keyvend.dead_letters_return()).await;
    assert_eq!(keyvend.creates(), creates, "{}: a dead letter made a key", about());
    keyvend.has_the_key(&key, &about()).await;
    Box::pin(keyvend.time_passes()).await;
    keyvend.has_ended(&about()).await;
    keyvend.world.net.undisturbed();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.untrue, Vec::<String>::new(), "{faults:?}");
    (keyvend, seen)
}

/// One of so many parts of the calls: call `from` and every `of`th behind it. The parts together have every call once.
#[derive(Clone, Copy)]
struct Part {
    from: usize,
    of: usize,
}

async fn every_fault_of(kind: Kind, counts: fn(&Call) -> bool, part: Part) {
    let (calls, later) = Box::pin(unfaulted(counts)).await;
    let issuing = issuing(&calls);
    let mut happened = 0;
    let nths = (part.from..calls.len()).step_by(part.of);
    for nth in nths.clone() {
        let fault = [Fault { nth, kind }];
        happened += match later.iter().rfind(|later| later.calls <= nth) {
            Some(later) => Box::pin(resumed(later, fault[0], counts)).await.1.happened,
            None => Box::pin(run(&fault, counts, 0)).await.1,
        };
        if issuing.contains(&nth) {
            assert_eq!(Box::pin(run(&fault, counts, LAG)).await.1, 1, "{fault:?} happened");
        }
    }
    assert_eq!(happened, nths.len(), "every fault happened");
    assert!(calls.len() > 40, "{} calls", calls.len());
}

/// Which calls are of issuing: from the tab's claim to what follows the sealed key.
fn issuing(calls: &[String]) -> std::ops::RangeInclusive<usize> {
    let created = calls.iter().position(|call| call == "CreateAccessKey").unwrap();
    let claimed = calls[..created].iter().rposition(|call| call == "UpdateItem").unwrap();
    claimed..=created + AFTER_CREATION
}

/// What a run comes to, with what is drawn at random as placeholders: all that was said, the trail, and the keys.
async fn outcome(keyvend: &Deployed) -> Vec<String> {
    let said = keyvend.world.net.slack().ever();
    let said = said.iter().map(|message| {
        format!("{} {} {}", message.at.0, message.deleted, drawn(&stable(&message.reading())))
    });
    let trail = keyvend.trail().await;
    let trail = trail.iter().map(|entry| format!("{} {} {}", entry.at.0, entry.event, entry.actor));
    let keys = keyvend.world.net.iam().all_keys().into_iter().map(|key| format!("{} {}", key.id, key.status));
    said.chain(trail).chain(keys).chain([keyvend.world.clock.now().0.to_string()]).collect()
}

/// Hashes as placeholders: those of checkpoints are of chains, in which much is drawn at random.
fn drawn(text: &str) -> String {
    let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let parts = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    parts.map(|part| if is_hash(part.trim_end_matches('`')) { "<hash>`" } else { part }).collect()
}

#[tokio::test]
async fn resumed_run_ends_as_a_replayed_one() {
    let (calls, later) = Box::pin(unfaulted(any)).await;
    for kind in [Kind::Fails, Kind::Slow, Kind::RepliesLost, Kind::KilledBefore, Kind::KilledAfter] {
        for from in later.iter().step_by(3) {
            let fault = Fault { nth: (from.calls + 2).min(calls.len() - 1), kind };
            let (resumed, after) = Box::pin(resumed(from, fault, any)).await;
            let (replayed, all) = Box::pin(replayed(&[fault], any, 0)).await;
            assert_eq!(after.calls, all.calls[from.calls..], "{fault:?}");
            assert_eq!(outcome(&resumed).await, outcome(&replayed).await, "{fault:?}");
        }
    }
}

macro_rules! kinds {
    ($($name:ident: $kind:ident, $counts:ident;)+) => { $(
        /// In four parts, so that no thread is busy with it long after the others are done.
        mod $name {
            use super::{Kind, Part, $counts, every_fault_of};

            #[tokio::test]
            async fn first_quarter() {
                every_fault_of(Kind::$kind, $counts, Part { from: 0, of: 4 }).await;
            }

            #[tokio::test]
            async fn second_quarter() {
                every_fault_of(Kind::$kind, $counts, Part { from: 1, of: 4 }).await;
            }

            #[tokio::test]
            async fn third_quarter() {
                every_fault_of(Kind::$kind, $counts, Part { from: 2, of: 4 }).await;
            }

            #[tokio::test]
            async fn last_quarter() {
                every_fault_of(Kind::$kind, $counts, Part { from: 3, of: 4 }).await;
            }
        }
    )+ };
}

kinds! {
    any_call_may_fail: Fails, any;
    any_call_may_time_out: Slow, any;
    any_response_may_be_lost: ReplyLost, acts;
    every_retry_may_lose_its_response: RepliesLost, acts;
    any_function_may_crash_before_a_call: KilledBefore, acts;
    any_function_may_crash_after_a_call: KilledAfter, acts;
}

/// How far behind the first fault the second is.
const APART: usize = 7;

/// Two faults, of which the first is of this kind and strikes between the tab's claim and what follows the sealed key; with
/// lists that lag every other time.
async fn every_pair_on_the_way_of_issuing(first: Kind) {
    let (calls, _) = Box::pin(run(&[], acts, 0)).await;
    let mut pairs = 0;
    for nth in issuing(&calls) {
        for then in nth + 1..=nth + APART {
            for kind in [Kind::Fails, Kind::RepliesLost, Kind::KilledAfter, Kind::Slow] {
                let faults = [Fault { nth, kind: first }, Fault { nth: then, kind }];
                let lists_lag = if (nth + then) % 2 == 0 { LAG } else { 0 };
                let happened = Box::pin(run(&faults, acts, lists_lag)).await.1;
                assert_eq!(happened, 2, "{faults:?}: both happened");
                pairs += 1;
            }
        }
    }
    assert!(pairs > 350, "{pairs} pairs");
}

macro_rules! pairs {
    ($($name:ident: $kind:ident;)+) => { $(
        #[tokio::test]
        async fn $name() {
            every_pair_on_the_way_of_issuing(Kind::$kind).await;
        }
    )+ };
}

pairs! {
    failed_call_and_second_failure_during_issue: Fails;
    lost_responses_and_second_failure_during_issue: RepliesLost;
    crash_and_second_failure_during_issue: KilledAfter;
    timeout_and_second_failure_during_issue: Slow;
}
