//! Whose an IAM user is, as its tags say.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{SlackUserId, UserGroupId};

/// `keyvend:owners`, continued in `keyvend:owners2` to `4`: ids separated by blanks. A word that is no id names nobody.
pub(crate) fn read_owners(tags: &BTreeMap<String, String>) -> (BTreeSet<SlackUserId>, BTreeSet<UserGroupId>) {
    let words: Vec<&str> = ["keyvend:owners", "keyvend:owners2", "keyvend:owners3", "keyvend:owners4"]
        .iter()
        .filter_map(|tag| tags.get(*tag))
        .flat_map(|value| value.split_whitespace())
        .collect();
    let users = words.iter().filter_map(|word| word.parse().ok()).collect();
    let groups = words.iter().filter_map(|word| word.parse().ok()).collect();
    (users, groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_the_ids_in_the_tags() {
        let tags = BTreeMap::from([
            ("keyvend:owners".to_owned(), "U0ALICE  S0TEAM nobody".to_owned()),
            ("keyvend:owners2".to_owned(), "U0BOB".to_owned()),
            ("keyvend:owners5".to_owned(), "U0EVE".to_owned()),
            ("owner".to_owned(), "U0MALLORY".to_owned()),
        ]);
        let (users, groups) = read_owners(&tags);
        assert_eq!(users.iter().map(SlackUserId::as_str).collect::<Vec<_>>(), ["U0ALICE", "U0BOB"]);
        assert_eq!(groups.iter().map(UserGroupId::as_str).collect::<Vec<_>>(), ["S0TEAM"]);
    }
}
