//! What must hold after any fault.

use std::collections::BTreeSet;

use keyvend::domain::audit::AuditEntry;

use crate::aws::{self, REQUESTS};
use crate::deployed::{Deployed, ShownKey};
use crate::net::HOME;
use crate::steps::text;

const FINAL: [&str; 6] = ["ISSUED", "COMPLETED", "DENIED", "CANCELLED", "EXPIRED", "POLICY_DENIED"];
const ANSWERABLE: [&str; 3] = ["PENDING", "APPROVED", "LINK_ISSUED"];
const LIVE: [&str; 5] = ["DELIVERED", "CONFIRMED", "UNCONFIRMED", "ACTIVATING", "ACTIVE"];

impl Deployed {
    /// While people are at it: one live key at most, and that one on record; no lease held by nobody.
    pub async fn is_sound(&self, about: &str) {
        let items = aws::items(&self.world.net, REQUESTS).await;
        let stands: Vec<String> =
            self.requests().await.iter().map(|request| text(&request["stands"])).collect();
        let settling = stands.iter().any(|stands| stands == "ISSUING" || stands == "AMBIGUOUS");
        let live: Vec<String> = aws::keys(&self.world.net, HOME, "ci-deployer")
            .into_iter()
            .filter(|key| key.status == "Active")
            .map(|key| key.id)
            .collect();
        assert!(live.len() <= 1 || settling, "{about}: {live:?} are all on");
        for key in &live {
            let state = items.get(&format!("key#{key}")).map(|item| text(&item["state"]["S"]));
            let recorded = state.as_deref().is_some_and(|state| LIVE.contains(&state));
            assert!(recorded || settling, "{about}: {key} is on and its record says {state:?}");
        }
        let busy = ["ACTIVATING", "DELETING"];
        let working = items
            .iter()
            .any(|(pk, item)| pk.starts_with("key#") && busy.contains(&text(&item["state"]["S"]).as_str()));
        assert!(self.lease().await.is_null() || settling || working, "{about}: a lease held by nobody");
        for stands in stands {
            let known = FINAL.contains(&stands.as_str()) || ANSWERABLE.contains(&stands.as_str());
            assert!(known || settling, "{about}: a request is {stands}");
        }
    }

    /// The same, where keys of others are there, too: at most two are on, and a lease is held by somebody.
    pub async fn is_sound_beside_others(&self, about: &str) {
        let keys = aws::keys(&self.world.net, HOME, "ci-deployer");
        assert!(keys.len() <= 2, "{about}: {} keys", keys.len());
        assert!(self.lease().await.is_null(), "{about}: a lease held by nobody");
    }

    /// The requester has a key, the one that is on.
    pub async fn has_the_key(&self, key: &ShownKey, about: &str) {
        let live: Vec<_> = aws::keys(&self.world.net, HOME, "ci-deployer")
            .into_iter()
            .filter(|key| key.status == "Active")
            .map(|key| (key.id, key.secret))
            .collect();
        assert_eq!(live, [(key.id.clone(), key.secret.clone())], "{about}");
        let state = text(&self.item(&format!("key#{}", key.id)).await["state"]["S"]);
        assert_eq!(state, "CONFIRMED", "{about}");
    }

    /// When all timers have run out: no key is on, no lease is held, every request has ended, and the trail has it all.
    pub async fn has_ended(&self, about: &str) {
        let keys = aws::keys(&self.world.net, HOME, "ci-deployer");
        let live: Vec<_> = keys.iter().filter(|key| key.status == "Active").map(|key| &key.id).collect();
        assert!(live.is_empty(), "{about}: {live:?} are on for ever");
        assert!(self.lease().await.is_null(), "{about}: a lease held for ever");
        for request in self.requests().await {
            let stands = text(&request["stands"]);
            assert!(FINAL.contains(&stands.as_str()), "{about}: a request is {stands} for ever");
            assert_eq!(request["chain"]["outbox"], serde_json::json!([]), "{about}: not all is in the trail");
            assert_eq!(
                request["notifications"]["outbox"],
                serde_json::json!([]),
                "{about}: not all was told"
            );
            let trail = self.trail_of(&text(&request["id"])).await;
            let head = trail.last().map(|entry| entry.hash.clone()).unwrap_or_default();
            assert_eq!(request["chain"]["head"], serde_json::json!(head), "{about}: the trail ends early");
            let key = |entry: &AuditEntry, name: &str| entry.detail.get(name).cloned();
            let ended: BTreeSet<String> = trail
                .iter()
                .filter_map(|entry| match entry.event.as_str() {
                    "key.deleted" | "key.not_ours" => key(entry, "key"),
                    _ => key(entry, "deleted"),
                })
                .collect();
            for created in trail.iter().filter(|entry| entry.event == "issue.key_created") {
                let id = key(created, "key").unwrap();
                assert!(ended.contains(&id), "{about}: the trail does not say what became of {id}");
            }
        }
    }
}
