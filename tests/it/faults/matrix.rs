//! The matrix: every call on the path from the command to the confirmation, and everything that can happen to it.

use super::fault::{Fault, Kind, happen};
use testkit::deployed::Deployed;
use testkit::net::Call;

/// How many calls after the key's creation still are of issuing: sealing it, the trail, and sending for what is told.
const AFTER_CREATION: usize = 6;
/// From how many lists a new key is missing, where lists lag.
const LAG: u32 = 3;

/// Every call; of the eight queries of a sweep, which are the same call, the first.
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

/// One run under faults; how many calls it had, and whether all the faults happened.
async fn run(faults: &[Fault], counts: fn(&Call) -> bool, lists_lag: u32) -> (Vec<String>, usize) {
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
    let seen = seen.lock().unwrap();
    assert_eq!(seen.untrue, Vec::<String>::new(), "{faults:?}");
    (seen.calls.clone(), seen.happened)
}

async fn every_fault_of(kind: Kind, counts: fn(&Call) -> bool) {
    let (calls, _) = Box::pin(run(&[], counts, 0)).await;
    let issuing = issuing(&calls);
    let mut happened = 0;
    for nth in 0..calls.len() {
        let fault = [Fault { nth, kind }];
        happened += Box::pin(run(&fault, counts, 0)).await.1;
        if issuing.contains(&nth) {
            assert_eq!(Box::pin(run(&fault, counts, LAG)).await.1, 1, "{fault:?} happened");
        }
    }
    assert_eq!(happened, calls.len(), "every fault happened");
    assert!(calls.len() > 40, "{} calls", calls.len());
}

/// Which calls are of issuing: from the tab's claim to what follows the sealed key.
fn issuing(calls: &[String]) -> std::ops::RangeInclusive<usize> {
    let created = calls.iter().position(|call| call == "CreateAccessKey").unwrap();
    let claimed = calls[..created].iter().rposition(|call| call == "UpdateItem").unwrap();
    claimed..=created + AFTER_CREATION
}

macro_rules! kinds {
    ($($name:ident: $kind:ident, $counts:ident;)+) => { $(
        #[tokio::test]
        async fn $name() {
            every_fault_of(Kind::$kind, $counts).await;
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
