//! The report of the daily comparison, and the list of all that it found. Neither hides how many keys there are.

use serde_json::{Value, json};

use crate::domain::iam::Account;
use crate::domain::reconciliation::{Changes, FoundKey};
use crate::render::text;
use crate::slack::action_id::Action;
use crate::slack::block_kit::{button, confirm, context, section};
use crate::slack::message::SlackMessage;
use crate::time::Timestamp;

/// Slack takes 3,000 characters in a section.
const MOST_OF_SECTION: usize = 2_700;

/// Slack takes 50 blocks; so many keys of the full list have a button, and the others stand in so many sections.
const MOST_WITH_BUTTON: usize = 38;
const MOST_SECTIONS: usize = 8;

/// A key of the full list.
#[derive(Clone, Debug)]
pub struct ListedKey<'a> {
    pub account: &'a Account,
    pub found: &'a FoundKey,
    pub known_until: Option<Timestamp>,
}

/// What changed since the last comparison, by account: grouped, with how to see everything.
#[must_use]
pub fn report(accounts: &[(&Account, Changes)], begun: Timestamp, now: Timestamp) -> SlackMessage {
    let lines = |keys: fn(&Changes) -> &Vec<FoundKey>, line: &dyn Fn(&Account, &FoundKey) -> String| {
        let all = accounts.iter().flat_map(|(account, changes)| {
            keys(changes).iter().map(|found| format!("\u{2022} {}", line(account, found)))
        });
        all.collect::<Vec<String>>()
    };
    let as_found = |account: &Account, found: &FoundKey| text::discrepancy(account, found, now);
    let groups = [
        ("New", lines(|changes| &changes.new, &as_found)),
        ("Changed", lines(|changes| &changes.changed, &as_found)),
        ("Marked as known until a date that has passed", lines(|changes| &changes.known_before, &as_found)),
        ("No longer active, or as recorded", lines(|changes| &changes.gone, &text::discrepancy_gone)),
    ];
    let mut blocks = vec![section(text::DISCREPANCIES)];
    for (heading, lines) in groups.iter().filter(|(_, lines)| !lines.is_empty()) {
        blocks.push(section(&format!("*{heading}*: {}\n{}", lines.len(), first_lines(lines))));
    }
    let more: usize = accounts.iter().map(|(_, changes)| changes.more).sum();
    if more > 0 {
        blocks.push(context(&format!("{more} more keys are only counted.")));
    }
    let sure = confirm(
        "Mark as known?",
        "The keys reported so far are reported again in 90 days, if they still do not match.",
        "Mark as known",
    );
    let reported = format!("reported.{}", begun.0);
    blocks.push(json!({"type": "actions", "elements": [
        button("Show all", Action::ShowDiscrepancies, "all", None, None),
        button("Mark all as known for 90 days", Action::MarkKnown, &reported, None, Some(sure)),
    ]}));
    SlackMessage { text: text::DISCREPANCIES.to_owned(), blocks: Value::Array(blocks) }
}

/// Every key that does not match, as last seen: the first ones each with a button.
#[must_use]
pub fn all(keys: &[ListedKey<'_>], more: usize, now: Timestamp) -> SlackMessage {
    let heading = format!("*Keys that do not match keyvend's records*: {}", keys.len() + more);
    let mut blocks = vec![section(&heading)];
    let line = |key: &ListedKey<'_>| {
        let known = key.known_until.map(|until| format!(" {}", text::known_until(until)));
        format!("{}{}", text::discrepancy(key.account, key.found, now), known.unwrap_or_default())
    };
    let (first, rest) = keys.split_at(keys.len().min(MOST_WITH_BUTTON));
    for key in first {
        let value = format!("{}.{}", key.account.id, key.found.key);
        let mut block = section(&line(key));
        if let Some(block) = block.as_object_mut() {
            block.insert(
                "accessory".to_owned(),
                button("Known for 90 days", Action::MarkKnown, &value, None, None),
            );
        }
        blocks.push(block);
    }
    let mut lines: Vec<String> = rest.iter().map(|key| format!("\u{2022} {}", line(key))).collect();
    for _ in 0..MOST_SECTIONS {
        let fit = count_fitting(&lines);
        if fit > 0 {
            let shown: Vec<String> = lines.drain(..fit).collect();
            blocks.push(section(&shown.join("\n")));
        }
    }
    if lines.len() + more > 0 {
        blocks.push(context(&format!("and {} more.", lines.len() + more)));
    }
    SlackMessage { text: heading, blocks: Value::Array(blocks) }
}

/// How many lines fit into one section.
fn count_fitting(lines: &[String]) -> usize {
    let mut length = 0;
    let fitting = lines.iter().take_while(|line| {
        length += line.chars().count() + 1;
        length <= MOST_OF_SECTION
    });
    fitting.count()
}

fn first_lines(lines: &[String]) -> String {
    let (first, rest) = lines.split_at(count_fitting(lines));
    let more = if rest.is_empty() { String::new() } else { format!("\nand {} more.", rest.len()) };
    format!("{}{more}", first.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::iam::AccessKeyLastUsed;
    use crate::domain::reconciliation::Discrepancy;

    fn account() -> Account {
        Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() }
    }

    fn found(count: usize) -> Vec<FoundKey> {
        let key = |number: usize| FoundKey {
            key: format!("AKIA{number:016}").parse().unwrap(),
            user: format!("{number:x>64}").parse().unwrap(),
            create_date: Timestamp(0),
            last_used: AccessKeyLastUsed::Unknown,
            discrepancy: Discrepancy::Unmanaged,
        };
        (0..count).map(key).collect()
    }

    fn shown(message: &SlackMessage) -> usize {
        (0..1_000).filter(|number| message.blocks.to_string().contains(&format!("AKIA{number:016}`"))).count()
    }

    #[test]
    fn long_report_counts_what_it_does_not_name() {
        let account = account();
        let changes = Changes { new: found(200), gone: found(200), ..Changes::default() };
        let message = report(&[(&account, changes)], Timestamp(1), Timestamp(1));
        let blocks = message.blocks.as_array().unwrap();
        let new = blocks[1]["text"]["text"].as_str().unwrap();
        assert!(new.starts_with("*New*: 200\n") && new.len() < 3_000, "{new}");
        let named = new.matches("\u{2022}").count();
        assert!(named > 5 && new.ends_with(&format!("\nand {} more.", 200 - named)), "{new}");
        assert_eq!(blocks.len(), 4);
    }

    #[test]
    fn full_list_fits_one_message_and_counts_the_rest() {
        let account = account();
        for (count, more) in [(1, 0), (38, 0), (60, 0), (500, 3)] {
            let found = found(count);
            let keys: Vec<ListedKey<'_>> =
                found.iter().map(|found| ListedKey { account: &account, found, known_until: None }).collect();
            let message = all(&keys, more, Timestamp(1));
            let blocks = message.blocks.as_array().unwrap();
            assert!(blocks.len() <= 50, "{}", blocks.len());
            let hidden = count + more - shown(&message);
            assert_eq!(
                message.blocks.to_string().contains(&format!("and {hidden} more.")),
                hidden > 0,
                "{count}"
            );
        }
    }
}
