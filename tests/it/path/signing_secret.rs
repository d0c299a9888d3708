//! The signing secret: read once, rotated without a request lost, and never asked for as often as somebody likes.

use std::time::Duration;

use serde_json::{Value, json};

use testkit::aws::{self, SIGNING_SECRET_ID};
use testkit::deployed::Deployed;
use testkit::slack::ALICE_OWNER;

fn secrets_read(keyvend: &Deployed) -> usize {
    keyvend.world.net.calls_to("secretsmanager", "GetSecretValue").len()
}

fn forged(keyvend: &Deployed) -> Value {
    let mut event = keyvend.world.slash_command(ALICE_OWNER, "whoami");
    event["headers"]["x-slack-signature"] = json!(format!("v0={}", "0".repeat(64)));
    event
}

async fn status(keyvend: &Deployed, event: Value) -> Value {
    keyvend.arrive(event).await["statusCode"].clone()
}

// T1.2
#[tokio::test]
async fn receiver_accepts_both_secrets_during_rotation() {
    for started_before in [false, true] {
        let keyvend = Deployed::new().await;
        if started_before {
            assert_eq!(status(&keyvend, keyvend.world.slash_command(ALICE_OWNER, "whoami")).await, 200);
        }
        aws::rotate_secret(&keyvend.world.net, SIGNING_SECRET_ID, "a secret that Slack does not use yet")
            .await;
        let signed_with_the_old_one = keyvend.world.slash_command(ALICE_OWNER, "whoami");
        assert_eq!(status(&keyvend, signed_with_the_old_one).await, 200, "started before: {started_before}");
    }
}

#[tokio::test]
async fn cold_start_reads_one_secret() {
    // Forged requests cause both to be read, once a minute.
    let keyvend = Deployed::new().await;
    assert_eq!(status(&keyvend, keyvend.world.slash_command(ALICE_OWNER, "whoami")).await, 200);
    assert_eq!(secrets_read(&keyvend), 1);
    for _ in 0..3 {
        assert_eq!(status(&keyvend, forged(&keyvend)).await, 401);
        assert_eq!(secrets_read(&keyvend), 3);
    }
    keyvend.world.clock.advance(Duration::from_secs(60));
    assert_eq!(status(&keyvend, forged(&keyvend)).await, 401);
    assert_eq!(secrets_read(&keyvend), 5);
    assert_eq!(status(&keyvend, keyvend.world.slash_command(ALICE_OWNER, "whoami")).await, 200);
}

#[tokio::test]
async fn warm_up_reads_what_the_first_event_needs() {
    let keyvend = Deployed::new().await;
    keyvend.slack.warm_up(keyvend.world.clock.now()).await;
    keyvend::worker::warm_up(&keyvend.worker).await;
    assert_eq!(secrets_read(&keyvend), 2, "the signing secret and the bot token");
    assert_eq!(status(&keyvend, keyvend.world.slash_command(ALICE_OWNER, "whoami")).await, 200);
    keyvend.deliver_everything().await;
    assert_eq!(secrets_read(&keyvend), 2);
}
