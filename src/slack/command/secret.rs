//! Secret access keys that somebody types by mistake. What holds one is neither queued nor said back nor logged.

use crate::id::AccessKeyId;

/// AWS's secret access keys are 40 characters of base64.
const SECRET: usize = 40;
/// Its access key ids have 20.
const KEY_ID: usize = 20;

/// Whether a text seems to hold a secret access key: 40 characters of its alphabet in one piece, with upper and lower
/// case (a Git commit id has none of the former), alone or straight after an access key id.
#[must_use]
pub fn holds_secret(text: &str) -> bool {
    pieces(text).any(|piece| {
        let rest = piece.get(KEY_ID..).filter(|_| is_key_id(piece.get(..KEY_ID).unwrap_or_default()));
        [Some(piece), rest].into_iter().flatten().any(is_secret)
    })
}

/// The access key id that a text names, if it names one alone.
#[must_use]
pub fn named_key(text: &str) -> Option<AccessKeyId> {
    let ids = pieces(text).filter_map(|piece| piece.get(..KEY_ID).filter(|id| is_key_id(id)));
    let mut ids = ids.map(str::to_ascii_uppercase).collect::<Vec<_>>();
    ids.dedup();
    match &ids[..] {
        [id] => id.parse().ok(),
        _ => None,
    }
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '/' || c == '+'))
        .filter(|piece| !piece.is_empty())
}

fn is_key_id(piece: &str) -> bool {
    let prefix = piece.get(..4).unwrap_or_default().to_ascii_uppercase();
    piece.len() == KEY_ID
        && matches!(prefix.as_str(), "AKIA" | "ASIA")
        && piece.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_secret(piece: &str) -> bool {
    piece.len() == SECRET
        && piece.bytes().any(|b| b.is_ascii_uppercase())
        && piece.bytes().any(|b| b.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "AKIAIOSFODNN7EXAMPLE";
    const KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[test]
    fn secrets_are_found_wherever_they_are_typed() {
        for text in [
            KEY.to_owned(),
            format!("create {KEY} use:cli ttl:7d why"),
            format!("create ci use:cli ttl:7d it is {KEY}."),
            format!("deactivate {ID} {KEY}"),
            format!("deactivate {ID}{KEY}"),
            format!("deactivate {ID}:{KEY}"),
            format!("{ID},{KEY}"),
            format!("aws_secret_access_key={KEY}"),
            format!("\u{201c}{KEY}\u{201d}"),
            format!("`{KEY}`\n"),
        ] {
            assert!(holds_secret(&text), "{text}");
        }
        for text in [
            String::new(),
            ID.to_owned(),
            format!("deactivate {ID}"),
            "commit 4f0ee6e4a9bd7f8b1f3f9ab5c1d1f7a2e3c4d5b6".to_owned(),
            "arn:aws:iam::123456789012:user/build/ci-deployer".to_owned(),
            format!("{KEY}x"),
            "to deploy https://example.com/a/b/c".to_owned(),
        ] {
            assert!(!holds_secret(&text), "{text}");
        }
        assert_eq!(named_key(&format!("delete {ID} {KEY}")), ID.parse().ok());
        assert_eq!(named_key(&format!("{}{KEY}", ID.to_lowercase())), ID.parse().ok());
        assert_eq!(named_key(&format!("{ID} AKIAIOSFODNN7EXAMPL2")), None);
        assert_eq!(named_key(KEY), None);
    }

    proptest! {
        #[test]
        fn any_text_is_searched(text in any::<String>()) {
            let _ = (holds_secret(&text), named_key(&text));
        }
    }
}
