//! Every scene of the tour, taken step by step.

use serde_json::{Value, json};

use testkit::deployed::Tab;
use testkit::slack::{ALICE_OWNER, BOB_APPROVER, CAROL_APPROVER, GENERAL};

use crate::local::tour::SCENES;
use crate::local::{Browser, at_the_pages, buttons, chat, scene, tour};

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;

#[tokio::test]
async fn from_asking_to_the_key() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let (status, _, page) = browser.gets("/").await;
        assert_eq!((status, page.as_str()), (200, chat::PAGE));
        let [ask, approve, get, again] = scene("From request to key");
        assert_eq!(ask.command, Some(tour::FIRST));
        assert!(browser.takes(ask).await.contains("It needs 1 approval"));
        browser.presses(approve.person, "Approve").await;
        assert!(browser.statuses("ci-deployer").await.is_empty(), "no key exists yet");
        let tab = browser.link(get.person).await;
        let (status, head, _) = browser.gets("/reveal").await;
        assert_eq!(status, 200);
        assert!(head.to_lowercase().contains("content-security-policy: default-src 'none'"), "{head}");
        let key = browser.key(&tab, None).await;
        assert_eq!(browser.statuses("ci-deployer").await, ["Active"]);
        let button = browser.presses(again.person, "Open the one-time link").await;
        let second = Tab::open(button["url"].as_str().unwrap());
        assert_eq!(browser.does("/reveal/claim", &second.claim(None)).await.0, 409);
        assert!(browser.told(again.person).await.contains("again in another browser tab"));
        assert!(browser.card().await.to_string().contains(&key.id), "the card says which key");
        for person in [ALICE_OWNER, BOB_APPROVER] {
            assert!(!browser.state(person).await.to_string().contains(&key.secret), "nobody can read it");
        }
    })
    .await;
}

#[tokio::test]
async fn the_form() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, _, deny, late] = scene("The form");
        browser.takes(ask).await;
        assert!(browser.views(BOB_APPROVER).await.is_empty(), "a form is shown to whom it is opened for");
        let close = json!({"as": ALICE_OWNER, "view": browser.form(ALICE_OWNER).await["id"]});
        assert_eq!(browser.does("/chat/close", &close).await.0, 200);
        browser.takes(ask).await;
        let form = browser.form(ALICE_OWNER).await;
        let own = &form["view"]["blocks"][0]["element"]["options"];
        assert!(own.to_string().contains("report-bot@home"), "the second form knows: {own}");

        let mut values = json!({"use-case": "cli", "lifetime": "30d", "reason": "tooling"});
        values["other"] = json!("arn:aws:iam::1:user/ci");
        let mut stolen = browser.filled(ALICE_OWNER, &values).await;
        stolen["as"] = json!(BOB_APPROVER);
        assert_eq!(browser.does("/chat/submit", &stolen).await.0, 404);
        let (_, wrong) = browser.does("/chat/submit", &browser.filled(ALICE_OWNER, &values).await).await;
        assert!(wrong["errors"]["other"].to_string().contains("not an IAM user name"), "{wrong}");
        let mut odd = values.clone();
        odd["lifetime"] = json!("9000d");
        assert_eq!(browser.does("/chat/submit", &browser.filled(ALICE_OWNER, &odd).await).await.0, 404);
        let chosen =
            json!({"as": ALICE_OWNER, "view": form["id"], "block_id": "use-case", "value": "outside-aws"});
        assert_eq!(browser.does("/chat/choose", &chosen).await, (200, json!({"status": 200})));
        assert!(browser.form(ALICE_OWNER).await.to_string().contains("Roles Anywhere"));
        values["other"] = Value::Null;
        values["own"] = json!("report-bot@home");
        let (_, right) = browser.posts("/chat/submit", &browser.filled(ALICE_OWNER, &values).await).await;
        assert_eq!(right, json!({"status": 200, "errors": null}));
        assert!(
            browser.form(ALICE_OWNER).await.to_string().contains("Checking..."),
            "until it is worked off"
        );
        browser.running.tick().await;
        assert!(browser.form(ALICE_OWNER).await.to_string().contains("Request sent: a key for `report-bot`"));
        assert_eq!(browser.does("/chat/close", &close).await.0, 404, "that one was closed before");

        browser.presses(deny.person, "Deny").await;
        let why = browser.filled(deny.person, &json!({"reason": "use OIDC instead"})).await;
        assert_eq!(browser.does("/chat/submit", &why).await.1["status"], 200);
        assert!(browser.told(ALICE_OWNER).await.contains("use OIDC instead"));

        let before = browser.views(ALICE_OWNER).await.len();
        assert!(browser.takes(late).await.contains("could not be opened in time"));
        assert_eq!(browser.views(ALICE_OWNER).await.len(), before);
        browser.presses(ALICE_OWNER, "Open the form").await;
        assert!(browser.form(ALICE_OWNER).await.to_string().contains("Request an access key"));
    })
    .await;
}

