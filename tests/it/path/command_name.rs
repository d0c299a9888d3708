//! The slash command, installed under another name than the default one: no message mentions the default.

use std::path::Path;
use std::time::Duration;

use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, CAROL_APPROVER, GENERAL, MALLORY_OUTSIDER};

/// Everything that was ever said or shown, as Slack received it.
fn everything_said(keyvend: &Deployed) -> Vec<String> {
    let slack = keyvend.world.net.slack();
    let messages = slack.ever().into_iter().map(|said| format!("{} {}", said.text, said.blocks));
    messages.chain(slack.views().into_iter().map(|view| view.view.to_string())).collect()
}

#[tokio::test]
async fn no_message_mentions_default_command_name() {
    let keyvend = Deployed::with(&[("KEYVEND_SLASH_COMMAND", "/keys")]).await;
    let mut answered = Vec::new();
    let (_, key) = keyvend.confirmed().await;
    let admin = aws::iam(&keyvend.world.net, HOME);
    let made = admin.create_access_key().user_name("ci-deployer").send().await.unwrap();
    let unmanaged = made.access_key.unwrap().access_key_id;
    for (person, text) in [
        (ALICE_OWNER, "help".to_owned()),
        (ALICE_OWNER, "nonsense".to_owned()),
        (ALICE_OWNER, "create ci-deployer".to_owned()),
        (ALICE_OWNER, "list".to_owned()),
        (MALLORY_OUTSIDER, "list".to_owned()),
        (ALICE_OWNER, "status 0123456789ABCDEF".to_owned()),
        (MALLORY_OUTSIDER, "status".to_owned()),
        (ALICE_OWNER, "rotate AKIAIOSFODNN7EXAMPLE".to_owned()),
        (ALICE_OWNER, format!("rotate {unmanaged}")),
        (BOB_APPROVER, "freeze".to_owned()),
        (CAROL_APPROVER, "unfreeze".to_owned()),
        (ALICE_OWNER, format!("deactivate {unmanaged}")),
        (BOB_APPROVER, format!("deactivate {}", key.id)),
    ] {
        keyvend.world.clock.advance(Duration::from_secs(5));
        answered.push(keyvend.types(person, &text).await);
        keyvend.deliver_everything().await;
    }
    let said: Vec<String> = everything_said(&keyvend).into_iter().chain(answered).collect();
    for said in &said {
        assert!(!said.contains("/access-key"), "{said}");
    }
    // The control: there are mentions in answers, in direct messages and in the approvals channel.
    assert!(said.iter().filter(|said| said.contains("`/keys")).count() > 8, "{said:#?}");
    assert!(keyvend.told(ALICE_OWNER).contains("`/keys activate"), "{}", keyvend.told(ALICE_OWNER));
    let channel = keyvend.world.net.slack().messages(APPROVALS);
    assert!(channel.iter().any(|message| message.reading().contains("`/keys unfreeze`")));
}

#[tokio::test]
async fn answer_uses_the_name_that_was_typed() {
    // Slack allows several commands for one address.
    let keyvend = Deployed::with(&[("KEYVEND_SLASH_COMMAND", "/keys")]).await;
    keyvend.arrive(keyvend.world.slash_command_named("/ak", MALLORY_OUTSIDER, GENERAL, "status")).await;
    keyvend.deliver_everything().await;
    let told = keyvend.told(MALLORY_OUTSIDER);
    assert!(told.contains("`/ak help`") && !told.contains("/keys"), "{told}");
}

/// A mention that does not begin inline code would keep the default name.
#[test]
fn every_mention_can_be_renamed() {
    fn files(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs" || end == "cedar") {
                found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src/render", "src/cli/output", "src/worker", "src/functions", "policies"] {
        files(&root.join(folder), &mut found);
    }
    let mut mentions = 0;
    for (file, text) in found {
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, _) in product.match_indices("/access-key") {
            let before = product[..at].chars().next_back();
            assert_eq!(before, Some('`'), "{file}: {}", &product[at..(at + 40).min(product.len())]);
            mentions += 1;
        }
    }
    assert!(mentions > 25, "{mentions}");
}
