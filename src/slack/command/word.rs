//! Words of a typed line as keyboards, chat formatting and habits from other tools produce them. A word is changed only
//! where its meaning is certain: nothing here guesses a use case, an account or a key.

/// What surrounds a word without being part of it: quotation marks, and Slack's marks for code, bold and strike.
fn is_wrapping(c: char) -> bool {
    matches!(c, '`' | '"' | '\'' | '*' | '~')
        || matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}')
}

/// A hyphen that a keyboard made longer, and its ASCII form. An em dash may stand for two, so it is not among them.
fn hyphen(c: char) -> Option<char> {
    matches!(c, '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}').then_some('-')
}

/// The word without what surrounds it.
pub(crate) fn unwrapped(word: &str) -> &str {
    word.trim_matches(is_wrapping)
}

/// A command, an id or a value: without what surrounds it, and without the punctuation of a sentence.
pub(crate) fn bare(word: &str) -> &str {
    let is_around =
        |c: char| is_wrapping(c) || matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')' | '[' | ']');
    word.trim_matches(is_around)
}

/// A name of letters, digits and ASCII signs, with longer hyphens as plain ones.
pub(crate) fn ascii_hyphens(word: &str) -> String {
    word.chars().map(|c| hyphen(c).unwrap_or(c)).collect()
}

/// An option and its value: `use:cli`, `use=cli`, `--use=cli`, `--use` and `use:` with the value in the next word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypedOption<'w> {
    /// Its name in lower case, without dashes.
    pub name: String,
    /// Its value; empty where that is the next word.
    pub value: &'w str,
}

/// The option that a word is. Without dashes it needs a sign between name and value: `use` alone is a word.
pub(crate) fn option(word: &str) -> Option<TypedOption<'_>> {
    let word = unwrapped(word);
    let body = word.trim_start_matches(|c: char| c == '-' || c == '\u{2014}' || hyphen(c).is_some());
    let has_dashes = body.len() < word.len();
    let (name, value) = match body.split_once([':', '=', '\u{ff1a}']) {
        Some((name, value)) => (name, value),
        None if has_dashes => (body, ""),
        None => return None,
    };
    let name = ascii_hyphens(unwrapped(name)).to_ascii_lowercase().replace('_', "-");
    Some(TypedOption { name, value: unwrapped(value) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_any_spelling() {
        let cases = [
            ("use:cli", Some(("use", "cli"))),
            ("Use:CLI", Some(("use", "CLI"))),
            ("use=cli", Some(("use", "cli"))),
            ("use:", Some(("use", ""))),
            ("--use", Some(("use", ""))),
            ("--use=cli", Some(("use", "cli"))),
            ("\u{2014}use", Some(("use", ""))),
            ("\u{2013}\u{2013}use=cli", Some(("use", "cli"))),
            ("*use:cli*", Some(("use", "cli"))),
            ("use:`cli`", Some(("use", "cli"))),
            ("use:\u{201c}cli\u{201d}", Some(("use", "cli"))),
            ("use\u{ff1a}cli", Some(("use", "cli"))),
            ("--use_case=cli", Some(("use-case", "cli"))),
            ("because:use:x", Some(("because", "use:x"))),
            ("use", None),
            ("cli", None),
            ("", None),
        ];
        for (word, expected) in cases {
            let found = option(word);
            assert_eq!(found.as_ref().map(|found| (found.name.as_str(), found.value)), expected, "{word:?}");
        }
    }
}
