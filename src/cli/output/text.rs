//! Words that all output is made of, and texts made safe for a terminal.

use crate::domain::iam::Account;

/// A text as a terminal shows it: control characters, and those that turn the direction of writing, by their number.
#[must_use]
pub fn plain(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) {
            plain.extend(c.escape_unicode());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Lines of two columns.
pub(crate) fn rows<N: AsRef<str>>(rows: &[(N, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.as_ref().chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(N, String)| format!("  {:width$}  {value}\n", name.as_ref());
    rows.iter().map(line).collect()
}

pub(crate) fn count(number: usize, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
}

pub(crate) fn listed<T: ToString>(items: impl IntoIterator<Item = T>, none: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| plain(&item.to_string())).collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

pub(crate) fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

pub(crate) fn account(account: &Account) -> String {
    if account.alias.as_str() == account.id.as_str() {
        account.id.to_string()
    } else {
        format!("{} ({})", account.id, account.alias)
    }
}