#[tokio::test]
async fn a_code_by_mail() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, approve, guess, get, off] = scene("A code by email");
        browser.takes(ask).await;
        browser.presses(approve.person, "Approve").await;
        let tab = browser.link(guess.person).await;
        assert_eq!(browser.does("/reveal/claim", &tab.claim(None)).await.0, 401);
        let wrong = tab.code("00000000");
        for left in [4, 3, 2, 1] {
            let (status, body) = browser.does("/reveal/claim", &tab.claim(Some(&wrong))).await;
            assert_eq!((status, &body["tries_left"]), (401, &json!(left)), "{body}");
        }
        assert_eq!(browser.does("/reveal/claim", &tab.claim(Some(&wrong))).await.0, 423);
        let right = tab.code(&browser.code(ALICE_OWNER).await);
        assert_eq!(browser.does("/reveal/claim", &tab.claim(Some(&right))).await.0, 423, "too late");
        assert!(browser.told(ALICE_OWNER).await.contains("Five wrong codes"));

        let tab = browser.link(get.person).await;
        let state = browser.state(ALICE_OWNER).await;
        assert_eq!((state["mail"].as_array().unwrap().len(), &state["wants_code"]), (2, &json!(true)));
        assert_eq!(browser.state(BOB_APPROVER).await["mail"], json!([]), "it is Alice's alone");
        let code = tab.code(&browser.code(ALICE_OWNER).await);
        browser.key(&tab, Some(&code)).await;

        assert_eq!(off.mail, Some(false));
        browser.does("/chat/mail", &json!({"on": false})).await;
        let [first, ..] = scene::<4>("From request to key");
        browser.gets_a_key(first).await;
    })
    .await;
}

#[tokio::test]
async fn two_approvals() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, first, second] = scene("Two approvals");
        assert!(browser.takes(ask).await.contains("It needs 2 approvals"));
        browser.presses(first.person, "Approve").await;
        let card = browser.card().await.to_string();
        assert!(card.contains("1 of 2") && card.contains("privileged"), "{card}");
        assert!(!browser.told(ALICE_OWNER).await.contains("Get my key"));
        browser.presses(first.person, "Details").await;
        assert!(browser.form(first.person).await.to_string().contains("AdministratorAccess"));
        browser.presses(first.person, "Approve").await;
        assert!(browser.card().await.to_string().contains("1 of 2"), "one person is one approval");
        browser.presses(second.person, "Approve").await;
        assert!(browser.told(ALICE_OWNER).await.contains("Get my key"));
    })
    .await;
}

#[tokio::test]
async fn what_is_refused() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [others, own, wrong, third] = scene("Denied requests");
        assert!(browser.takes(others).await.contains("not an owner"));
        assert!(browser.takes(own).await.contains("It needs 1 approval"));
        browser.presses(own.person, "Approve").await;
        assert!(browser.state(own.person).await.to_string().contains("cannot approve your own"));
        assert!(browser.takes(wrong).await.contains("IAM role"));
        assert!(browser.takes(third).await.contains("two access keys"));
    })
    .await;
}

