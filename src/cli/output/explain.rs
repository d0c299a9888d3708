//! The output of `policy explain`.

use crate::cli::answer::{Answer, ExitStatus};
use crate::cli::explain::{Explained, domain};
use crate::cli::output::text::{account, count, listed, plain, rows, yes};
use crate::domain::iam::{AccessKey, AccessKeyLastUsed};
use crate::policy::{Action, KeyFacts, Question, RequestContext};

impl Answer for Explained {
    fn text(&self) -> String {
        explained(self)
    }

    fn ending(&self) -> ExitStatus {
        if self.allowed { ExitStatus::Done } else { ExitStatus::No }
    }
}

fn explained(found: &Explained) -> String {
    let Question { principal, action, iam_user, .. } = &found.question;
    let on = match action {
        Action::Freeze => format!("in {}", account(&iam_user.account)),
        Action::Request
        | Action::Issue
        | Action::Approve
        | Action::List
        | Action::Rotate
        | Action::Deactivate
        | Action::Activate
        | Action::Delete => format!("on {} in {}", iam_user.name, account(&iam_user.account)),
    };
    let answer = if found.allowed { "yes" } else { "no" };
    let mut text = format!("{answer}: {} by {} {on}\n\n", action.as_str(), principal.id);
    let decisive: Vec<(&str, String)> = found
        .policies
        .iter()
        .map(|policy| (policy.id.as_str(), policy.advice.clone().unwrap_or_else(|| "permits it".to_owned())))
        .collect();
    text += &rows(&decisive);
    for failed in &found.failed {
        text += &format!("  could not be evaluated, which means no: {}\n", plain(failed));
    }
    if decisive.is_empty() && found.failed.is_empty() {
        text += "  no policy permits it\n";
    }
    if let Action::Request | Action::Issue = action {
        let needed = match found.needed_approvals {
            Some(needed) => count(usize::try_from(needed).unwrap_or(usize::MAX), "approval", "approvals"),
            None => "more approvals than a request can get, or cannot be approved at all".to_owned(),
        };
        text += &format!("\nA key like this needs {needed}.\n");
    }
    text + "\nDecided with\n\n" + &rows(&facts(found))
}

fn facts(found: &Explained) -> Vec<(&'static str, String)> {
    let Question { principal, action, iam_user: user, asked, key } = &found.question;
    let flags = [
        ("guest", principal.guest),
        ("external", principal.external),
        ("deactivated", principal.deleted),
        ("bot", principal.bot),
    ];
    let flags = flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name);
    let mail = match (domain(principal), principal.email_confirmed) {
        (None, _) => "none".to_owned(),
        (Some(domain), true) => format!("...@{}, confirmed", plain(domain)),
        (Some(domain), false) => format!("...@{}, not confirmed", plain(domain)),
    };
    let mut facts = vec![
        ("person", format!("{}, {}", principal.id, listed(flags, "a full member"))),
        ("in groups", listed(&principal.groups, "none")),
        ("address", mail),
    ];
    if *action == Action::Freeze {
        facts.push(("account", account(&user.account)));
        return facts;
    }
    facts.extend([
        ("IAM user", format!("{} in {}, path {}", user.name, account(&user.account), plain(&user.path))),
        (
            "owners",
            listed(
                user.owners
                    .iter()
                    .map(ToString::to_string)
                    .chain(user.owner_groups.iter().map(ToString::to_string)),
                "none",
            ),
        ),
        ("privileged", yes(user.privileged)),
        ("quarantined", yes(user.quarantined)),
        ("IAM groups", listed(&user.groups, "none")),
    ]);
    if !user.policies.is_empty() {
        facts.push(("policies", listed(&user.policies, "none")));
    }
    facts.extend(user.boundary.iter().map(|boundary| ("boundary", plain(boundary))));
    let tags = user.tags.iter().map(|(name, value)| format!("{name} = {value}"));
    facts.push(("tags", listed(tags, "none")));
    facts.push(("keys", listed(user.keys.iter().map(existing), "none")));
    match action {
        Action::Request | Action::Issue | Action::Approve => facts.extend(asked_for(asked, found.counted)),
        Action::Rotate | Action::Deactivate | Action::Activate | Action::Delete => {
            facts.push(("key", key_facts(key)));
        }
        Action::List | Action::Freeze => {}
    }
    facts
}

fn asked_for(asked: &RequestContext, counted: bool) -> Vec<(&'static str, String)> {
    let today = if counted { "" } else { " (unknown without --requests-table)" };
    let mut facts = vec![
        ("requester", asked.requester.to_string()),
        ("use", asked.use_case.to_string()),
        ("days", asked.days.to_string()),
        ("approvals", asked.approvals.to_string()),
        ("issued today", format!("{}{today}", asked.issued_today)),
    ];
    facts.extend(asked.key.as_ref().map(|key| ("key", key_facts(key))));
    facts
}

fn key_facts(key: &KeyFacts) -> String {
    let requester = match &key.requester {
        Some(requester) => format!("requested by {requester}"),
        None => "not issued by keyvend".to_owned(),
    };
    format!(
        "{requester}; risk flags: {}",
        listed(key.concerns.iter().map(|concern| concern.as_str()), "none")
    )
}

fn existing(key: &AccessKey) -> String {
    let status = key.status.as_str();
    let used = match &key.last_used {
        AccessKeyLastUsed::Never => "never used".to_owned(),
        AccessKeyLastUsed::Unknown => "last use unknown".to_owned(),
        AccessKeyLastUsed::At { at, service, region } => {
            format!("last used {} with {service} in {region}", at.rfc3339())
        }
    };
    format!("{} {status}, {used}", key.id)
}
