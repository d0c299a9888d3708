//! Messages about keys that keyvend did not issue, or about several keys, have an end, too; time alone ends some; and what is
//! deleted in Slack while somebody still has to answer it is posted again.

use super::ambiguous_create::{question, unanswered};
use super::daily_jobs::{leaves, two_keys};
use super::key_commands::{DAY, after, buttons, foreign, had, said, status, typed};
use super::message_ends::now;
use super::quiet_days::{next_day, reports};
use testkit::aws;
use testkit::deployed::Deployed;
use testkit::net::{HOME, Interfere};
use testkit::slack::{ALICE_OWNER, APPROVALS, BOB_APPROVER, Message, direct};
use testkit::steps::{stable, text};

const NOTHING: [&str; 0] = [];

/// Presses the button of a message that carries this.
async fn presses_of(keyvend: &Deployed, person: &str, message: &Message, key: &str) {
    let message = now(keyvend, message);
    let button = message.buttons().into_iter().find(|button| button.value.contains(key)).unwrap();
    keyvend.world.clock.advance(std::time::Duration::from_secs(1));
    keyvend.arrive(keyvend.world.press_button(person, &message, &button)).await;
    keyvend.deliver_everything().await;
}

#[tokio::test]
async fn unused_undo_ends_with_its_time() {
    for managed in [true, false] {
        let keyvend = Deployed::new().await;
        let key = if managed { had(&keyvend).await.id } else { foreign(&keyvend, "ci-deployer").await };
        typed(&keyvend, ALICE_OWNER, &format!("deactivate {key}")).await;
        let offer = keyvend.offer("Undo").unwrap();
        after(&keyvend, 840).await;
        assert_eq!(buttons(&now(&keyvend, &offer)), ["Undo"], "{managed}");
        after(&keyvend, 120).await;
        let ended = now(&keyvend, &offer);
        assert_eq!(buttons(&ended), NOTHING, "{managed}");
        let instead = if managed {
            format!("`/access-key activate {key}` requests its reactivation.")
        } else {
            "If something broke, activate it in the AWS console.".to_owned()
        };
        let says = format!("*Closed.* It is too late to undo the deactivation of the key `{key}`. {instead}");
        assert!(ended.reading().contains(&says), "{managed}: {}", ended.reading());
        assert_eq!(status(&keyvend, &key), "Inactive");
        // It is updated once, and then no timer is left.
        after(&keyvend, DAY).await;
        assert_eq!(now(&keyvend, &offer).edits.len(), 1, "{managed}");
        let items = aws::items(&keyvend.world.net, aws::REQUESTS).await;
        let timers = items.iter().filter(|(pk, item)| pk.starts_with("posted#") && !item["due_at"].is_null());
        assert_eq!(timers.count(), 0, "{managed}");
    }
}

#[tokio::test]
async fn messages_about_unmanaged_key_end() {
    for how in ["deleted", "undone", "not confirmed", "deleted in AWS"] {
        let keyvend = Deployed::new().await;
        let key = foreign(&keyvend, "ci-deployer").await;
        // An answer that Slack does not take where it belongs comes by direct message, and stays there.
        keyvend.world.net.slack().fail_next("response_url", "expired_url");
        typed(&keyvend, ALICE_OWNER, &format!("delete {key}")).await;
        let active = keyvend.direct(ALICE_OWNER);
        assert_eq!(buttons(&active), ["Deactivate"]);
        keyvend.presses(ALICE_OWNER, &active, "Deactivate").await;
        assert_eq!(buttons(&now(&keyvend, &active)), NOTHING, "{how}");
        let undo = keyvend.offer("Undo").unwrap();
        typed(&keyvend, ALICE_OWNER, &format!("delete {key}")).await;
        let asked = keyvend.offer("Delete").unwrap();
        assert_eq!(
            (buttons(&now(&keyvend, &undo)), buttons(&asked)),
            (vec!["Undo".into()], vec!["Delete".into()])
        );
        let says = match how {
            "deleted" => {
                keyvend.presses(ALICE_OWNER, &asked, "Delete").await;
                format!("*Closed.* The key `{key}` was deleted <time>.")
            }
            "undone" => {
                keyvend.presses(ALICE_OWNER, &undo, "Undo").await;
                format!("*Closed.* The key `{key}` was activated <time>.")
            }
            "not confirmed" => {
                after(&keyvend, DAY + 60).await;
                format!("The deletion of the key `{key}` was not confirmed in time.")
            }
            _ => {
                let iam = aws::iam(&keyvend.world.net, HOME);
                iam.delete_access_key().user_name("ci-deployer").access_key_id(&key).send().await.unwrap();
                keyvend.presses(ALICE_OWNER, &asked, "Delete").await;
                assert!(
                    keyvend.told(ALICE_OWNER).contains("There is no key"),
                    "{}",
                    keyvend.told(ALICE_OWNER)
                );
                format!("*Closed.* The key `{key}` was deleted <time>.")
            }
        };
        keyvend.deliver_everything().await;
        for ended in [&undo, &asked] {
            assert_eq!(buttons(&now(&keyvend, ended)), NOTHING, "{how}");
        }
        let reading = stable(&now(&keyvend, &asked).reading());
        assert!(reading.contains(&says), "{how}: {reading}");
    }
}

