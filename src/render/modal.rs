//! Modals as Block Kit (<https://docs.slack.dev/reference/views/modal-views>): the form in which a key is asked for, the
//! one in which a request is denied, and what does not fit on the card. A modal carries a request and a revision, as a
//! button does; never a link, a response URL or anything else that opens something.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::domain::iam::Account;
use crate::domain::request::{KeyRequest, Question};
use crate::domain::use_case::UseCase;
use crate::policy::IamUserRef;
use crate::render::text;
use crate::slack::action_id::{Action, Callback};
use crate::slack::block_kit::{context, section, verbatim};
use crate::slack::command::{Field, MOST_OTHER_ACCOUNTS, Prefill, Reason, TypedUser};

/// Slack's most options of a menu, or of a group in one
/// (<https://docs.slack.dev/reference/block-kit/composition-objects/option-group-object/>).
const MOST_OPTIONS: usize = 100;
/// So many groups of the longest names are within the 250,000 characters that Slack takes of a modal.
const MOST_GROUPS: usize = 10;
/// Slack's most characters of an option, or of a group's label.
const MOST_IN_OPTION: usize = 75;
/// Slack takes 100 blocks in a modal, and 3,000 characters in a section.
const MOST_BLOCKS: usize = 100;
const MOST_IN_SECTION: usize = 2_900;
/// Lifetimes to choose from.
const LIFETIMES: [u32; 4] = [1, 7, 30, 90];

/// What the form offers.
#[derive(Clone, Debug)]
pub struct FormChoices {
    /// The person's own IAM users.
    pub own: Vec<IamUserRef>,
    /// The accounts in which the same can be requested; none where there is only one.
    pub accounts: Vec<Account>,
    pub max_days: u32,
    /// What the form begins with.
    pub prefill: Prefill,
    /// Why it was refused as it was submitted before.
    pub refusal: Option<String>,
    /// What the form carries where it edits a pending request: what the button that opened it carried.
    pub edits: Option<String>,
}

/// The form in which a key is asked for; `chosen` is the use case whose alternative is shown.
#[must_use]
pub fn ask(offer: &FormChoices, chosen: Option<UseCase>) -> Value {
    let mut blocks: Vec<Value> =
        offer.refusal.iter().map(|why| section(&text::refused_in_form(why))).collect();
    blocks.extend(offer.edits.iter().map(|_| section(text::EDIT_MEANS)));
    let prefill = &offer.prefill;
    let typed = prefill.user.as_ref().map(TypedUser::to_string);
    if offer.own.is_empty() {
        blocks.push(typed_user("IAM user", false, typed.as_deref()));
    } else {
        let shown = offer.own.get(..MOST_OPTIONS * MOST_GROUPS).unwrap_or(&offer.own);
        let menu = user_menu(shown, typed.as_deref());
        let written = typed.as_deref().filter(|_| menu.get("initial_option").is_none());
        blocks.push(input(Field::Own, "Your IAM user", None, true, &menu));
        if let Some(more @ 1..) = offer.own.len().checked_sub(shown.len()) {
            blocks.push(context(&format!("and {more} more of your IAM users: type the name below.")));
        }
        blocks.push(typed_user(text::OTHER_USER, true, written));
    }
    if !offer.accounts.is_empty() {
        blocks.push(input(
            Field::Accounts,
            text::OTHER_ACCOUNTS,
            Some(text::OTHER_ACCOUNTS_HINT),
            true,
            &accounts(offer),
        ));
        if offer.accounts.len() > MOST_OPTIONS {
            blocks.push(context(text::ACCOUNTS_CUT));
        }
    }
    let use_cases = UseCase::ALL.map(|use_case| option(text::use_case_choice(use_case), use_case.as_str()));
    let radio =
        json!({"type": "radio_buttons", "action_id": Action::ChooseUseCase.as_str(), "options": use_cases});
    let radio = begun(radio, prefill.use_case.map(UseCase::as_str));
    let mut use_case = input(Field::UseCase, "Use case", None, false, &radio);
    if let Some(block) = use_case.as_object_mut() {
        block.insert("dispatch_action".to_owned(), true.into());
    }
    blocks.push(use_case);
    let alternative = chosen.map_or(text::ALTERNATIVE_UNKNOWN, text::alternative);
    blocks.push(json!({"type": "context", "block_id": "alternative", "elements": [
        verbatim(alternative),
    ]}));
    let days = prefill.days.map(|days| u32::from(days.get())).filter(|days| *days <= offer.max_days);
    let choices = lifetimes(offer.max_days, days).into_iter().map(lifetime).collect();
    let lifetime = menu(choices, days.map(|days| format!("{days}d")).as_deref());
    blocks.push(input(Field::Lifetime, "Lifetime", None, false, &lifetime));
    blocks.push(reason("Why do you need it?", text::REASON_HINT, prefill.reason.as_ref()));
    match &offer.edits {
        Some(carried) => form(Callback::Edit, text::EDIT_TITLE, "Submit changes", carried, blocks),
        None => form(Callback::Request, text::ASK_TITLE, "Submit request", "", blocks),
    }
}

