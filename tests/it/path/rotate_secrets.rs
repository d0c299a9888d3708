//! Rotation of Slack's two secrets, while requests come in.

use std::time::Duration;

use serde_json::Value;

use testkit::aws::{self, BOT_TOKEN_ID, SIGNING_SECRET, SIGNING_SECRET_ID};
use testkit::deployed::Deployed;
use testkit::gateway::sign;
use testkit::net::Interfere;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};
use testkit::steps::ASK;

const NEW: &str = "0123456789abcdef0123456789abcdef";

trait Signing {
    async fn signed_with(&self, secret: &str) -> u64;
    fn reads(&self) -> usize;
}

impl Signing for Deployed {
    /// The status of a command signed with this secret.
    async fn signed_with(&self, secret: &str) -> u64 {
        let mut event = self.world.slash_command(ALICE_OWNER, "whoami");
        let body = body(&event);
        for (name, value) in sign(secret, self.world.clock.now(), &body) {
            event["headers"][name] = value.into();
        }
        self.arrive(event).await["statusCode"].as_u64().unwrap()
    }

    fn reads(&self) -> usize {
        self.world.net.calls_to("secretsmanager", "GetSecretValue").len()
    }
}

fn body(event: &Value) -> String {
    use base64::Engine as _;
    let encoded = event["body"].as_str().unwrap();
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).unwrap()).unwrap()
}

// T1.2
#[tokio::test]
async fn both_signing_secrets_are_accepted_during_rotation() {
    let keyvend = Deployed::new().await;
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
    assert_eq!(keyvend.signed_with(NEW).await, 401);
    aws::rotate_secret(&keyvend.world.net, SIGNING_SECRET_ID, NEW).await;
    keyvend.world.clock.advance(Duration::from_secs(60));
    for secret in [NEW, SIGNING_SECRET, NEW] {
        assert_eq!(keyvend.signed_with(secret).await, 200, "{secret}");
    }
    let newest = NEW.replace('0', "f");
    aws::rotate_secret(&keyvend.world.net, SIGNING_SECRET_ID, &newest).await;
    keyvend.world.clock.advance(Duration::from_secs(60));
    for (secret, status) in [(newest.as_str(), 200), (NEW, 200), (SIGNING_SECRET, 401)] {
        assert_eq!(keyvend.signed_with(secret).await, status, "{secret}");
    }
}

// T1.3
#[tokio::test]
async fn bad_signatures_reload_secrets_once_a_minute() {
    let keyvend = Deployed::new().await;
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
    assert_eq!(keyvend.reads(), 1, "the current one");
    for _ in 0..50 {
        assert_eq!(keyvend.signed_with("wrong").await, 401);
        keyvend.world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(keyvend.reads(), 3, "both, once, within a minute");
    keyvend.world.clock.advance(Duration::from_secs(10));
    for _ in 0..50 {
        assert_eq!(keyvend.signed_with("wrong").await, 401);
    }
    assert_eq!(keyvend.reads(), 5, "and once more");
    for _ in 0..10 {
        keyvend.world.clock.advance(Duration::from_secs(100));
        assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
    }
    assert_eq!(keyvend.reads(), 8, "good ones have the current one read, once in five minutes at most");
}

#[tokio::test]
async fn unreadable_secrets_keep_cached_ones_valid() {
    // Good signatures are accepted meanwhile, and the secrets are not read again at once.
    let keyvend = Deployed::new().await;
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
    keyvend.world.clock.advance(Duration::from_secs(61));
    keyvend.world.net.before(|call| match call.service.as_str() {
        "secretsmanager" => Interfere::refused_json("AccessDeniedException"),
        _ => Interfere::Pass,
    });
    let before = keyvend.reads();
    for _ in 0..20 {
        let status = keyvend.signed_with("wrong").await;
        assert!([401, 503].contains(&status), "{status}");
    }
    assert!(keyvend.reads() - before <= 2, "{} reads", keyvend.reads() - before);
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
}

/// Kept warm by whoever has the old secret alone, the function would never meet a signature that does not match.
// T1.3
#[tokio::test]
async fn twice_rotated_secret_is_refused_within_five_minutes() {
    let keyvend = Deployed::new().await;
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
    let (reads, rotated_at) = (keyvend.reads(), keyvend.world.clock.now());
    // Twice, so that it is not the previous one either.
    for secret in [NEW, &NEW.replace('0', "f")] {
        aws::rotate_secret(&keyvend.world.net, SIGNING_SECRET_ID, secret).await;
    }
    let mut refused_after = None;
    while keyvend.world.clock.now().since(rotated_at) < 600 {
        keyvend.world.clock.advance(Duration::from_secs(10));
        match keyvend.signed_with(SIGNING_SECRET).await {
            200 => assert_eq!(refused_after, None, "refused, and accepted again"),
            status => {
                assert_eq!(status, 401);
                refused_after.get_or_insert(keyvend.world.clock.now().since(rotated_at));
            }
        }
    }
    assert!(refused_after.is_some_and(|seconds| seconds < 300), "{refused_after:?}");
    assert!(keyvend.reads() - reads < 20, "{}", keyvend.reads() - reads);
}

// T1.2
#[tokio::test]
async fn previous_secret_is_accepted_for_an_hour() {
    for warm in [true, false] {
        let keyvend = Deployed::new().await;
        aws::rotate_secret(&keyvend.world.net, SIGNING_SECRET_ID, NEW).await;
        if warm {
            for _ in 0..59 {
                assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
                assert_eq!(keyvend.signed_with(NEW).await, 200);
                keyvend.world.clock.advance(Duration::from_secs(60));
            }
            keyvend.world.clock.advance(Duration::from_secs(59));
        } else {
            keyvend.world.clock.advance(Duration::from_secs(3_599));
        }
        assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200, "warm: {warm}");
        keyvend.world.clock.advance(Duration::from_secs(1));
        assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 401, "warm: {warm}");
        assert_eq!(keyvend.signed_with(NEW).await, 200, "warm: {warm}");
        let cold = keyvend.redeployed(&[]);
        assert_eq!(cold.signed_with(SIGNING_SECRET).await, 401);
        assert_eq!(cold.signed_with(NEW).await, 200);
    }
}

