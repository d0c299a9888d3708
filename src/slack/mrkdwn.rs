//! Slack sends a line with `&`, `<` and `>` escaped and with what it linked in angle brackets. This is the way back
//! to what the person saw.

/// The line as the person saw it (<https://docs.slack.dev/messaging/formatting-message-text>).
pub(crate) fn unescape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.find(['<', '&']).and_then(|at| rest.split_at_checked(at)) {
        shown.push_str(before);
        let after = markup(from, &mut shown).or_else(|| entity(from, &mut shown));
        rest = after.unwrap_or_else(|| {
            let mut characters = from.chars();
            shown.extend(characters.next());
            characters.as_str()
        });
    }
    shown.push_str(rest);
    shown
}

/// One of Slack's three entities; gives what comes after it.
fn entity<'a>(from: &'a str, shown: &mut String) -> Option<&'a str> {
    [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')].into_iter().find_map(|(entity, character)| {
        let after = from.strip_prefix(entity)?;
        shown.push(character);
        Some(after)
    })
}

/// `<mailto:...|label>`, `<https://...>`, `<@U...|name>`, `<#C...|name>`, `<!here>`; gives what comes after it.
/// Other angle brackets are the person's own.
fn markup<'a>(from: &'a str, shown: &mut String) -> Option<&'a str> {
    let inner = from.strip_prefix('<')?;
    let (inner, after) = inner.split_at_checked(inner.find(['<', '>'])?)?;
    let after = after.strip_prefix('>')?;
    let (target, label) = match inner.split_once('|') {
        Some((target, label)) if !label.is_empty() => (target, Some(label)),
        Some((target, _)) => (target, None),
        None => (inner, None),
    };
    let sigil = match target.get(..2)? {
        "@U" | "@W" => "@",
        "#C" => "#",
        _ if target.starts_with('!') => "",
        _ if ["mailto:", "tel:", "http://", "https://"].iter().any(|scheme| target.starts_with(scheme)) => "",
        _ => return None,
    };
    let text = match label {
        Some(label) => {
            shown.push_str(sigil);
            label
        }
        None => target.strip_prefix("mailto:").or_else(|| target.strip_prefix("tel:")).unwrap_or(target),
    };
    let mut rest = text;
    while let Some((before, from)) = rest.find('&').and_then(|at| rest.split_at_checked(at)) {
        shown.push_str(before);
        rest = entity(from, shown).unwrap_or_else(|| {
            shown.push('&');
            from.strip_prefix('&').unwrap_or_default()
        });
    }
    shown.push_str(rest);
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_the_person_saw_it() {
        let cases = [
            ("a &amp; b &lt;c&gt;", "a & b <c>"),
            ("&amp;lt;", "&lt;"),
            ("a & b &quot; &", "a & b &quot; &"),
            ("<mailto:a@b.com|a@b.com>", "a@b.com"),
            ("<mailto:a@b.com>", "a@b.com"),
            ("<https://x.test/?a=1&amp;b=2>", "https://x.test/?a=1&b=2"),
            ("<https://x.test/1|ticket &lt;1&gt; & more>", "ticket <1> & more"),
            ("for <@U012ABCDEF|bob>", "for @bob"),
            ("for <@U012ABCDEF>", "for @U012ABCDEF"),
            ("in <#C1|general> <!here> <!subteam^S1|@ops>", "in #general !here @ops"),
            ("<iam-user>", "<iam-user>"),
            ("a < b > c", "a < b > c"),
            ("<@U1|x", "<@U1|x"),
            ("<<@U1|x>>", "<@x>"),
            ("<>", "<>"),
            ("<\u{1f511}>", "<\u{1f511}>"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(unescape(text), expected, "{text:?}");
        }
    }
}
