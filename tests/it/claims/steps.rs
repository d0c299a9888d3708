//! Every state of a ticket, by whom it is asked, with which proof and code, in time or not: what comes of it.

use keyvend::aws::item::Attribute;
use keyvend::domain::ticket::claim::{
    ClaimOutcome, ClaimStep, FETCH_WINDOW, StoredTicket, TRIES, TicketState, acknowledge, after_try, claim,
};
use keyvend::time::Timestamp;

use crate::claims::fixtures::{self, Code, EXPIRES, START};

const STATES: [&str; 8] =
    ["PENDING", "CLAIMED", "LOCKED", "VOID", "FAILED", "SEALED", "CONFIRMED", "UNCONFIRMED"];
const SEALED_AT: Timestamp = Timestamp(START.0 + 30);

/// Who asks: the tab that claimed, one that has only its id or only its key, or another.
const ASKERS: [(&str, usize, usize); 4] =
    [("same", 0, 0), ("its id", 0, 1), ("its key", 1, 0), ("other", 1, 1)];

fn ticket(state: &str, wants_code: bool, tries: i64) -> StoredTicket {
    let claimed = fixtures::claimed(0);
    let sealed = fixtures::sealed_to(&claimed.key);
    let state = match state {
        "PENDING" => TicketState::Pending,
        "CLAIMED" => TicketState::Claimed(claimed),
        "LOCKED" => TicketState::Locked,
        "VOID" => TicketState::Void,
        "FAILED" => TicketState::Failed,
        "SEALED" => TicketState::Sealed {
            claimed,
            sealed_at: SEALED_AT,
            enc: sealed.enc,
            ct: sealed.ct,
            aad: sealed.aad,
            receipt_hash: sealed.receipt_hash,
        },
        "CONFIRMED" => TicketState::Confirmed { claimed, receipt_hash: sealed.receipt_hash },
        _ => TicketState::Unconfirmed(claimed),
    };
    StoredTicket { state, tries, ..fixtures::ticket(wants_code) }
}

/// A step in one word; what it writes is told by the state it sets.
fn word(step: &ClaimStep) -> String {
    match step {
        ClaimStep::Answer(ClaimOutcome::Sealed { ct, .. }) => {
            assert_eq!(*ct, fixtures::sealed_to(&fixtures::key(0)).ct);
            "sealed".to_owned()
        }
        ClaimStep::Answer(answer) => format!("{answer:?}"),
        ClaimStep::CountAttempt(_) => "take a try".to_owned(),
        ClaimStep::Write(update, answer) => {
            let states =
                [":claimed", ":locked", ":confirmed"].iter().filter_map(|name| update.values.get(*name));
            let [Attribute::Text(state)] = states.collect::<Vec<_>>()[..] else { panic!("{update:?}") };
            format!("{state}, then {answer:?}")
        }
    }
}