/// A rotation that a flood of bad signatures hides for a minute turns nobody away at the next reading.
// T1.2
#[tokio::test]
async fn routine_reload_keeps_previous_secret_valid() {
    let keyvend = Deployed::new().await;
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
    keyvend.world.clock.advance(Duration::from_secs(230));
    assert_eq!(keyvend.signed_with("wrong").await, 401);
    keyvend.world.clock.advance(Duration::from_secs(239));
    assert_eq!(keyvend.signed_with("wrong").await, 401);
    aws::rotate_secret(&keyvend.world.net, SIGNING_SECRET_ID, NEW).await;
    keyvend.world.clock.advance(Duration::from_secs(30));
    for secret in [SIGNING_SECRET, NEW, SIGNING_SECRET] {
        let status = keyvend.signed_with(secret).await;
        assert!(secret == NEW || status == 200, "{secret}: {status}");
    }
    keyvend.world.clock.advance(Duration::from_secs(240));
    for secret in [SIGNING_SECRET, NEW] {
        assert_eq!(keyvend.signed_with(secret).await, 200, "{secret}");
    }
}

// T1.3
#[tokio::test]
async fn secret_unreadable_for_five_minutes_is_rejected() {
    let keyvend = Deployed::new().await;
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
    keyvend.world.net.before(|call| match call.service.as_str() {
        "secretsmanager" => Interfere::refused_json("AccessDeniedException"),
        _ => Interfere::Pass,
    });
    let reads = keyvend.reads();
    keyvend.world.clock.advance(Duration::from_secs(239));
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
    assert_eq!(keyvend.reads(), reads, "not yet read again");
    for _ in 0..60 {
        keyvend.world.clock.advance(Duration::from_secs(1));
        assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200, "a short failure turns nobody away");
    }
    keyvend.world.clock.advance(Duration::from_secs(1));
    for _ in 0..60 {
        assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 503);
        assert_eq!(keyvend.signed_with("wrong").await, 503);
        keyvend.world.clock.advance(Duration::from_secs(1));
    }
    assert!(keyvend.reads() - reads < 12, "a flood has nothing read: {}", keyvend.reads() - reads);
    keyvend.world.net.undisturbed();
    keyvend.world.clock.advance(Duration::from_secs(15));
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200);
}

// T1.3
#[tokio::test]
async fn missing_signing_secret_refuses_everything() {
    // It replies 503 and reads the secret at the next request.
    let keyvend = Deployed::new().await;
    keyvend.world.net.before(|call| match call.service.as_str() {
        "secretsmanager" => Interfere::refused_json("AccessDeniedException"),
        _ => Interfere::Pass,
    });
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 503);
    keyvend.world.net.undisturbed();
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200, "and tries again at the next request");
}

