//! The trail as it is taken out: for spreadsheets and for programs, whole or a part of it.

use keyvend::cli::ExitStatus;
use keyvend::domain::audit::AuditRecord;

use super::operator::{Operator, approved, keyvend, scratch, stable};
use testkit::World;
use testkit::deployed::Deployed;
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, MALLORY_OUTSIDER};

#[tokio::test]
async fn the_trail_is_written_as_csv() {
    let deployed = Deployed::new().await;
    approved(&deployed).await;
    let ran = keyvend(&deployed.world, &["audit", "export"]).await;
    assert_eq!(ran.err, "2 records written\n");
    insta::assert_snapshot!(stable(&ran.done()), @r#"
    time,request,seq,event,actor,detail,prev,hash
    2025-11-24T16:00:00Z,<request>,1,request.created,T0001.U0ALICE,"{""account"":""123456789012"",""days"":""30"",""needed"":""1"",""reason"":""laptop tooling"",""use_case"":""local-code"",""user"":""ci-deployer""}",0000000000000000000000000000000000000000000000000000000000000000,<hash>
    2025-11-24T16:00:01Z,<request>,2,review.approved,T0001.U0BOB,"{""enough"":""true"",""revision"":""<request>""}",<hash>,<hash>
    "#);
}

#[tokio::test]
async fn json_export_reads_back_as_records() {
    // The export has one JSON record per line, and each reads back as the stored record.
    let deployed = Deployed::new().await;
    approved(&deployed).await;
    let ran = keyvend(&deployed.world, &["audit", "export", "--format", "jsonl"]).await;
    for line in ran.out.lines() {
        let record: AuditRecord = serde_json::from_str(line).unwrap();
        assert_eq!(record.entry.computed_hash_in(&record.request), record.entry.hash);
    }
    assert_eq!(keyvend(&deployed.world, &["audit", "export", "--json"]).await.out, ran.out);
    insta::assert_snapshot!(stable(&ran.done()), @r#"
    {"request":"<request>","seq":1,"at":1764000000,"event":"request.created","actor":"T0001.U0ALICE","detail":{"account":"123456789012","days":"30","needed":"1","reason":"laptop tooling","use_case":"local-code","user":"ci-deployer"},"prev":"0000000000000000000000000000000000000000000000000000000000000000","hash":"<hash>"}
    {"request":"<request>","seq":2,"at":1764000001,"event":"review.approved","actor":"T0001.U0BOB","detail":{"enough":"true","revision":"<request>"},"prev":"<hash>","hash":"<hash>"}
    "#);
}

// T5.8
#[tokio::test]
async fn csv_export_escapes_formulas() {
    // User text is never a formula in a spreadsheet.
    let deployed = Deployed::new().await;
    let reason = "=HYPERLINK(\"https://evil.example\");=1+1";
    deployed.types(ALICE_OWNER, &format!("create ci-deployer use:local-code ttl:30d {reason}")).await;
    let csv = keyvend(&deployed.world, &["audit", "export"]).await.done();
    assert!(csv.contains("HYPERLINK"), "{csv}");
    assert!(!csv.contains(";"), "{csv}");
    for start in ["\n=", ",=", ",\"="] {
        assert!(!csv.contains(start), "{csv}");
    }
    let lines = keyvend(&deployed.world, &["audit", "export", "--json"]).await.done();
    let record: AuditRecord = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(record.entry.detail["reason"], reason);
}

#[tokio::test]
async fn time_range_includes_start_excludes_end() {
    let deployed = Deployed::new().await;
    // Asked at 16:00:00, approved at 16:00:01.
    approved(&deployed).await;
    let cases: &[(&[&str], usize)] = &[
        (&["--since", "2025-11-24"], 2),
        (&["--since", "2025-11-24T16:00:01Z"], 1),
        (&["--since", "2025-11-24T17:00:01+01:00"], 1),
        (&["--until", "2025-11-24T16:00:01Z"], 1),
        (&["--until", "2025-11-24"], 0),
        (&["--since", "2025-11-24T16:00:00Z", "--until", "2025-11-25"], 2),
        (&["--since", "2025-11-25"], 0),
    ];
    for (range, expected) in cases {
        let ran = keyvend(&deployed.world, &[&["audit", "export", "--json"], *range].concat()).await;
        assert_eq!(ran.done().lines().count(), *expected, "{range:?}");
    }
}

#[tokio::test]
async fn one_request_can_be_exported() {
    let deployed = Deployed::new().await;
    approved(&deployed).await;
    deployed.types(MALLORY_OUTSIDER, "create ci-deployer use:cli ttl:1d please").await;
    let all = keyvend(&deployed.world, &["audit", "export", "--json"]).await.done();
    let record: AuditRecord = serde_json::from_str(all.lines().next().unwrap()).unwrap();
    deployed.world.net.forget();
    let words = ["audit", "export", "--json", "--request", &record.request];
    let own = keyvend(&deployed.world, &words).await.done();
    assert!(own.lines().count() < all.lines().count());
    assert!(own.lines().all(|line| line.contains(&record.request)), "{own}");
    assert!(deployed.world.net.calls_to("dynamodb", "Scan").is_empty(), "the whole table is read");
}

#[tokio::test]
async fn export_writes_all_pages_and_shows_progress() {
    // Progress is shown only on a terminal.
    let deployed = Deployed::new().await;
    approved(&deployed).await;
    let whole = keyvend(&deployed.world, &["audit", "export"]).await.done();
    deployed.world.net.dynamo().page(1);
    let quiet = keyvend(&deployed.world, &["audit", "export"]).await;
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), (whole.as_str(), "2 records written\n"));
    let watched = Operator::of(&deployed.world).watched().runs(&["audit", "export"]).await;
    assert!(watched.err.starts_with("\r1 record read\r2 records read\r"), "{:?}", watched.err);
    assert!(watched.err.ends_with("\r2 records written\n"), "{:?}", watched.err);
    assert_eq!(watched.done(), whole);
}