/// The form in which an approver approves with a comment; `carried` is what the pressed button carries.
#[must_use]
pub fn approve(request: &KeyRequest, carried: &str) -> Value {
    let blocks = vec![section(&text::to_review(request)), reason("Comment", text::COMMENT_HINT, None)];
    form(Callback::Approve, text::APPROVE_TITLE, "Approve", carried, blocks)
}

/// The form in which an approver says why they deny; `carried` is what the pressed button carries.
#[must_use]
pub fn deny(request: &KeyRequest, carried: &str) -> Value {
    let blocks = vec![section(&text::to_review(request)), reason("Why?", text::DENY_HINT, None)];
    form(Callback::Deny, text::DENY_TITLE, "Deny", carried, blocks)
}

/// The form in which an approver asks the requester; `carried` is what the pressed button carries.
#[must_use]
pub fn question(request: &KeyRequest, carried: &str) -> Value {
    let blocks = vec![section(&text::to_review(request)), reason("Question", text::QUESTION_HINT, None)];
    form(Callback::Question, text::QUESTION_TITLE, "Ask", carried, blocks)
}

/// The form in which the requester answers; `carried` is what the pressed button carries.
#[must_use]
pub fn answer(question: &Question, carried: &str) -> Value {
    let blocks = vec![section(&text::to_answer(question)), reason("Answer", text::ANSWER_HINT, None)];
    form(Callback::Answer, text::ANSWER_TITLE, "Answer", carried, blocks)
}

/// A modal that only tells something.
#[must_use]
pub fn notice(sentence: &str) -> Value {
    shown(text::KEY_TITLE, vec![section(sentence)])
}

/// A modal of several paragraphs, each a heading with lines that are never split between two blocks.
#[must_use]
pub fn paragraphs(title: &str, paragraphs: &[(&str, Vec<String>)]) -> Value {
    // Each block with how many lines are in it.
    let mut blocks: Vec<(Value, usize)> = Vec::new();
    for (heading, lines) in paragraphs {
        let (mut text, mut count) = (format!("*{heading}*"), 0);
        for line in lines {
            if text.chars().count() + line.chars().count() >= MOST_IN_SECTION {
                blocks.push((section(&text), count));
                (text, count) = (String::new(), 0);
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
            count += 1;
        }
        blocks.push((section(&text), count));
    }
    if blocks.len() > MOST_BLOCKS {
        let hidden: usize = blocks.split_off(MOST_BLOCKS - 1).iter().map(|(_, lines)| lines).sum();
        blocks.push((section(&format!("and {hidden} more")), 0));
    }
    shown(title, blocks.into_iter().map(|(block, _)| block).collect())
}

/// The lifetimes to choose from: those up to the longest, that one, and the one that was typed.
fn lifetimes(max: u32, typed: Option<u32>) -> BTreeSet<u32> {
    LIFETIMES.into_iter().filter(|days| *days <= max).chain([max]).chain(typed).collect()
}

fn menu(options: Vec<Value>, chosen: Option<&str>) -> Value {
    begun(json!({"type": "static_select", "action_id": "choose", "options": options}), chosen)
}

/// IAM users to choose from. Slack searches the menu for what is typed in it; more than 100 are in groups, each named after
/// its first and last.
fn user_menu(users: &[IamUserRef], chosen: Option<&str>) -> Value {
    let choice = |user: &IamUserRef| option(&text::user_choice(user), &user.to_string());
    if users.len() <= MOST_OPTIONS {
        return menu(users.iter().map(choice).collect(), chosen);
    }
    let group = |users: &[IamUserRef]| {
        let label = users.first().zip(users.last()).map(|(first, last)| text::user_group(first, last));
        json!({
            "label": plain(&shortened(&label.unwrap_or_default())),
            "options": users.iter().map(choice).collect::<Vec<_>>(),
        })
    };
    let groups: Vec<Value> = users.chunks(MOST_OPTIONS).map(group).collect();
    let mut menu = json!({"type": "static_select", "action_id": "choose", "option_groups": groups});
    let initial = users.iter().find(|user| chosen == Some(user.to_string().as_str()));
    if let (Some(initial), Some(menu)) = (initial, menu.as_object_mut()) {
        menu.insert("initial_option".to_owned(), choice(initial));
    }
    menu
}

/// Accounts to choose from, several at once.
fn accounts(offer: &FormChoices) -> Value {
    let options: Vec<Value> = offer
        .accounts
        .iter()
        .take(MOST_OPTIONS)
        .map(|account| option(account.alias.as_str(), account.alias.as_str()))
        .collect();
    json!({
        "type": "multi_static_select", "action_id": "choose", "options": options,
        "max_selected_items": MOST_OTHER_ACCOUNTS,
    })
}

/// A menu or radio buttons, with the option of this value chosen if there is one.
fn begun(mut element: Value, chosen: Option<&str>) -> Value {
    let options = element.get("options").and_then(Value::as_array);
    let is_chosen = |option: &&Value| option.get("value").and_then(Value::as_str) == chosen;
    let option = options.and_then(|options| options.iter().find(is_chosen)).cloned();
    if let (Some(option), Some(element)) = (option, element.as_object_mut()) {
        element.insert("initial_option".to_owned(), option);
    }
    element
}

/// A field to write in.
fn text_input(most: usize, written: Option<&str>) -> Value {
    let mut element = json!({
        "type": "plain_text_input", "action_id": "write", "multiline": false, "max_length": most,
    });
    if let (Some(written), Some(element)) = (written, element.as_object_mut()) {
        element.insert("initial_value".to_owned(), written.into());
    }
    element
}

fn lifetime(days: u32) -> Value {
    option(&if days == 1 { "1 day".to_owned() } else { format!("{days} days") }, &format!("{days}d"))
}

fn typed_user(label: &str, optional: bool, written: Option<&str>) -> Value {
    let typed = text_input(100, written);
    input(Field::Other, label, Some(text::OTHER_USER_HINT), optional, &typed)
}

fn reason(label: &str, hint: &str, written: Option<&Reason>) -> Value {
    let typed = text_input(Reason::MOST, written.map(Reason::as_str));
    input(Field::Reason, label, Some(hint), false, &typed)
}

fn input(field: Field, label: &str, hint: Option<&str>, optional: bool, element: &Value) -> Value {
    let mut block = json!({
        "type": "input", "block_id": field.block_id(), "label": plain(label), "optional": optional,
        "element": element,
    });
    if let (Some(hint), Some(block)) = (hint, block.as_object_mut()) {
        block.insert("hint".to_owned(), plain(hint));
    }
    block
}

fn option(text: &str, value: &str) -> Value {
    json!({"text": plain(&shortened(text)), "value": value})
}

fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(MOST_IN_OPTION).collect();
    if text.chars().nth(MOST_IN_OPTION).is_some() {
        shown.pop();
        shown.push('\u{2026}');
    }
    shown
}

fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text})
}

fn form(callback_id: Callback, title: &str, submit: &str, carried: &str, blocks: Vec<Value>) -> Value {
    json!({
        "type": "modal", "callback_id": callback_id.as_str(), "private_metadata": carried, "title": plain(title),
        "submit": plain(submit), "close": plain("Cancel"), "blocks": blocks,
    })
}

fn shown(title: &str, blocks: Vec<Value>) -> Value {
    json!({"type": "modal", "title": plain(title), "close": plain("Close"), "blocks": blocks})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(number: usize) -> Vec<IamUserRef> {
        let account = crate::domain::iam::Account {
            alias: "an-alias-of-thirty-two-characters".get(..32).unwrap().parse().unwrap(),
            id: "123456789012".parse().unwrap(),
        };
        (0..number)
            .map(|n| IamUserRef { account: account.clone(), name: format!("{n:x>64}").parse().unwrap() })
            .collect()
    }

    #[test]
    fn form_choices_are_bounded_and_read_back() {
        let form = ask(
            &FormChoices {
                own: own(1_040),
                max_days: 90,
                prefill: Prefill::default(),
                refusal: None,
                edits: None,
                accounts: Vec::new(),
            },
            None,
        );
        assert!(form.to_string().len() < 250_000, "{}", form.to_string().len());
        assert_eq!(
            form["blocks"][1]["elements"][0]["text"],
            "and 40 more of your IAM users: type the name below."
        );
        let groups = form.pointer("/blocks/0/element/option_groups").unwrap().as_array().unwrap();
        assert!(groups.iter().all(|group| group["options"].as_array().unwrap().len() == MOST_OPTIONS));
        assert!(groups.iter().all(|group| group["label"]["text"].as_str().unwrap().chars().count() <= 75));
        let options: Vec<&Value> =
            groups.iter().flat_map(|group| group["options"].as_array().unwrap()).collect();
        assert_eq!(options.len(), MOST_OPTIONS * MOST_GROUPS);
        for option in options {
            let (text, value) = (option["text"]["text"].as_str().unwrap(), option["value"].as_str().unwrap());
            assert!(text.chars().count() <= MOST_IN_OPTION, "{text}");
            let typed = format!("create {value} use:cli ttl:1d x");
            assert!(typed.parse::<crate::slack::command::Command>().is_ok(), "{value}");
        }
    }

    #[test]
    fn hundreds_of_users_are_searched_in_one_menu() {
        let users = |number: usize| -> Vec<IamUserRef> {
            let named = |(n, user): (usize, IamUserRef)| IamUserRef {
                name: format!("bot-{n:03}").parse().unwrap(),
                account: crate::domain::iam::Account { alias: "home".parse().unwrap(), ..user.account },
            };
            own(number).into_iter().enumerate().map(named).collect()
        };
        let prefill = Prefill { user: Some(TypedUser::from(&users(240)[222])), ..Prefill::default() };
        let form = ask(
            &FormChoices {
                own: users(240),
                max_days: 90,
                prefill,
                refusal: None,
                edits: None,
                accounts: Vec::new(),
            },
            None,
        );
        let element = form.pointer("/blocks/0/element").unwrap();
        let labels: Vec<&str> = element["option_groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["label"]["text"].as_str().unwrap())
            .collect();
        assert_eq!(
            labels,
            ["bot-000 to bot-099 in home", "bot-100 to bot-199 in home", "bot-200 to bot-239 in home"]
        );
        assert_eq!(element["initial_option"]["value"], "bot-222@home");
        let few = ask(
            &FormChoices {
                own: users(100),
                max_days: 90,
                prefill: Prefill::default(),
                refusal: None,
                edits: None,
                accounts: Vec::new(),
            },
            None,
        );
        assert_eq!(few.pointer("/blocks/0/element/options").unwrap().as_array().unwrap().len(), 100);
    }

    #[test]
    fn whoever_owns_nothing_must_write_the_name() {
        let form = ask(
            &FormChoices {
                own: Vec::new(),
                max_days: 90,
                prefill: Prefill::default(),
                refusal: None,
                edits: None,
                accounts: Vec::new(),
            },
            None,
        );
        let first = form.pointer("/blocks/0").unwrap();
        assert_eq!((&first["block_id"], &first["optional"]), (&json!("other"), &json!(false)));
    }

    #[test]
    fn form_begins_with_what_is_known() {
        let typed = "create ci@prod use:ec2 ttl:12d to deploy";
        let error = typed.parse::<crate::slack::command::Command>().unwrap_err();
        let prefill = Prefill::of_button(&error.prefill.unwrap().to_button());
        let begins = |own: Vec<IamUserRef>| {
            let form = ask(
                &FormChoices {
                    own,
                    max_days: 90,
                    prefill: prefill.clone(),
                    refusal: None,
                    edits: None,
                    accounts: Vec::new(),
                },
                None,
            );
            let blocks = form["blocks"].as_array().unwrap().clone();
            let of = |block: &Value| {
                let element = &block["element"];
                let option = element.pointer("/initial_option/value").or(element.get("initial_value"));
                Some((block["block_id"].as_str()?.to_owned(), option?.as_str()?.to_owned()))
            };
            blocks.iter().filter_map(of).collect::<Vec<_>>()
        };
        let pair = |id: &str, value: &str| (id.to_owned(), value.to_owned());
        // The use case was not one, so it is left to choose.
        let rest = [pair("lifetime", "12d"), pair("reason", "to deploy")];
        assert_eq!(begins(Vec::new()), [&[pair("other", "ci@prod")], &rest[..]].concat());
        assert_eq!(begins(own(2)), [&[pair("other", "ci@prod")], &rest[..]].concat());
        let mut known = own(2);
        known[1].account.alias = "prod".parse().unwrap();
        known[1].name = "ci".parse().unwrap();
        assert_eq!(begins(known), [&[pair("own", "ci@prod")], &rest[..]].concat());
    }

    #[test]
    fn lifetimes_end_at_the_longest_that_is_allowed() {
        for (max, expected) in
            [(90, vec![1, 7, 30, 90]), (30, vec![1, 7, 30]), (45, vec![1, 7, 30, 45]), (1, vec![1])]
        {
            assert_eq!(lifetimes(max, None), BTreeSet::from_iter(expected));
        }
    }

    #[test]
    fn long_paragraphs_become_several_blocks_within_slacks_limits() {
        let lines: Vec<String> = (0..3_000).map(|n| format!("{n} {}", "\u{1f511}".repeat(200))).collect();
        let view = paragraphs("Details", &[("Tags", lines), ("Keys", vec!["none".to_owned()])]);
        let blocks = view["blocks"].as_array().unwrap();
        assert!(blocks.len() <= MOST_BLOCKS);
        for block in blocks {
            assert!(block["text"]["text"].as_str().unwrap().chars().count() <= 3_000);
        }
    }
}
