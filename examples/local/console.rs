//! What IAM has, as its console would show it to an administrator: users with their tags and keys, and no secret.

use serde_json::{Value, json};

use testkit::World;
use testkit::aws::SANDBOX;
use testkit::iam::Key;
use testkit::net::HOME;

/// The accounts, by the names that keyvend has for them.
const ACCOUNTS: [(&str, &str); 2] = [("home", HOME), ("sandbox", SANDBOX)];

/// Every IAM user.
pub async fn users(world: &World) -> Value {
    let iam = world.net.iam();
    let mut users = Vec::new();
    for (alias, account) in ACCOUNTS {
        for name in iam.users(account).await {
            let keys: Vec<Value> = iam.keys(account, &name).iter().map(key).collect();
            let tags = iam.tags(account, &name).await;
            users.push(json!({"account": alias, "name": name, "tags": tags, "keys": keys}));
        }
    }
    users.into()
}

fn key(key: &Key) -> Value {
    let used = key.last_used.as_ref().map(|(at, service, _)| json!({"at": at, "service": service}));
    json!({"id": key.id, "status": key.status, "created": key.created, "used": used})
}