#[tokio::test]
async fn this_wasnt_me() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [requester, approver, back] = scene("This wasn't me");
        let [first, ..] = scene::<4>("From request to key");
        browser.gets_a_key(first).await;
        browser.presses(requester.person, "This wasn't me").await;
        assert_eq!(browser.statuses("ci-deployer").await, ["Inactive"]);
        assert!(
            buttons(&browser.card().await).contains(&"Report and deactivate"),
            "the key may be activated again, and must then be reported again"
        );
        browser.gets_a_key(first).await;
        assert_eq!(browser.statuses("ci-deployer").await, ["Inactive", "Active"]);
        browser.presses(approver.person, "Report and deactivate").await;
        assert_eq!(browser.statuses("ci-deployer").await, ["Inactive", "Inactive"]);
        assert!(browser.told(ALICE_OWNER).await.contains("It is deactivated"));
        let listed = browser.takes(back).await;
        assert!(listed.contains("Request reactivation"), "{listed}");
        browser.presses(back.person, "Request reactivation").await;
        assert!(browser.told(back.person).await.contains("is reactivated until"));
        assert_eq!(browser.statuses("ci-deployer").await, ["Active", "Inactive"]);
    })
    .await;
}

#[tokio::test]
async fn manage_your_keys() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, list, rotate, idle, undo] = scene("Manage your keys");
        browser.gets_a_key(ask).await;
        assert!(browser.takes(list).await.contains("never used"));
        browser.presses(rotate.person, "Rotate").await;
        browser.presses(BOB_APPROVER, "Approve").await;
        browser.key(&browser.link(rotate.person).await, None).await;
        assert_eq!(browser.statuses("report-bot").await, ["Active", "Active"]);
        browser.passes(DAY + HOUR).await;
        browser.presses(idle.person, "Deactivate the old key").await;
        assert_eq!(browser.statuses("report-bot").await, ["Inactive", "Active"]);
        browser.presses(undo.person, "Undo").await;
        assert_eq!(browser.statuses("report-bot").await, ["Active", "Active"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_expires() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, extend, expire, undo] = scene("A key expires");
        browser.takes(ask).await;
        browser.presses(CAROL_APPROVER, "Approve").await;
        browser.key(&browser.link(ask.person).await, None).await;
        browser.passes(6 * DAY).await;
        browser.presses(extend.person, "Extend").await;
        browser.presses(CAROL_APPROVER, "Approve").await;
        assert!(
            browser.told(extend.person).await.contains("extended"),
            "{}",
            browser.told(extend.person).await
        );
        browser.passes(6 * DAY).await;
        assert_eq!(browser.statuses("release-bot").await, ["Active"]);
        browser.passes(DAY + HOUR).await;
        assert_eq!(browser.statuses("release-bot").await, ["Inactive"]);
        assert!(browser.told(expire.person).await.contains("has expired"));
        browser.presses(undo.person, "Request reactivation").await;
        browser.presses(CAROL_APPROVER, "Approve").await;
        assert_eq!(browser.statuses("release-bot").await, ["Active"]);
        browser.passes(DAY + HOUR).await;
        assert_eq!(browser.statuses("release-bot").await, ["Inactive"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_nobody_received() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, wait, again] = scene("A key nobody received");
        browser.takes(ask).await;
        browser.presses(BOB_APPROVER, "Approve").await;
        let tab = browser.link(ask.person).await;
        assert_eq!(browser.does("/reveal/claim", &tab.claim(None)).await.0, 202);
        browser.passes(HOUR / 4).await;
        let told = browser.told(wait.person).await;
        assert!(told.contains("was deactivated") && told.contains("Get a new key"), "{told}");
        browser.presses(again.person, "Get a new key").await;
        browser.key(&browser.link(again.person).await, None).await;
    })
    .await;
}

#[tokio::test]
async fn two_keys() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [third, delete, ask] = scene("Two keys");
        assert!(
            browser.takes(third).await.contains("two access keys"),
            "{}",
            browser.told(third.person).await
        );
        browser.presses(third.person, "Deactivate").await;
        assert_eq!(browser.statuses("full").await.iter().filter(|status| *status == "Inactive").count(), 1);
        browser.takes(delete).await;
        browser.presses(delete.person, "Delete").await;
        assert_eq!(browser.statuses("full").await, ["Active"]);
        browser.passes(60).await;
        browser.gets_a_key(ask).await;
        assert_eq!(browser.statuses("full").await, ["Active", "Active"]);
    })
    .await;
}

