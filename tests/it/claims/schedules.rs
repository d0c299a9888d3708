//! Random schedules: several tabs and their retries, the worker, people's presses, lost replies, crashes and the clock,
//! interleaved at every call; in memory, and some of the same at the emulator too.

use std::collections::BTreeMap;

use crate::claims::actors::{Broken, run};
use crate::claims::emulated::Emulated;

/// How many schedules are run in memory.
const SCHEDULES: u64 = 100_000;
/// How many of them, the first, are run at the emulator beside it.
const EMULATED: u64 = 2_000;
/// How many things happen in one.
const LENGTH: std::ops::Range<u64> = 10..54;

/// The words of a schedule: SplitMix64, from its number.
fn schedule(number: u64) -> Vec<u32> {
    let mut state = number;
    let mut next = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    };
    let length = LENGTH.start + next() % (LENGTH.end - LENGTH.start);
    (0..length).map(|_| (next() >> 32) as u32).collect()
}

/// Leaves out of a broken schedule whatever it is broken without.
fn shortened(mut words: Vec<u32>, emulated: Option<&Emulated>) -> Vec<u32> {
    let broken = |words: &[u32]| {
        let outcome = run(words, emulated, false);
        emulated.inspect(|emulated| emulated.clear());
        outcome.is_err()
    };
    let mut part = words.len();
    while part > 0 {
        let mut at = 0;
        while at < words.len() {
            // The first word says what the story is about.
            let from = at.max(1).min(words.len());
            let to = (at + part).min(words.len());
            let shorter = [&words[..from], &words[to.max(from)..]].concat();
            if shorter.len() < words.len() && broken(&shorter) {
                words = shorter;
            } else {
                at += part;
            }
        }
        part /= 2;
    }
    words
}

/// Runs so many schedules; how often what was seen.
fn run_all(schedules: u64, emulated: Option<&Emulated>) -> BTreeMap<&'static str, u32> {
    let mut seen = BTreeMap::new();
    for number in 0..schedules {
        let words = schedule(number);
        let outcome = run(&words, emulated, false);
        emulated.inspect(|emulated| emulated.clear());
        match outcome {
            Ok(what) => what.into_iter().for_each(|what| *seen.entry(what).or_default() += 1),
            Err(broken) => panic!("{}", story(number, words, &broken, emulated)),
        }
    }
    seen
}

/// What is broken, and the shortest schedule that shows it, told step by step.
fn story(number: u64, words: Vec<u32>, broken: &Broken, emulated: Option<&Emulated>) -> String {
    let at = broken.at.map_or("at its end".to_owned(), |at| format!("at step {at}"));
    let short = shortened(words, emulated);
    let told = run(&short, emulated, true).err();
    let steps = told.as_ref().map_or("not broken again".to_owned(), |told| told.told.join("\n  "));
    let what = told.as_ref().map_or("", |told| told.what.as_str());
    format!(
        "schedule {number} is broken {at}: {}\nshortened to {} words it is broken so: {what}\n  {steps}",
        broken.what,
        short.len()
    )
}

// T3.3
#[test]
fn whatever_comes_between_one_tab_gets_the_key() {
    let seen = run_all(SCHEDULES, None);
    for what in [
        "a claim",
        "a wrong code",
        "a lock",
        "a void",
        "a void of a claimed one",
        "a failure",
        "a reissue",
        "another attempt",
        "a seal",
        "a sealed key handed over",
        "a confirmation",
        "an unconfirmed key",
        "a second tab",
        "an expired link",
        "PENDING",
        "APPROVED",
        "LINK_ISSUED",
        "ISSUING",
        "AMBIGUOUS",
        "ISSUED",
        "DENIED",
        "CANCELLED",
        "EXPIRED",
        "POLICY_DENIED",
    ] {
        assert!(seen.get(what).is_some_and(|times| *times >= 100), "{what} is hardly ever seen: {seen:?}");
    }
}

#[test]
fn emulator_agrees_with_model_on_every_outcome() {
    let emulated = Emulated::new();
    let seen = run_all(EMULATED, Some(&emulated));
    assert!(seen.get("a confirmation").is_some_and(|times| *times >= 100), "{seen:?}");
}
