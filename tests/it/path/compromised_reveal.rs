//! Somebody with the role of the function `reveal` can write anything into the attributes of a ticket that it may write. Times
//! from there are never later than now, and names are on the list, or they count for nothing.

use std::time::Duration;

use serde_json::{Value, json};

use testkit::aws::TICKETS;
use testkit::deployed::{Deployed, Tab};
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS};
use testkit::steps::text;

const YEAR: i64 = 365 * 86_400;

/// Sets an attribute of a ticket, as the role may.
async fn sets(keyvend: &Deployed, tab: &Tab, name: &str, value: aws_sdk_dynamodb::types::AttributeValue) {
    let dynamo = aws_sdk_dynamodb::Client::new(&keyvend.world.net.admin(HOME));
    let tid = aws_sdk_dynamodb::types::AttributeValue::S(tab.tid());
    let update =
        dynamo.update_item().table_name(TICKETS).key("tid", tid).update_expression("SET #name = :value");
    let update =
        update.expression_attribute_names("#name", name).expression_attribute_values(":value", value);
    update.send().await.unwrap();
}

fn number(value: i64) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::N(value.to_string())
}

/// An outbox with one event.
fn outbox(event: &str, at: i64) -> aws_sdk_dynamodb::types::AttributeValue {
    use aws_sdk_dynamodb::types::AttributeValue::{L, M, S};
    let entry = [("event", S(event.to_owned())), ("at", number(at)), ("attempt", number(1))];
    L(vec![M(entry.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())])
}

// T5.7
#[tokio::test]
async fn audit_times_are_clamped_to_order() {
    // A reported time later than now, or earlier than the entry before, is recorded in order.
    for forged in [YEAR, -YEAR, 1, i64::MAX / 2, i64::MIN / 2] {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        keyvend.world.clock.advance(Duration::from_secs(60));
        keyvend.claims(&tab).await;
        let now = keyvend.world.clock.now().0;
        let said = now.saturating_add(forged);
        sets(&keyvend, &tab, "outbox", outbox("claimed", said)).await;
        keyvend.deliver().await;
        assert_eq!(keyvend.creates(), 1, "{forged}: when it was is no reason to give no key");
        let trail = keyvend.trail().await;
        assert!(trail.iter().all(|entry| entry.at.0 <= now), "{forged}: {trail:?}");
        assert!(trail.is_sorted_by_key(|entry| entry.at), "{forged}: {trail:?}");
        let claimed = trail.iter().find(|entry| entry.event == "link.claimed").unwrap();
        assert_eq!(claimed.detail["reported_at"], said.to_string(), "what was said is kept beside it");
        let item = keyvend.item(&format!("request#{}", text(&keyvend.request().await["id"]))).await;
        assert!(text(&item["changed_on"]["S"]).starts_with("2025-11-24#"), "{item}: where checkpoints look");
    }
}

/// It would be fresh for a year.
// T7.7
#[tokio::test]
async fn a_claim_from_the_future_gets_no_key() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    sets(&keyvend, &tab, "claimed_at", number(keyvend.world.clock.now().0 + YEAR)).await;
    keyvend.deliver_everything().await;
    keyvend.nothing_was_created().await;
    assert_eq!(keyvend.stands().await, "APPROVED");
    assert_eq!(keyvend.ticket_stands(&tab).await, "FAILED");
}

/// The clock of `reveal` may be a second ahead.
#[tokio::test]
async fn slightly_future_claim_is_delayed() {
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    sets(&keyvend, &tab, "claimed_at", number(keyvend.world.clock.now().0 + 2)).await;
    keyvend.deliver().await;
    assert_eq!(keyvend.creates(), 0, "not yet");
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.creates(), 1);
}

/// A link that leaked after its time, and the role: the ticket's own expiry is the role's to change.
// T7.7
#[tokio::test]
async fn ticket_cannot_prolong_expired_link() {
    for claimed_in_time in [false, true] {
        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        let expires_at = keyvend.world.clock.now().0 + 900;
        keyvend.world.clock.advance(Duration::from_secs(900 + 181));
        sets(&keyvend, &tab, "expires_at", number(expires_at + YEAR)).await;
        assert_eq!(keyvend.posts("/reveal/claim", &tab.claim(None)).await.0, 202, "`reveal` believes it");
        if claimed_in_time {
            sets(&keyvend, &tab, "claimed_at", number(expires_at - 1)).await;
        }
        keyvend.deliver_everything().await;
        keyvend.nothing_was_created().await;
        assert_eq!(keyvend.stands().await, "APPROVED");
    }
}

// T7.7
#[tokio::test]
async fn unlisted_browser_is_shown_as_unknown() {
    let phish = "Firefox. <https://evil.example|Confirm your account>";
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.claims(&tab).await;
    let forged = aws_sdk_dynamodb::types::AttributeValue::S(phish.to_owned());
    sets(&keyvend, &tab, "browser", forged).await;
    keyvend.deliver_everything().await;
    assert_eq!(keyvend.creates(), 1);
    let told = keyvend.told(ALICE_OWNER);
    assert!(told.contains("used your link (an unknown browser)"), "{told}");
    let slack = keyvend.world.net.slack();
    let said: Vec<Value> = [APPROVALS]
        .iter()
        .flat_map(|to| slack.messages(to))
        .chain(slack.told(ALICE_OWNER))
        .map(|m| m.json())
        .collect();
    assert!(!json!(said).to_string().contains("evil.example"), "{said:?}");
    let trail = format!("{:?}", keyvend.trail().await);
    assert!(trail.contains("an unknown browser") && !trail.contains("evil.example"), "{trail}");
}