#[tokio::test]
async fn an_unchanged_previous_secret_is_no_second_one() {
    let keyvend = Deployed::new().await;
    aws::rotate_secret(&keyvend.world.net, SIGNING_SECRET_ID, " ").await;
    assert_eq!(keyvend.signed_with(SIGNING_SECRET).await, 200, "the previous one is good still");
    assert_eq!(keyvend.signed_with(" ").await, 401, "a blank secret signs nothing");
    assert_eq!(keyvend.signed_with("").await, 401);
}

async fn rotate_token(keyvend: &Deployed) {
    aws::rotate_secret(&keyvend.world.net, BOT_TOKEN_ID, "xoxb-rotated").await;
    keyvend.world.net.slack().token("xoxb-rotated");
}

#[tokio::test]
async fn rotated_bot_token_is_reloaded() {
    let keyvend = Deployed::new().await;
    let card = keyvend.asked().await;
    let before = keyvend.reads();
    rotate_token(&keyvend).await;
    keyvend.presses(BOB_APPROVER, &card, "Approve").await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(keyvend.reads(), before + 1);
    assert_eq!(keyvend.times_told(ALICE_OWNER, "Press *Get my key*"), 1);
    keyvend.world.clock.advance(Duration::from_secs(1));
    keyvend.types(ALICE_OWNER, ASK).await;
    assert_eq!(keyvend.reads(), before + 1, "and then kept");
}

#[tokio::test]
async fn link_survives_bot_token_rotation() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    rotate_token(&keyvend).await;
    keyvend.presses(ALICE_OWNER, &ready, "Get my key").await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "could not be delivered"), 0);
    keyvend.reveals(&keyvend.opens()).await;
}

#[tokio::test]
async fn alert_survives_bot_token_rotation() {
    let keyvend = Deployed::new().await;
    keyvend.linked().await;
    let (own, foreign) = (keyvend.opens(), keyvend.opens());
    keyvend.reveals(&own).await;
    rotate_token(&keyvend).await;
    assert_eq!(keyvend.turned_away(&foreign).await.0, 409);
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.times_told(ALICE_OWNER, "again in another browser tab"), 1);
}

/// A line end is pasted with a secret more often than not.
#[tokio::test]
async fn secrets_with_a_line_end_are_good() {
    let keyvend = Deployed::new().await;
    aws::rotate_secret(&keyvend.world.net, BOT_TOKEN_ID, &format!("{}\n", aws::BOT_TOKEN)).await;
    aws::rotate_secret(&keyvend.world.net, SIGNING_SECRET_ID, &format!(" {SIGNING_SECRET}\r\n")).await;
    keyvend.confirmed().await;
    assert_eq!(keyvend.stands().await, "ISSUED");
}

#[tokio::test]
async fn corrected_token_is_read_by_a_warm_worker() {
    for wrong in
        ["xoxb-of-another-app", "", "xoxp-a-user-token", "{\"token\":\"xoxb-test-world-bot\"}", "xoxb-a b"]
    {
        let keyvend = Deployed::new().await;
        aws::rotate_secret(&keyvend.world.net, BOT_TOKEN_ID, wrong).await;
        keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, ASK)).await;
        keyvend.deliver().await;
        keyvend.world.clock.advance(Duration::from_secs(2));
        keyvend.deliver().await;
        assert!(keyvend.requests().await.is_empty(), "{wrong}");
        aws::rotate_secret(&keyvend.world.net, BOT_TOKEN_ID, aws::BOT_TOKEN).await;
        keyvend.world.clock.advance(Duration::from_secs(60));
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "PENDING", "{wrong}");
        assert_eq!(keyvend.cards().len(), 1, "{wrong}");
    }
}

#[tokio::test]
async fn refused_token_is_read_again_once_a_minute() {
    let keyvend = Deployed::new().await;
    keyvend.asked().await;
    keyvend.world.net.slack().token("xoxb-nobody-stored-it");
    let before = keyvend.reads();
    let begun = keyvend.world.clock.now();
    let mut minutes = 0;
    for _ in 0..30 {
        keyvend.world.clock.advance(Duration::from_secs(5));
        keyvend.arrive(keyvend.world.slash_command(ALICE_OWNER, "whoami")).await;
        keyvend.deliver().await;
        minutes = keyvend.world.clock.now().since(begun) / 60;
    }
    // `slack` reads the signing secret once in four minutes.
    let reads = i64::try_from(keyvend.reads() - before).unwrap();
    assert!((2..=minutes + 2).contains(&reads), "{reads} reads in {minutes} minutes");
}
