//! Mail addresses that a code is sent from and to: one plain addr-spec, so that nothing else than what was checked is
//! what the mail goes by.

use std::fmt;
use std::str::FromStr;

/// A mail address: a dot-atom, one `@`, a domain name (<https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1>). No display
/// name, comment, quoted part, address literal, control or non-ASCII character; and neither `%` nor `!`, by which old
/// mail servers are told to send it on to another domain.
#[derive(Clone, PartialEq, Eq)]
pub struct MailAddress(String);

/// A text that is no such address. Never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one plain mail address such as keys@example.com")]
pub struct NotAMailAddress;

/// The longest local part, domain and address (<https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1>).
const LONGEST: (usize, usize, usize) = (64, 253, 254);

impl MailAddress {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its domain, lower case.
    #[must_use]
    pub fn domain(&self) -> String {
        self.0.split_once('@').map(|(_, domain)| domain.to_ascii_lowercase()).unwrap_or_default()
    }
}

impl FromStr for MailAddress {
    type Err = NotAMailAddress;
    fn from_str(text: &str) -> Result<Self, NotAMailAddress> {
        let (local, domain) = text.split_once('@').ok_or(NotAMailAddress)?;
        let fits = text.len() <= LONGEST.2 && is_local_part(local) && is_domain(domain);
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAMailAddress) }
    }
}

impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailAddress")
    }
}

fn is_local_part(text: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"#$&'*+-/=?^_`{|}~".contains(&b))
    };
    text.len() <= LONGEST.0 && text.split('.').all(is_atom)
}

/// Whether this is a domain name of at least two labels.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_top = |label: &str| label.bytes().any(|b| b.is_ascii_alphabetic());
    text.len() <= LONGEST.1
        && text.split('.').all(is_label)
        && text.rsplit_once('.').is_some_and(|(_, top)| is_top(top))
}

#[cfg(test)]
mod tests {
    use super::*;

    // T3.8
    #[test]
    fn an_address_is_one_plain_addr_spec() {
        let long_local = format!("{}@example.com", "a".repeat(64));
        for right in ["a@b.co", "Alice.B+keys@Mail.Example.com", "o'neil_1@example-1.org", &long_local] {
            assert_eq!(right.parse::<MailAddress>().unwrap().as_str(), right);
        }
        let longer_local = format!("{}@example.com", "a".repeat(65));
        let long_label = format!("a@{}.com", "b".repeat(64));
        let long = format!("a@{}.com", ["b".repeat(63).as_str(); 4].join("."));
        for wrong in [
            "",
            "@",
            "alice",
            "alice@",
            "@example.com",
            "alice@example",
            "alice@example.com@evil.test",
            "Alice <alice@example.com>",
            "<alice@example.com>",
            "alice@example.com (work)",
            "alice(work)@example.com",
            "\"alice\"@example.com",
            "\"a@evil.test\"@example.com",
            "alice@example.com,eve@evil.test",
            "alice@example.com;eve@evil.test",
            "alice@example.com eve@evil.test",
            " alice@example.com",
            "alice@example.com ",
            "alice @example.com",
            "alice@ example.com",
            "alice@example.com\r\nBcc: eve@evil.test",
            "alice\n@example.com",
            "alice\0@example.com",
            "alice@example.com\t",
            "ali\u{7f}ce@example.com",
            "\u{0430}lice@example.com",
            "alice@ex\u{e4}mple.com",
            "alice@example.com\u{200b}",
            "alice@[127.0.0.1]",
            "alice@127.0.0.1",
            "alice@.example.com",
            "alice@example..com",
            "alice@example.com.",
            "alice@-example.com",
            "alice@example-.com",
            "alice@exam_ple.com",
            ".alice@example.com",
            "alice.@example.com",
            "al..ice@example.com",
            "eve%evil.test@example.com",
            "evil.test!eve@example.com",
            "alice\\@evil.test@example.com",
            "mailto:alice@example.com",
            &longer_local,
            &long_label,
            &long,
        ] {
            assert_eq!(wrong.parse::<MailAddress>(), Err(NotAMailAddress), "{wrong:?}");
        }
        assert_eq!("Alice@Example.COM".parse::<MailAddress>().unwrap().domain(), "example.com");
    }
}
