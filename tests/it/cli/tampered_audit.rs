//! Somebody with rights over table `Audit` that no function has: what they can do to a trail, and what was kept.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use keyvend::domain::audit::AuditEntry;
use keyvend::time::Timestamp;

use testkit::World;
use testkit::aws::{AUDIT, REQUESTS};
use testkit::net::HOME;

type Item = HashMap<String, AttributeValue>;

/// Whoever tampers.
pub struct Tamperer(Client);

impl Tamperer {
    pub fn of(world: &World) -> Self {
        Self(Client::new(&world.net.admin(HOME)))
    }

    fn key(request: &str, seq: u32) -> Item {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(request.to_owned())),
            ("sk".to_owned(), AttributeValue::N(seq.to_string())),
        ])
    }

    pub async fn reads(&self, request: &str, seq: u32) -> Item {
        let get = self.0.get_item().table_name(AUDIT).set_key(Some(Self::key(request, seq)));
        get.send().await.unwrap().item.unwrap()
    }

    pub async fn writes(&self, item: Item) {
        self.0.put_item().table_name(AUDIT).set_item(Some(item)).send().await.unwrap();
    }

    pub async fn removes(&self, request: &str, seq: u32) {
        let delete = self.0.delete_item().table_name(AUDIT).set_key(Some(Self::key(request, seq)));
        delete.send().await.unwrap();
    }

    /// Sets a text of a record.
    pub async fn changes(&self, request: &str, seq: u32, name: &str, value: &str) {
        let mut item = self.reads(request, seq).await;
        item.insert(name.to_owned(), AttributeValue::S(value.to_owned()));
        self.writes(item).await;
    }

    /// Sets a text of a record and gives it the hash that goes with it.
    pub async fn forges(&self, request: &str, seq: u32, name: &str, value: &str) {
        self.changes(request, seq, name, value).await;
        let item = self.reads(request, seq).await;
        let hash = entry(&item).computed_hash_in(request);
        self.changes(request, seq, "hash", &hash).await;
    }

    /// Puts each of two records in the other's place.
    pub async fn swaps(&self, first: (&str, u32), second: (&str, u32)) {
        let (mut one, mut other) = (self.reads(first.0, first.1).await, self.reads(second.0, second.1).await);
        one.extend(Self::key(second.0, second.1));
        other.extend(Self::key(first.0, first.1));
        self.writes(one).await;
        self.writes(other).await;
    }

    /// Cuts a chain off after a record, and has the request's own item end there too.
    pub async fn truncates(&self, request: &str, after: u32, until: u32) {
        for seq in after + 1..=until {
            self.removes(request, seq).await;
        }
        let head = entry(&self.reads(request, after).await).hash;
        self.rewrites(request, |text| {
            let mut document: serde_json::Value = serde_json::from_str(text).unwrap();
            document["chain"] =
                serde_json::json!({"next": after + 1, "head": head, "last_appended_at": 0, "outbox": []});
            document.to_string()
        })
        .await;
    }

    /// Makes the request's own item unreadable.
    pub async fn garbles(&self, request: &str) {
        self.rewrites(request, |text| text.replace("chain", "chair")).await;
    }

    async fn rewrites(&self, request: &str, change: impl Fn(&str) -> String) {
        let key = AttributeValue::S(format!("request#{request}"));
        let get = self.0.get_item().table_name(REQUESTS).key("pk", key);
        let mut item = get.send().await.unwrap().item.unwrap();
        let document = change(item["document"].as_s().unwrap());
        item.insert("document".to_owned(), AttributeValue::S(document));
        self.0.put_item().table_name(REQUESTS).set_item(Some(item)).send().await.unwrap();
    }

    /// Takes away the item that says where a chain ends, be it a request's or not.
    pub async fn forgets(&self, item: &str) {
        let key = AttributeValue::S(item.to_owned());
        self.0.delete_item().table_name(REQUESTS).key("pk", key).send().await.unwrap();
    }

    /// Appends a record with all that belongs to it: the place, the hash of the one before, and its own.
    pub async fn appends(&self, chain: &str, event: &str) {
        let (seq, prev) = self.end(chain).await;
        self.makes(chain, event, seq + 1, prev).await;
    }

    /// Makes a chain up.
    pub async fn begins(&self, chain: &str, event: &str) {
        self.makes(chain, event, 1, "0".repeat(64)).await;
    }

    async fn makes(&self, chain: &str, event: &str, seq: u32, prev: String) {
        let mut entry = AuditEntry {
            seq,
            at: Timestamp(1_764_028_800),
            event: event.to_owned(),
            actor: "T0001.U0MALLORY".to_owned(),
            detail: std::collections::BTreeMap::new(),
            prev,
            hash: String::new(),
        };
        entry.hash = entry.computed_hash_in(chain);
        self.writes(item(chain, &entry)).await;
    }

    /// Writes a checkpoint over these ends of chains, in its place after `prev`; its hash.
    pub async fn checkpoint(&self, seq: u32, prev: &str, heads: &[(&str, u32, &str)]) -> String {
        let mut detail: std::collections::BTreeMap<String, String> = heads
            .iter()
            .map(|(request, seq, hash)| ((*request).to_owned(), format!("{seq}:{hash}")))
            .collect();
        detail.insert("heads".to_owned(), "f".repeat(64));
        let mut entry = AuditEntry {
            seq,
            at: Timestamp(1_764_028_800),
            event: "audit.checkpoint".to_owned(),
            actor: "keyvend".to_owned(),
            detail,
            prev: prev.to_owned(),
            hash: String::new(),
        };
        entry.hash = entry.computed_hash_in("checkpoint");
        let hash = entry.hash.clone();
        self.writes(item("checkpoint", &entry)).await;
        hash
    }

    /// The last record of a chain.
    pub async fn end(&self, request: &str) -> (u32, String) {
        let mut seq = 1;
        loop {
            let get = self.0.get_item().table_name(AUDIT).set_key(Some(Self::key(request, seq + 1)));
            if get.send().await.unwrap().item.is_none() {
                return (seq, entry(&self.reads(request, seq).await).hash);
            }
            seq += 1;
        }
    }
}

fn entry(item: &Item) -> AuditEntry {
    let text = |name: &str| item[name].as_s().unwrap().clone();
    let detail = item["detail"].as_m().unwrap();
    AuditEntry {
        seq: item["sk"].as_n().unwrap().parse().unwrap(),
        at: Timestamp(item["at"].as_n().unwrap().parse().unwrap()),
        event: text("event"),
        actor: text("actor"),
        detail: detail.iter().map(|(name, value)| (name.clone(), value.as_s().unwrap().clone())).collect(),
        prev: text("prev"),
        hash: text("hash"),
    }
}

fn item(chain: &str, entry: &AuditEntry) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let detail = entry.detail.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let mut item = Tamperer::key(chain, entry.seq);
    item.extend([
        ("at".to_owned(), AttributeValue::N(entry.at.0.to_string())),
        ("event".to_owned(), text(&entry.event)),
        ("actor".to_owned(), text(&entry.actor)),
        ("detail".to_owned(), AttributeValue::M(detail)),
        ("prev".to_owned(), text(&entry.prev)),
        ("hash".to_owned(), text(&entry.hash)),
    ]);
    item
}
