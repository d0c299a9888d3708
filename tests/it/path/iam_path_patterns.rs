//! IAM users whose path a policy would read as a pattern: no session is ever narrowed by such a path.

use super::key_commands::{had, status, typed};
use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::HOME;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER};
use testkit::steps::text;

const NO: &str = "contains `*`, `?` or `$`";

/// Moves an IAM user.
async fn moved(keyvend: &Deployed, user: &str, path: &str) {
    let iam = aws::iam(&keyvend.world.net, HOME);
    iam.update_user().user_name(user).new_path(path).send().await.unwrap();
}

/// What the sessions were narrowed to.
fn resources(keyvend: &Deployed) -> Vec<String> {
    let sessions = aws::sessions(&keyvend.world.net);
    sessions.iter().flat_map(|session| session.allowed()).flat_map(|(_, resources)| resources).collect()
}

// T2.8
#[tokio::test]
async fn user_at_wildcard_path_gets_no_key() {
    for path in ["/ci*/", "/c?/", "/${aws:username}/"] {
        let keyvend = Deployed::new().await;
        moved(&keyvend, "ci-deployer", path).await;
        keyvend.types(ALICE_OWNER, testkit::steps::ASK).await;
        assert!(keyvend.told(ALICE_OWNER).contains(NO), "{path}: {}", keyvend.told(ALICE_OWNER));
        assert_eq!(keyvend.stands().await, "POLICY_DENIED", "{path}");

        // Moved there while the request waits, and after it was approved.
        let keyvend = Deployed::new().await;
        let card = keyvend.asked().await;
        moved(&keyvend, "ci-deployer", path).await;
        keyvend.presses(BOB_APPROVER, &card, "Approve").await;
        assert!(keyvend.told(BOB_APPROVER).contains(NO), "{path}: {}", keyvend.told(BOB_APPROVER));
        assert_eq!(keyvend.stands().await, "POLICY_DENIED", "{path}");

        let keyvend = Deployed::new().await;
        let tab = keyvend.linked().await;
        moved(&keyvend, "ci-deployer", path).await;
        keyvend.claims(&tab).await;
        keyvend.deliver_everything().await;
        assert_eq!(keyvend.stands().await, "POLICY_DENIED", "{path}");
        keyvend.nothing_was_created().await;
        let patterned = resources(&keyvend).into_iter().filter(|resource| resource != "*");
        assert_eq!(patterned.collect::<Vec<_>>(), Vec::<String>::new(), "{path}");
    }
}

// T2.8
#[tokio::test]
async fn key_at_wildcard_path_is_left_unchanged() {
    // Such a key can be deactivated only in the console or by the operator.
    let keyvend = Deployed::new().await;
    let key = had(&keyvend).await;
    let foreign = super::key_commands::foreign(&keyvend, "ci-deployer").await;
    moved(&keyvend, "ci-deployer", "/ci*/").await;
    for typed_line in [format!("deactivate {foreign}"), format!("delete {foreign}")] {
        let told = typed(&keyvend, ALICE_OWNER, &typed_line).await.reading();
        assert!(told.contains(NO) && told.contains("`keyvend key deactivate`"), "{told}");
    }
    assert_eq!(status(&keyvend, &foreign), "Active");
    // A key that keyvend issued was issued at another path, which is what its sessions are narrowed to.
    let issued = super::key_commands::item(&keyvend, &key.id).await;
    assert_eq!(text(&issued["path"]), "/");
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {}", key.id)).await;
    keyvend.deliver_everything().await;
    for resource in resources(&keyvend).into_iter().filter(|resource| resource != "*") {
        assert!(!resource.contains(['*', '?', '$']), "{resource}");
    }
}