#[tokio::test]
async fn freeze() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, stop, get, go_on, only_approvers] = scene("Freeze");
        browser.takes(ask).await;
        browser.presses(BOB_APPROVER, "Approve").await;
        assert!(browser.takes(stop).await.contains("Key issuing is frozen"));
        browser.presses(get.person, "Get my key").await;
        assert!(browser.told(get.person).await.contains("Your approval remains valid"));
        assert!(browser.statuses("report-bot").await.is_empty());
        // Only what was stopped before is lifted, and the example goes by the wall clock.
        browser.passes(1).await;
        assert!(browser.takes(go_on).await.contains("Key issuing is resumed"));
        browser.key(&browser.link(get.person).await, None).await;
        assert_eq!(browser.statuses("report-bot").await, ["Active"]);
        assert!(browser.takes(only_approvers).await.contains("approver"));
        browser.gets_a_key(ask).await;
    })
    .await;
}

#[tokio::test]
async fn let_time_pass() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [ask, remind, expire_request, expire_key] = scene("Let time pass");
        browser.takes(ask).await;
        let before = browser.state(remind.person).await;
        browser.passes(5 * HOUR).await;
        let thread = async || {
            let state = browser.state(remind.person).await;
            state["messages"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|m| !m["thread_ts"].is_null())
                .filter(|m| !m["text"].to_string().contains("Audit checkpoint"))
                .count()
        };
        assert_eq!(thread().await, 0, "not yet");
        browser.passes(HOUR).await;
        assert_eq!(thread().await, 1, "a quarter of a day");
        let now = browser.state(remind.person).await["now"].as_i64().unwrap();
        assert!((0..60).contains(&(now - before["now"].as_i64().unwrap() - i64::from(6 * HOUR))), "{now}");
        browser.passes(DAY).await;
        assert_eq!(thread().await, 1, "once");
        assert_eq!(buttons(&browser.card().await), ["Details"]);
        assert!(browser.told(expire_request.person).await.contains("expired"));

        browser.takes(expire_key).await;
        browser.presses(BOB_APPROVER, "Approve").await;
        let tab = browser.link(expire_key.person).await;
        browser.passes(HOUR / 4).await;
        assert_eq!(browser.does("/reveal/claim", &tab.claim(None)).await.0, 410);
        assert!(browser.statuses("report-bot").await.is_empty());
        browser.key(&browser.link(expire_key.person).await, None).await;

        let (status, answer) = browser.posts("/chat/pass", &json!({"seconds": 32 * DAY})).await;
        assert_eq!(status, 404, "{answer}");
    })
    .await;
}

#[tokio::test]
async fn looking_around() {
    at_the_pages(async {
        let browser = Browser::new().await;
        let [status, cancel, whoami, help] = scene("Status and help");
        let [first, ..] = scene::<4>("From request to key");
        browser.takes(first).await;
        browser.presses(BOB_APPROVER, "Approve").await;
        let tab = browser.link(ALICE_OWNER).await;
        assert!(browser.takes(status).await.contains("ci-deployer"));
        browser.takes(cancel).await;
        assert_eq!(browser.does("/reveal/claim", &tab.claim(None)).await.0, 410, "the link died with it");
        assert!(browser.takes(whoami).await.contains("You are"));
        let typed = json!({"as": help.person, "channel": GENERAL, "text": help.command});
        let (_, answer) = browser.does("/chat/command", &typed).await;
        assert!(answer["ephemeral"].to_string().contains("*Commands*"), "{answer}");
    })
    .await;
}

#[test]
fn every_scene_is_walked() {
    let walked = [
        "From request to key",
        "The form",
        "A code by email",
        "Two approvals",
        "Denied requests",
        "This wasn't me",
        "Manage your keys",
        "A key expires",
        "A key nobody received",
        "Two keys",
        "Freeze",
        "Let time pass",
        "Status and help",
    ];
    assert_eq!(SCENES.map(|scene| scene.title), walked);
}
