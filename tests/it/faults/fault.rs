//! What can happen to a call, and who hears something that is not so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::{Call, HOME, Interfere};

/// One way for a call to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It fails before anything is done, as often as the SDK tries it.
    Fails,
    /// It is done and its reply is lost, once: a retry finds it done.
    ReplyLost,
    /// It is done and its reply is lost, as often as the SDK tries it.
    RepliesLost,
    /// The function is killed before it.
    KilledBefore,
    /// The function is killed after it.
    KilledAfter,
    /// It takes so long that the invocation's own deadline is over when it is done.
    Slow,
}

impl Kind {
    fn times(self) -> usize {
        match self {
            Self::Fails | Self::RepliesLost => 3,
            Self::ReplyLost | Self::KilledBefore | Self::KilledAfter | Self::Slow => 1,
        }
    }

    fn interference(self) -> Interfere {
        match self {
            Self::Fails => Interfere::FailBefore,
            Self::ReplyLost | Self::RepliesLost => Interfere::LoseReply,
            Self::KilledBefore => Interfere::CrashBefore,
            Self::KilledAfter => Interfere::CrashAfter,
            Self::Slow => Interfere::Pass,
        }
    }
}

/// A fault: the `nth` call that counts, and what happens to it.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub nth: usize,
    pub kind: Kind,
}

/// What a run under faults came to.
#[derive(Debug, Default)]
pub struct Seen {
    /// Calls that counted.
    pub calls: Vec<String>,
    /// How many faults happened.
    pub happened: usize,
    /// What somebody was told that was not so when it was told.
    pub untrue: Vec<String>,
}

/// Has these faults happen to the calls that count, and listens to what is said.
pub fn happen(
    keyvend: &Deployed,
    faults: &[Fault],
    counts: impl Fn(&Call) -> bool + Send + 'static,
) -> Arc<Mutex<Seen>> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut open: Vec<(Fault, usize, Option<Value>)> = faults.iter().map(|fault| (*fault, 0, None)).collect();
    let (net, clock, kept) = (keyvend.world.net.clone(), keyvend.world.clock.clone(), seen.clone());
    keyvend.world.net.before(move |call| {
        let mut seen = kept.lock().unwrap();
        let mut what = Interfere::Pass;
        if counts(call) {
            let at = seen.calls.len();
            // One that would strike a retry of what another struck strikes the next call instead.
            let again = open.iter_mut().find(|(fault, times, struck)| {
                (struck.is_none() && fault.nth <= at)
                    || (struck.as_ref() == Some(&call.parameters) && *times < fault.kind.times())
            });
            seen.calls.push(call.operation.clone());
            if let Some((fault, times, struck)) = again {
                if *times == 0 {
                    seen.happened += 1;
                }
                *times += 1;
                *struck = Some(call.parameters.clone());
                if fault.kind == Kind::Slow {
                    clock.advance(Duration::from_secs(40));
                }
                what = fault.kind.interference();
            }
        }
        if call.service == "slack" && !matches!(what, Interfere::FailBefore | Interfere::CrashBefore) {
            let keys = aws::keys(&net, HOME, "ci-deployer");
            let keys = keys.into_iter().map(|key| (key.id, key.status == "Active")).collect::<Vec<_>>();
            seen.untrue.extend(untrue(call.parameters["text"].as_str().unwrap_or_default(), &keys));
        }
        what
    });
    seen
}

/// What a sentence says about keys that is not so: `keys` are those there are, and whether each is on.
fn untrue(text: &str, keys: &[(String, bool)]) -> Option<String> {
    let named = text.split('`').find(|part| part.starts_with("AKIA") && part.len() == 20);
    let key = named.and_then(|named| keys.iter().find(|(id, _)| id == named));
    let on = keys.iter().any(|(_, on)| *on);
    let lie = if text.contains("was created and delivered") {
        key.is_none()
    } else if text.contains("is deleted:") {
        key.is_some()
    } else if text.contains("so it was deactivated") || text.contains("and was deactivated") {
        key.is_some_and(|(_, on)| *on)
    } else if text.contains("is reactivated") {
        key.is_none_or(|(_, on)| !*on)
    } else if ["o key was created", "o key exists"].iter().any(|sentence| text.contains(sentence)) {
        on
    } else {
        false
    };
    lie.then(|| format!("{text} - but the keys are {keys:?}"))
}

#[test]
fn a_lie_is_heard() {
    let on = [("AKIA0000000000000001".to_owned(), true)];
    let off = [("AKIA0000000000000001".to_owned(), false)];
    for (text, keys, lies) in [
        ("The key `AKIA0000000000000001` for x was created and delivered to the tab", on.as_slice(), false),
        ("The key `AKIA0000000000000001` for x was created and delivered to the tab", &[], true),
        ("The key `AKIA0000000000000001` for x is deleted: it had expired.", &off, true),
        ("The key `AKIA0000000000000001` for x has expired and was deactivated.", &on, true),
        ("The key `AKIA0000000000000001` for x has expired and was deactivated.", &off, false),
        ("The key `AKIA0000000000000001` for x is reactivated", &off, true),
        ("Your link expired unused. No key was created", &on, true),
        ("Your link expired unused. No key was created", &off, false),
    ] {
        assert_eq!(untrue(text, keys).is_some(), lies, "{text}: {keys:?}");
    }
}