#[tokio::test]
async fn deletion_that_skips_active_key_ends_its_question() {
    let keyvend = Deployed::new().await;
    let key = foreign(&keyvend, "ci-deployer").await;
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {key}")).await;
    typed(&keyvend, ALICE_OWNER, &format!("delete {key}")).await;
    let asked = keyvend.offer("Delete").unwrap();
    keyvend.world.net.once("iam", "DeleteAccessKey", Interfere::CrashBefore);
    let event = keyvend.pressed(keyvend.world.press(ALICE_OWNER, &asked, "Delete")).await;
    assert!(keyvend.world.net.survive(keyvend.work(event.clone())).await.is_none(), "nobody died");
    keyvend.world.net.sqs().finish("slack", &text(&event["Records"][0]["receiptHandle"]), true);
    // The lease's timer finishes it.
    after(&keyvend, 400).await;
    assert_eq!((status(&keyvend, &key), buttons(&now(&keyvend, &asked)).len()), (String::new(), 0));
}

#[tokio::test]
async fn leaver_message_shows_outcome_of_each_key() {
    let keyvend = Deployed::new().await;
    let keys = two_keys(&keyvend).await;
    leaves(&keyvend, ALICE_OWNER).await;
    let asked = said(&keyvend, "has left, and");
    assert_eq!(buttons(&asked), ["Deactivate", "Deactivate"]);
    // The second came of another request than the one that the message is noted with first.
    presses_of(&keyvend, BOB_APPROVER, &asked, &keys[1]).await;
    let half = now(&keyvend, &asked);
    let left: Vec<String> = half.buttons().into_iter().map(|button| button.value).collect();
    assert_eq!(left, [keys[0].clone()]);
    insta::assert_snapshot!(stable(&half.reading()), @r"
    <@U0ALICE> has left, and keys that they requested are still active. Still needed? Everybody who needs one should request a key of their own.
    `AKIAWORLD00000000002` for `ci-deployer` in `home`, until <time>
    Deactivate
    Deactivate this key?
    The key AKIAWORLD00000000002 of ci-deployer stops working immediately, everywhere.
    Deactivate
    Go back
    `AKIAWORLD00000000003` for `admin-bot` in `home`, until <time>
    *Closed.* The key `AKIAWORLD00000000003` for `admin-bot` in `home`. It was deactivated <time>: its requester has left.
    ");
    presses_of(&keyvend, BOB_APPROVER, &asked, &keys[0]).await;
    let ended = now(&keyvend, &asked);
    assert_eq!(buttons(&ended), NOTHING);
    assert_eq!(stable(&ended.reading()).matches("*Closed.*").count(), 2, "{}", ended.reading());
    assert!(keys.iter().all(|key| status(&keyvend, key) == "Inactive"));
    let edits = ended.edits.len();
    after(&keyvend, 2 * DAY).await;
    assert_eq!(now(&keyvend, &asked).edits.len(), edits, "and it is left alone");
}

#[tokio::test]
async fn deleted_question_about_leaver_is_posted_again() {
    let keyvend = Deployed::new().await;
    let keys = two_keys(&keyvend).await;
    leaves(&keyvend, ALICE_OWNER).await;
    let asked = said(&keyvend, "has left, and");
    presses_of(&keyvend, BOB_APPROVER, &asked, &keys[0]).await;
    keyvend.world.net.slack().delete(&asked);
    after(&keyvend, DAY + 60).await;
    let again = said(&keyvend, "has left, and");
    assert_ne!(again.ts, asked.ts);
    assert_eq!(buttons(&again), ["Deactivate"], "of the key that is still active");
    presses_of(&keyvend, BOB_APPROVER, &again, &keys[1]).await;
    assert_eq!(buttons(&now(&keyvend, &again)), NOTHING);
    keyvend.world.net.slack().delete(&again);
    after(&keyvend, 2 * DAY).await;
    let left = keyvend.world.net.slack().messages(APPROVALS);
    assert!(left.iter().all(|message| !message.reading().contains("has left, and")), "nobody has to answer");
}

#[tokio::test]
async fn deleted_get_my_key_is_posted_again() {
    let keyvend = Deployed::new().await;
    let first = keyvend.approved().await;
    keyvend.deliver_everything().await;
    keyvend.world.net.slack().delete(&first);
    after(&keyvend, DAY + 60).await;
    let again = keyvend.direct(ALICE_OWNER);
    assert_eq!(buttons(&again), ["Get my key", "Cancel"]);
    assert_eq!(again.reading(), first.reading());
    let tab = keyvend.collects(&again).await;
    keyvend.reveals(&tab).await;
    keyvend.deliver_everything().await;
    assert_eq!(buttons(&now(&keyvend, &again)), NOTHING);
}

#[tokio::test]
async fn get_my_key_that_is_there_is_not_repeated() {
    let keyvend = Deployed::new().await;
    let first = keyvend.approved().await;
    typed(&keyvend, ALICE_OWNER, "status").await;
    keyvend.deliver_everything().await;
    // One of two is enough.
    keyvend.world.net.slack().delete(&first);
    for _ in 0..2 {
        after(&keyvend, DAY).await;
    }
    let told = keyvend.world.net.slack().messages(&direct(ALICE_OWNER));
    let offers = told.iter().filter(|message| buttons(message).contains(&"Get my key".to_owned()));
    assert_eq!(offers.count(), 1);
}

#[tokio::test]
async fn person_who_cannot_be_reached_is_given_up() {
    let keyvend = Deployed::new().await;
    let ready = keyvend.approved().await;
    keyvend.deliver_everything().await;
    keyvend.world.net.slack().delete(&ready);
    keyvend.world.net.slack().person(ALICE_OWNER, |person| person.deleted = true);
    after(&keyvend, DAY + 60).await;
    after(&keyvend, DAY + 60).await;
    let posts = keyvend.world.net.calls_to("slack", "chat.postMessage");
    let again = posts.iter().filter(|call| call.parameters["channel"] == direct(ALICE_OWNER)).count();
    assert_eq!(again, 1);
    assert!(keyvend.world.net.sqs().dead("due").is_empty());
}

/// The question about a suspect is asked every day until somebody answers: that posts it again, too.
#[tokio::test]
async fn deleted_question_about_suspect_comes_again() {
    let (keyvend, _) = unanswered(Interfere::LoseReply, 0).await;
    for _ in 0..5 {
        after(&keyvend, 400).await;
    }
    let asked = question(&keyvend);
    keyvend.world.net.slack().delete(&asked);
    after(&keyvend, DAY + 60).await;
    let again = question(&keyvend);
    assert_ne!(again.ts, asked.ts);
    keyvend.presses(BOB_APPROVER, &again, "Keep (created by someone else)").await;
    keyvend.deliver_everything().await;
    assert_eq!(buttons(&now(&keyvend, &again)), NOTHING);
}

#[tokio::test]
async fn oldest_of_many_questions_makes_room() {
    // A question that is repeated for weeks: those that are not kept any more have no buttons.
    let (keyvend, _) = unanswered(Interfere::LoseReply, 0).await;
    for _ in 0..25 {
        after(&keyvend, DAY).await;
    }
    let all = keyvend.world.net.slack().messages(APPROVALS).into_iter();
    let asked: Vec<Message> =
        all.filter(|message| message.reading().contains("Unknown access key")).collect();
    let open = asked.iter().filter(|message| !buttons(message).is_empty()).count();
    assert!(asked.len() > 20 && open == 20, "{open} of {}", asked.len());
    assert!(
        asked[0].reading().contains("Newer messages about this have the buttons."),
        "{}",
        asked[0].reading()
    );
    keyvend.presses(BOB_APPROVER, asked.last().unwrap(), "Delete (created by keyvend)").await;
    keyvend.deliver_everything().await;
    assert!(asked.iter().all(|message| buttons(&now(&keyvend, message)).is_empty()));
}

#[tokio::test]
async fn reports_of_discrepancies_end() {
    let keyvend = Deployed::new().await;
    let keys = [foreign(&keyvend, "ci-deployer").await, foreign(&keyvend, "admin-bot").await];
    next_day(&keyvend).await;
    let report = reports(&keyvend).pop().unwrap();
    keyvend.presses(BOB_APPROVER, &report, "Show all").await;
    let all = keyvend.direct(BOB_APPROVER);
    let listed = buttons(&all).len();
    presses_of(&keyvend, BOB_APPROVER, &all, &keys[0]).await;
    let shown = now(&keyvend, &all);
    assert_eq!(buttons(&shown).len(), listed - 1);
    assert!(stable(&shown.reading()).contains("*Closed.* Known until <time>."), "{}", shown.reading());
    assert_eq!(buttons(&now(&keyvend, &report)), ["Show all", "Mark all as known for 90 days"]);
    presses_of(&keyvend, BOB_APPROVER, &report, "reported.").await;
    assert_eq!(buttons(&now(&keyvend, &report)), ["Show all"], "there is nothing to mark");
    assert_eq!(buttons(&now(&keyvend, &all)), NOTHING);
    // When they are gone there is nothing to show, either.
    for key in keyvend.world.net.iam().all_keys() {
        let iam = aws::iam(&keyvend.world.net, HOME);
        iam.delete_access_key().user_name(&key.user).access_key_id(&key.id).send().await.unwrap();
    }
    next_day(&keyvend).await;
    for ended in reports(&keyvend) {
        assert_eq!(buttons(&ended), NOTHING, "{}", ended.reading());
        assert!(ended.reading().contains("*Closed.* All of these keys match"), "{}", ended.reading());
    }
    assert_eq!(reports(&keyvend).len(), 2);
}

#[tokio::test]
async fn list_in_direct_message_follows_each_key() {
    // Slack did not take it as an answer, so it stays where it is.
    let keyvend = Deployed::new().await;
    let (managed, unmanaged) = (had(&keyvend).await.id, foreign(&keyvend, "ci-deployer").await);
    after(&keyvend, 5 * DAY).await;
    keyvend.world.net.slack().fail_next("response_url", "expired_url");
    typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
    let list = keyvend.direct(ALICE_OWNER);
    let offered = |key: &str| {
        let all = now(&keyvend, &list).buttons().into_iter().filter(|button| button.value == key);
        all.map(|button| button.text).collect::<Vec<String>>()
    };
    let before = offered(&managed);
    assert!(before.contains(&"Extend".to_owned()) && before.contains(&"Deactivate".to_owned()), "{before:?}");
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {unmanaged}")).await;
    assert_eq!((offered(&managed), offered(&unmanaged)), (before, Vec::new()));
    typed(&keyvend, ALICE_OWNER, &format!("deactivate {managed}")).await;
    keyvend.deliver_everything().await;
    assert_eq!(buttons(&now(&keyvend, &list)), NOTHING, "{}", now(&keyvend, &list).reading());
}

#[tokio::test]
async fn message_that_comes_too_late_has_no_buttons() {
    // Slack takes nothing for two days; the key is deleted before its requester can be asked about it.
    let keyvend = Deployed::new().await;
    let tab = keyvend.linked().await;
    keyvend.reveals(&tab).await;
    let until = keyvend.world.clock.now() + std::time::Duration::from_secs(2 * DAY);
    keyvend.world.net.slack().limit_until("chat.postMessage", None, until, 3_600);
    after(&keyvend, 700).await;
    for _ in 0..50 {
        after(&keyvend, 3_600).await;
    }
    let told = keyvend.world.net.slack().messages(&direct(ALICE_OWNER)).into_iter();
    let asked: Vec<Message> = told.filter(|message| message.reading().contains("*I saved it*")).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(buttons(&asked[0]), NOTHING);
    assert!(asked[0].reading().contains("*Closed.*"), "{}", asked[0].reading());
}

// T6.5
#[tokio::test]
async fn report_button_stays_however_much_follows() {
    let keyvend = Deployed::new().await;
    had(&keyvend).await;
    let issued = keyvend.offer("This wasn't me").unwrap();
    let mut lists = Vec::new();
    for _ in 0..25 {
        keyvend.world.clock.advance(std::time::Duration::from_secs(10));
        keyvend.world.net.slack().fail_next("response_url", "expired_url");
        typed(&keyvend, ALICE_OWNER, "list ci-deployer").await;
        lists.push(keyvend.direct(ALICE_OWNER));
    }
    assert_eq!(buttons(&now(&keyvend, &lists[0])), NOTHING);
    assert!(buttons(&now(&keyvend, &lists[24])).contains(&"Deactivate".to_owned()));
    keyvend.presses(ALICE_OWNER, &now(&keyvend, &issued), "This wasn't me").await;
    keyvend.deliver_everything().await;
    assert!(keyvend.card().reading().contains("Key reported"), "{}", keyvend.card().reading());
}