#[tokio::test]
async fn export_file_appears_only_when_complete() {
    let deployed = Deployed::new().await;
    approved(&deployed).await;
    let file = scratch("export").join("trail.csv");
    let words = ["audit", "export", "--out", file.to_str().unwrap()];
    deployed.world.net.dynamo().page(1);
    let forbidden = r#"{"__type":"AccessDeniedException","message":"no"}"#.to_owned();
    let scans = std::sync::atomic::AtomicUsize::new(0);
    let second = move |call: &testkit::net::Call| {
        call.operation == "Scan" && scans.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1
    };
    deployed.world.net.fault(second, Interfere::Status(400, forbidden));
    let failed = keyvend(&deployed.world, &words).await;
    assert_eq!(failed.ending, ExitStatus::Failed);
    assert!(failed.err.contains("dynamodb:Scan: AWS answered AccessDenied"), "{}", failed.err);
    assert!(failed.err.contains("docs/cli.md"), "{}", failed.err);
    assert!(!file.exists());
    let ran = keyvend(&deployed.world, &words).await;
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("2 records written to ") && ran.err.contains("trail.csv"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 3);
    assert!(!file.with_extension("csv.part").exists());
}

#[tokio::test]
async fn missing_audit_table_is_named() {
    // Both a table that is not configured and one that does not exist are named.
    let world = World::new().await;
    let unnamed = Operator::of(&world).with("KEYVEND_AUDIT_TABLE", "").runs(&["audit", "export"]).await;
    assert_eq!(unnamed.ending, ExitStatus::Failed);
    insta::assert_snapshot!(unnamed.err, @r#"
    error: KEYVEND_AUDIT_TABLE is not set
    Use --audit-table, or set the variable. To list the tables of the stack:
      aws cloudformation list-stack-resources --stack-name keyvend --query "StackResourceSummaries[?ResourceType=='AWS::DynamoDB::Table'].PhysicalResourceId"
    "#);
    let missing = keyvend(&world, &["audit", "export", "--audit-table", "nowhere"]).await;
    assert_eq!(missing.ending, ExitStatus::Failed);
    insta::assert_snapshot!(missing.err, @r"
    error: dynamodb:Scan: AWS answered ResourceNotFoundException
    Check the table's name, the region and the account of your credentials.
    ");
    let json = keyvend(&world, &["audit", "export", "--audit-table", "nowhere", "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&json.err).unwrap();
    assert_eq!(told["error"], "dynamodb:Scan: AWS answered ResourceNotFoundException");
}