#[test]
fn every_claim_has_its_step() {
    let mut seen = 0;
    for state in STATES {
        for wants_code in [false, true] {
            for tries in 0..=TRIES {
                for (asker, cid, key) in ASKERS {
                    for right_proof in [true, false] {
                        for code in Code::ALL {
                            for now in [
                                START,
                                SEALED_AT,
                                Timestamp(EXPIRES.0 - 1),
                                EXPIRES,
                                Timestamp(EXPIRES.0 + 1),
                            ] {
                                let mut claim_of = fixtures::claim(cid, right_proof, code);
                                claim_of.key = fixtures::key(key);
                                let step = claim(&ticket(state, wants_code, tries), &claim_of, now);
                                let expired = now >= EXPIRES;
                                let fetched = now.since(SEALED_AT) >= FETCH_WINDOW;
                                let left = TRIES - tries;
                                let expected = match (state, right_proof, asker) {
                                    (_, false, _) => "NotFound".to_owned(),
                                    ("PENDING", ..) if left == 0 => "Locked".to_owned(),
                                    ("PENDING", ..) if expired => "Expired".to_owned(),
                                    ("PENDING", ..) if !wants_code => {
                                        "CLAIMED, then Working { attempt: 1 }".to_owned()
                                    }
                                    ("PENDING", ..) if code == Code::None => {
                                        format!("CodeWanted {{ tries_left: {left} }}")
                                    }
                                    ("PENDING", ..) => "take a try".to_owned(),
                                    ("CLAIMED", _, "same") => "Working { attempt: 1 }".to_owned(),
                                    ("SEALED", _, "same") if fetched => "Unconfirmed".to_owned(),
                                    ("SEALED", _, "same") => "sealed".to_owned(),
                                    ("CONFIRMED", _, "same") => "AlreadyConfirmed".to_owned(),
                                    ("CLAIMED" | "SEALED" | "CONFIRMED", ..) => "Used".to_owned(),
                                    ("LOCKED", ..) => "Locked".to_owned(),
                                    ("VOID", ..) => "Void".to_owned(),
                                    ("FAILED", ..) => "Failed".to_owned(),
                                    _ => "Unconfirmed".to_owned(),
                                };
                                assert_eq!(
                                    word(&step),
                                    expected,
                                    "{state}, code wanted {wants_code}, {tries} tries, {asker}, proof {right_proof}, {code:?}, {now:?}"
                                );
                                seen += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen, 8 * 2 * 6 * 4 * 2 * 3 * 5);
}

#[test]
fn counted_attempt_claims_or_locks_ticket() {
    // A counted attempt claims with the right code; the fifth wrong code locks the ticket.
    for wants_code in [false, true] {
        for tries in 1..=TRIES {
            for code in Code::ALL {
                let step =
                    after_try(&fixtures::ticket(wants_code), &fixtures::claim(0, true, code), tries, START);
                let expected = if wants_code && code == Code::Right {
                    "CLAIMED, then Working { attempt: 1 }".to_owned()
                } else if tries == TRIES {
                    "LOCKED, then Locked".to_owned()
                } else {
                    format!("CodeWrong {{ tries_left: {} }}", TRIES - tries)
                };
                assert_eq!(word(&step), expected, "code wanted {wants_code}, {tries} tries, {code:?}");
            }
        }
    }
}

#[test]
fn every_confirmation_has_its_step() {
    for state in STATES {
        for (asker, cid) in [("same", 0), ("other", 1)] {
            for right_proof in [true, false] {
                for right_receipt in [true, false] {
                    // State decides, not the clock.
                    for now in [
                        START,
                        SEALED_AT,
                        Timestamp(SEALED_AT.0 + FETCH_WINDOW),
                        Timestamp(EXPIRES.0 + 9_999),
                    ] {
                        let mut ack = fixtures::ack(cid, right_proof, right_receipt);
                        if right_receipt {
                            ack.receipt_hash = fixtures::receipt_hash(&fixtures::key(0));
                        }
                        let step = acknowledge(&ticket(state, true, 1), &ack, now);
                        let expected = match (state, right_proof, asker, right_receipt) {
                            (_, false, ..) | ("PENDING", ..) => "NotFound",
                            ("SEALED", _, "same", true) => "CONFIRMED, then Confirmed",
                            ("CONFIRMED", _, "same", true) => "Confirmed",
                            ("SEALED" | "CONFIRMED", _, "same", false) => "WrongReceipt",
                            ("CLAIMED" | "SEALED" | "CONFIRMED", ..) => "Used",
                            ("LOCKED", ..) => "Locked",
                            ("VOID", ..) => "Void",
                            ("FAILED", ..) => "Failed",
                            _ => "Unconfirmed",
                        };
                        assert_eq!(
                            word(&step),
                            expected,
                            "{state}, {asker}, proof {right_proof}, receipt {right_receipt}, {now:?}"
                        );
                    }
                }
            }
        }
    }
}
