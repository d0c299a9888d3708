//! A trail that was tampered with is found out, and the first record that does not fit is named: its chain, its place
//! and what is wrong.

use std::time::Duration;

use keyvend::cli::ExitStatus;
use serde_json::{Value, json};

use super::operator::{ASK, Operator, approved, keyvend, scratch, stable};
use super::tampered_audit::Tamperer;
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER};
use testkit::{World, aws};

/// Two requests' trails; the first has two records or more, the second more than three.
struct Kept {
    deployed: Deployed,
    one: String,
    other: String,
}

async fn kept() -> Kept {
    let deployed = Deployed::new().await;
    deployed.types(ALICE_OWNER, ASK).await;
    deployed.presses(BOB_APPROVER, &deployed.card(), "Approve").await;
    let one = requests(&deployed.world).await.remove(0);
    deployed.world.clock.advance(Duration::from_secs(60));
    approved(&deployed).await;
    let ready = deployed.world.net.slack().last_told(ALICE_OWNER);
    deployed.presses(ALICE_OWNER, &ready, "Get my key").await;
    let other = requests(&deployed.world).await.into_iter().find(|id| *id != one).unwrap();
    Kept { deployed, one, other }
}

async fn requests(world: &World) -> Vec<String> {
    let exported = keyvend(world, &["audit", "export", "--json"]).await.out;
    let mut ids: Vec<String> = Vec::new();
    for line in exported.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let id = record["request"].as_str().unwrap().to_owned();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// The problems that are found in the tables, and the same ones in what is exported of them; `anchor` is asked about.
async fn problems(world: &World, name: &str, anchor: Option<&str>) -> Value {
    let anchor: Vec<&str> = anchor.into_iter().flat_map(|hash| ["--anchor", hash]).collect();
    let of_tables = keyvend(world, &[&["audit", "verify", "--json"], anchor.as_slice()].concat()).await;
    let file = scratch(name).join("trail.jsonl");
    let path = file.to_str().unwrap();
    keyvend(world, &["audit", "export", "--format", "jsonl", "--out", path]).await.done();
    let words = [&["audit", "verify", "--json", "--from", path], anchor.as_slice()].concat();
    let of_file = Operator::of(world).with("KEYVEND_AUDIT_TABLE", "").runs(&words).await;
    let (of_tables, of_file) = (of_tables.json(), of_file.json());
    assert_eq!(of_file["compared_with_requests"], false);
    assert_eq!(of_tables["compared_with_requests"], true);
    json!({"tables": of_tables["problems"], "file": of_file["problems"]})
}

fn both(problem: Value) -> Value {
    json!({"tables": [problem], "file": [problem]})
}

#[tokio::test]
async fn a_whole_trail_verifies() {
    let Kept { deployed, .. } = kept().await;
    let ran = keyvend(&deployed.world, &["audit", "verify"]).await;
    insta::assert_snapshot!(ran.done(), @r"
    The audit trail is intact.

      read   5 records in 2 chains, 0 checkpoints
      heads  compared with table Requests

    Only an anchor proves that the newest records were not removed: the hash of a checkpoint, posted in the
    approvals channel once a day. Use it with --anchor.
    ");
}

#[tokio::test]
async fn trail_is_read_across_all_pages() {
    let Kept { deployed, .. } = kept().await;
    let whole = keyvend(&deployed.world, &["audit", "verify", "--json"]).await.json();
    deployed.world.net.dynamo().page(1);
    let paged = Operator::of(&deployed.world).watched().runs(&["audit", "verify", "--json"]).await;
    assert_eq!(paged.json(), whole);
    assert!(paged.err.contains("\r1 record read\r2 records read"), "{}", paged.err);
}

// T5.4
#[tokio::test]
async fn a_changed_record_is_named() {
    let Kept { deployed, one, .. } = kept().await;
    Tamperer::of(&deployed.world).changes(&one, 2, "actor", "T0001.U0MALLORY").await;
    let found = problems(&deployed.world, "changed", None).await;
    assert_eq!(found, both(json!({"request": one, "seq": 2, "problem": "changed"})));
    let ran = keyvend(&deployed.world, &["audit", "verify"]).await;
    assert_eq!(ran.ending, ExitStatus::No);
    insta::assert_snapshot!(stable(&ran.out), @r"
    The audit trail is not intact. The first invalid record:

      chain    <request>
      record   2
      problem  changed: its hash does not match its contents

      read   5 records in 2 chains, 0 checkpoints
      heads  compared with table Requests

    Next: preserve the evidence. Export the trail, and compare it with a copy of the table restored to an earlier
    time (point-in-time recovery).
    ");
}

#[tokio::test]
async fn every_part_of_a_record_is_covered() {
    for (name, value) in
        [("event", "denied"), ("actor", "x"), ("prev", &"1".repeat(64)), ("hash", &"1".repeat(64))]
    {
        let Kept { deployed, one, .. } = kept().await;
        Tamperer::of(&deployed.world).changes(&one, 1, name, value).await;
        let found = keyvend(&deployed.world, &["audit", "verify", "--json"]).await.json();
        assert_eq!(found["problems"][0]["seq"], 1, "{name}: {found}");
        assert_eq!(found["problems"].as_array().unwrap().len(), 1, "{name}: {found}");
    }
}

// T5.4
#[tokio::test]
async fn a_removed_record_is_named() {
    let Kept { deployed, one, other } = kept().await;
    let tamperer = Tamperer::of(&deployed.world);
    tamperer.removes(&other, 2).await;
    let found = problems(&deployed.world, "removed", None).await;
    assert_eq!(found, both(json!({"request": other, "seq": 2, "problem": "missing"})));
    tamperer.removes(&one, 1).await;
    let found = keyvend(&deployed.world, &["audit", "verify", "--json"]).await.json();
    assert_eq!(found["problems"].as_array().unwrap().len(), 2, "{found}");
    assert!(
        found["problems"]
            .as_array()
            .unwrap()
            .contains(&json!({"request": one, "seq": 1, "problem": "missing"}))
    );
}

// T5.4
#[tokio::test]
async fn swapped_records_are_named_with_where_they_belong() {
    let Kept { deployed, one, other } = kept().await;
    let tamperer = Tamperer::of(&deployed.world);
    tamperer.swaps((&other, 2), (&other, 3)).await;
    let moved = |request: &str, seq: u32, from_request: &str, from_seq: u32| {
        json!({
            "request": request, "seq": seq, "problem": "moved", "from_request": from_request, "from_seq": from_seq,
        })
    };
    let found = problems(&deployed.world, "swapped", None).await;
    assert_eq!(found, both(moved(&other, 2, &other, 3)));
    tamperer.swaps((&other, 2), (&other, 3)).await;
    tamperer.swaps((&one, 1), (&other, 2)).await;
    let found = keyvend(&deployed.world, &["audit", "verify", "--json"]).await.json();
    let found = found["problems"].as_array().unwrap();
    assert!(found.contains(&moved(&one, 1, &other, 2)), "{found:?}");
    assert!(found.contains(&moved(&other, 2, &one, 1)), "{found:?}");
}

// T5.4
#[tokio::test]
async fn forged_record_with_valid_hash_is_detected() {
    // A forged record with a matching hash does not fit the next record of its chain.
    let Kept { deployed, other, .. } = kept().await;
    Tamperer::of(&deployed.world).forges(&other, 2, "actor", "T0001.U0MALLORY").await;
    let found = problems(&deployed.world, "forged", None).await;
    assert_eq!(found, both(json!({"request": other, "seq": 3, "problem": "does-not-follow"})));
}

// T5.4
#[tokio::test]
async fn cut_or_forged_last_record_is_detected() {
    // The chain head in the item of the request shows that the last record was removed or forged.
    let Kept { deployed, other, .. } = kept().await;
    let tamperer = Tamperer::of(&deployed.world);
    let (last, _) = tamperer.end(&other).await;
    tamperer.forges(&other, last, "actor", "T0001.U0MALLORY").await;
    let found = problems(&deployed.world, "forged-end", None).await;
    let replaced = json!({"request": other, "seq": last, "problem": "replaced", "named_by": "requests"});
    assert_eq!(found, json!({"tables": [replaced], "file": []}));
    tamperer.removes(&other, last).await;
    tamperer.removes(&other, last - 1).await;
    let found = problems(&deployed.world, "cut-off", None).await;
    let missing = json!({"request": other, "seq": last - 1, "problem": "missing", "named_by": "requests"});
    assert_eq!(found, json!({"tables": [missing], "file": []}));
}

/// The worker's own checkpoint, by the message that it posted of it.
#[tokio::test]
async fn posted_checkpoint_hash_is_valid_anchor() {
    let Kept { deployed, .. } = kept().await;
    for hours in [1, 26] {
        deployed.world.clock.advance(Duration::from_secs(hours * 3_600));
        deployed.world.net.sqs().sweep();
        deployed.deliver_everything().await;
    }
    let mut said =
        deployed.world.net.slack().messages(APPROVALS).into_iter().map(|message| message.reading());
    let posted = said.rfind(|reading| reading.contains("Audit checkpoint of")).unwrap();
    let (_, anchor) = posted.split('`').nth(1).unwrap().split_once(':').unwrap();
    let verified = keyvend(&deployed.world, &["audit", "verify", "--json", "--anchor", anchor]).await;
    assert_eq!(verified.ending, ExitStatus::Done, "{verified:?}");
    let verified = verified.json();
    assert_eq!(verified["problems"], json!([]));
    assert!(verified["checkpoints"].as_u64().unwrap() >= 1 && verified["anchored"].is_object(), "{verified}");
}

// T5.4
#[tokio::test]
async fn cut_tail_or_checkpoint_is_detected() {
    // A tail removed from trail and request is detected by a checkpoint, a removed checkpoint by its anchor.
    let Kept { deployed, one, other } = kept().await;
    let tamperer = Tamperer::of(&deployed.world);
    let (ends, zeros) = ((tamperer.end(&one).await, tamperer.end(&other).await), "0".repeat(64));
    let first = tamperer.checkpoint(1, &zeros, &[(&one, ends.0.0, &ends.0.1)]).await;
    let anchor = tamperer.checkpoint(2, &first, &[(&other, ends.1.0, &ends.1.1)]).await;
    let whole = keyvend(&deployed.world, &["audit", "verify", "--anchor", &anchor.to_uppercase()]).await;
    insta::assert_snapshot!(stable(&whole.done()), @r"
    The audit trail is intact.

      read    7 records in 3 chains, 2 checkpoints
      anchor  checkpoint 2 of 2025-11-25T00:00:00Z
      heads   compared with table Requests
    ");

    tamperer.truncates(&other, 2, ends.1.0).await;
    let found = problems(&deployed.world, "truncated", Some(&anchor)).await;
    let named_by = json!({"checkpoint": 2});
    assert_eq!(found, both(json!({"request": other, "seq": 3, "problem": "missing", "named_by": named_by})));

    tamperer.removes("checkpoint", 2).await;
    let unanchored = keyvend(&deployed.world, &["audit", "verify"]).await;
    assert_eq!(unanchored.ending, ExitStatus::Done, "{unanchored:?}");
    let anchored = keyvend(&deployed.world, &["audit", "verify", "--anchor", &anchor]).await;
    assert_eq!(anchored.ending, ExitStatus::No);
    insta::assert_snapshot!(stable(&anchored.out), @r"
    The audit trail is not intact.

      read    5 records in 3 chains, 1 checkpoint
      anchor  no checkpoint has the hash <hash>
      heads   compared with table Requests

    The checkpoint of this anchor was removed or changed, or the hash belongs to another trail.
    ");
    let earlier = keyvend(&deployed.world, &["audit", "verify", "--anchor", &first]).await;
    assert_eq!(earlier.ending, ExitStatus::Done, "{earlier:?}");
}

#[tokio::test]
async fn rewritten_chain_contradicts_checkpoint() {
    let Kept { deployed, one, .. } = kept().await;
    let tamperer = Tamperer::of(&deployed.world);
    let (last, hash) = tamperer.end(&one).await;
    tamperer.checkpoint(1, &"0".repeat(64), &[(&one, last, &hash)]).await;
    tamperer.forges(&one, last, "actor", "T0001.U0MALLORY").await;
    let of_file = &problems(&deployed.world, "rewritten", None).await["file"];
    let named_by = json!({"checkpoint": 1});
    assert_eq!(*of_file, json!([{"request": one, "seq": last, "problem": "replaced", "named_by": named_by}]));
}

#[tokio::test]
async fn a_checkpoint_is_a_record_like_any_other() {
    let Kept { deployed, one, .. } = kept().await;
    let tamperer = Tamperer::of(&deployed.world);
    let (last, hash) = tamperer.end(&one).await;
    let anchor = tamperer.checkpoint(1, &"0".repeat(64), &[(&one, last, &hash)]).await;
    tamperer.changes("checkpoint", 1, "actor", "x").await;
    let found = problems(&deployed.world, "checkpoint-changed", Some(&anchor)).await;
    assert_eq!(found, both(json!({"request": "checkpoint", "seq": 1, "problem": "changed"})));
    tamperer.checkpoint(1, &"0".repeat(64), &[(&one, 0, "x")]).await;
    let found = problems(&deployed.world, "bad-head", None).await;
    assert_eq!(found, both(json!({"request": "checkpoint", "seq": 1, "problem": "bad-head", "name": one})));
    tamperer.checkpoint(1, &"0".repeat(64), &[("0000000000000000", 2, "x")]).await;
    let found = problems(&deployed.world, "unknown-chain", None).await;
    let named_by = json!({"checkpoint": 1});
    let missing =
        json!({"request": "0000000000000000", "seq": 1, "problem": "missing", "named_by": named_by});
    assert_eq!(found, both(missing));
}

#[tokio::test]
async fn an_item_that_is_no_record_is_named() {
    let Kept { deployed, one, .. } = kept().await;
    let tamperer = Tamperer::of(&deployed.world);
    let mut item = tamperer.reads(&one, 2).await;
    item.remove("detail");
    tamperer.writes(item).await;
    let ran = keyvend(&deployed.world, &["audit", "verify", "--json"]).await;
    let unreadable = json!({"request": one, "seq": 2, "problem": "unreadable", "lacks": "detail"});
    assert_eq!(ran.json()["problems"], json!([unreadable]));
    let exported = keyvend(&deployed.world, &["audit", "export"]).await;
    assert_eq!(exported.ending, ExitStatus::No);
    assert!(exported.err.contains(&format!("record 2 of {one} has no valid `detail`")), "{}", exported.err);
    assert!(exported.err.contains("1 skipped"), "{}", exported.err);
}

#[tokio::test]
async fn a_record_that_is_there_twice_is_named() {
    let Kept { deployed, one, .. } = kept().await;
    let lines = keyvend(&deployed.world, &["audit", "export", "--json"]).await.done();
    let second = lines.lines().find(|line| line.contains(&one) && line.contains("\"seq\":2,")).unwrap();
    let file = scratch("twice").join("trail.jsonl");
    std::fs::write(&file, format!("{lines}{second}\n")).unwrap();
    let ran =
        keyvend(&deployed.world, &["audit", "verify", "--json", "--from", file.to_str().unwrap()]).await;
    assert_eq!(ran.json()["problems"], json!([{"request": one, "seq": 2, "problem": "twice"}]));
}

#[tokio::test]
async fn record_pending_in_outbox_is_not_missing() {
    // A record that is still in the outbox of its request is not missing; any other absent record is.
    let deployed = Deployed::new().await;
    let down = r#"{"__type":"InternalServerError","message":"no"}"#;
    deployed.world.net.before(move |call| match call.operation.as_str() {
        "ExecuteStatement" => Interfere::Status(500, down.to_owned()),
        _ => Interfere::Pass,
    });
    approved(&deployed).await;
    deployed.world.net.undisturbed();
    let waiting = keyvend(&deployed.world, &["audit", "verify", "--json"]).await.json();
    assert_eq!((&waiting["verified"], &waiting["records"]), (&json!(true), &json!(0)));
    deployed.world.net.sqs().sweep();
    deployed.deliver_everything().await;
    let inserted = keyvend(&deployed.world, &["audit", "verify", "--json"]).await.json();
    assert_eq!((&inserted["verified"], &inserted["chains"]), (&json!(true), &json!(1)));
    let tamperer = Tamperer::of(&deployed.world);
    let one = requests(&deployed.world).await.remove(0);
    let (last, _) = tamperer.end(&one).await;
    for seq in 1..=last {
        tamperer.removes(&one, seq).await;
    }
    let removed = keyvend(&deployed.world, &["audit", "verify", "--json"]).await.json();
    let missing = json!({"request": one, "seq": 1, "problem": "missing", "named_by": "requests"});
    assert_eq!(removed["problems"], json!([missing]));
}

#[tokio::test]
async fn unreadable_request_leaves_chain_head_unknown() {
    let Kept { deployed, one, .. } = kept().await;
    let tamperer = Tamperer::of(&deployed.world);
    tamperer.garbles(&one).await;
    let (last, _) = tamperer.end(&one).await;
    let ran = keyvend(&deployed.world, &["audit", "verify", "--json"]).await;
    assert_eq!(ran.json()["problems"], json!([{"request": one, "seq": last, "problem": "end-unknown"}]));
}

#[tokio::test]
async fn partial_trail_must_be_declared_partial() {
    // Part of a trail does not verify unless it is declared to be a part.
    let Kept { deployed, .. } = kept().await;
    let file = scratch("part").join("part.jsonl");
    let path = file.to_str().unwrap();
    let since = "2025-11-24T16:00:01Z";
    keyvend(&deployed.world, &["audit", "export", "--format", "jsonl", "--since", since, "--out", path])
        .await
        .done();
    let ran = keyvend(&deployed.world, &["audit", "verify", "--from", path]).await;
    assert_eq!(ran.ending, ExitStatus::No);
    assert!(ran.out.contains("If it was exported with --since"), "{}", ran.out);
}

#[tokio::test]
async fn unreadable_line_is_named_and_ignored() {
    let world = World::new().await;
    let file = scratch("no-record").join("trail.jsonl");
    std::fs::write(&file, "{\"request\":\"x\"}\n").unwrap();
    let ran = keyvend(&world, &["audit", "verify", "--from", file.to_str().unwrap()]).await;
    assert_eq!(ran.ending, ExitStatus::Failed);
    assert!(ran.err.contains("trail.jsonl:1: not a record"), "{}", ran.err);
}

/// The trails of commands about no request: a stop from Slack, one by the operator, and a key that keyvend did not issue.
async fn lone() -> (Deployed, Vec<(String, u32)>) {
    let deployed = Deployed::new().await;
    deployed.types(BOB_APPROVER, "freeze").await;
    deployed.world.clock.advance(Duration::from_secs(1));
    keyvend(&deployed.world, &["unfreeze"]).await.done();
    let admin = aws::iam(&deployed.world.net, HOME);
    let made = admin.create_access_key().user_name("ci-deployer").send().await.unwrap();
    let foreign = made.access_key.unwrap().access_key_id;
    deployed.types(ALICE_OWNER, &format!("deactivate {foreign}")).await;
    deployed.deliver_everything().await;
    let mut chains = Vec::new();
    for chain in requests(&deployed.world).await {
        let (last, _) = Tamperer::of(&deployed.world).end(&chain).await;
        chains.push((chain, last));
    }
    chains.sort_by_key(|(_, last)| *last);
    (deployed, chains)
}

// T5.5
#[tokio::test]
async fn standalone_chains_are_verified_and_exported() {
    // Chains of commands that belong to no request are verified and exported.
    let (deployed, chains) = lone().await;
    assert_eq!(chains.iter().map(|(_, last)| *last).collect::<Vec<_>>(), [1, 1, 2]);
    let found = problems(&deployed.world, "lone-whole", None).await;
    assert_eq!(found, json!({"tables": [], "file": []}));
    for (chain, last) in &chains {
        let exported = keyvend(&deployed.world, &["audit", "export", "--json", "--request", chain]).await.out;
        assert_eq!(exported.lines().count(), usize::try_from(*last).unwrap(), "{exported}");
    }
}

// T5.5
#[tokio::test]
async fn tampering_with_standalone_chain_is_detected() {
    for nth in 0..3 {
        let name = format!("lone-{nth}");
        let found = async |tamper: &str| {
            let (deployed, chains) = lone().await;
            let (chain, last) = chains[nth].clone();
            let tamperer = Tamperer::of(&deployed.world);
            match tamper {
                "changed" => tamperer.changes(&chain, last, "actor", "T0001.U0MALLORY").await,
                "forged" => tamperer.forges(&chain, last, "actor", "T0001.U0MALLORY").await,
                "cut off" => tamperer.removes(&chain, last).await,
                "added" => tamperer.appends(&chain, "unfreeze").await,
                _ => tamperer.forgets(&format!("chain#{chain}")).await,
            }
            let found = problems(&deployed.world, &name, None).await;
            let tables = &found["tables"];
            assert_eq!(tables.as_array().map(Vec::len), Some(1), "{tamper}: {found}");
            assert_eq!(tables[0]["request"], json!(chain), "{tamper}: {found}");
            (tables[0]["problem"].as_str().unwrap().to_owned(), tables[0]["seq"].as_u64().unwrap(), last)
        };
        for (tamper, problem, place) in [
            ("changed", "changed", 0),
            ("forged", "replaced", 0),
            ("cut off", "missing", 0),
            ("added", "after-end", 1),
            ("forgotten", "unknown-chain", -1),
        ] {
            let (is, seq, last) = found(tamper).await;
            let expected = if place < 0 { 1 } else { i64::from(last) + place };
            assert_eq!((is.as_str(), i64::try_from(seq).unwrap()), (problem, expected), "{tamper}");
        }
    }
}

/// A made-up chain, right in itself, is no command's.
// T5.5
#[tokio::test]
async fn chain_without_stored_head_is_named() {
    let (deployed, _) = lone().await;
    let tamperer = Tamperer::of(&deployed.world);
    tamperer.begins("7ZS5X3M2K8T4QW9A", "freeze").await;
    let found = problems(&deployed.world, "made-up", None).await;
    let made_up = json!({"request": "7ZS5X3M2K8T4QW9A", "seq": 1, "problem": "unknown-chain"});
    assert_eq!(found, json!({"tables": [made_up], "file": []}));
}
