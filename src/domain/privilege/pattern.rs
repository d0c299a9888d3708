//! IAM's wildcards: `*` is any text, `?` any one character
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html#reference_policies_elements_resource_wildcards>).

/// Whether some text matches both patterns. Exact: it follows both at once, over every pair of places in them.
pub(crate) fn intersects(a: &[u8], b: &[u8]) -> bool {
    if !heads_agree(a, b) {
        return false;
    }
    #[cfg(test)]
    work::add(a.len() * (b.len() + 1));
    // Whether some text leads to this place in `a` and, by index, to that place in `b`.
    let mut row = vec![false; b.len() + 1];
    if let Some(start) = row.first_mut() {
        *start = true;
    }
    pass_stars(&mut row, b);
    for wanted in a {
        row = if *wanted == b'*' { after_star(&row) } else { after_one(&row, *wanted, b) };
        pass_stars(&mut row, b);
        if !row.contains(&true) {
            return false;
        }
    }
    row.last().copied().unwrap_or(false)
}

/// Whether every text that the pattern matches begins with `prefix`. Exact, too: after its first wildcard a pattern
/// allows a character that no prefix has there.
pub(crate) fn begins_with(pattern: &[u8], prefix: &[u8]) -> bool {
    head(pattern).starts_with(prefix)
}

/// Whether the pattern matches itself alone. A policy variable stands for a text that is not known here.
pub(crate) fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['*', '?', '$'])
}

/// The pattern with every policy variable, and what could be one, as `*`: whatever it stands for is included.
pub(crate) fn without_variables(pattern: &str) -> Vec<u8> {
    let mut plain = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, variable)) = rest.split_once('$') {
        plain.extend(before.bytes());
        plain.push(b'*');
        // One that is not closed swallows the rest.
        rest = variable.split_once('}').map_or("", |(_, after)| after);
    }
    plain.extend(rest.bytes());
    plain.make_ascii_lowercase();
    plain
}

/// What stands before the first wildcard.
fn head(pattern: &[u8]) -> &[u8] {
    let wildcard = pattern.iter().position(|byte| matches!(byte, b'*' | b'?'));
    wildcard.and_then(|at| pattern.get(..at)).unwrap_or(pattern)
}

/// The cheap half of the answer: as far as both say what a text begins with, they say the same.
fn heads_agree(a: &[u8], b: &[u8]) -> bool {
    std::iter::zip(head(a), head(b)).all(|(a, b)| a == b)
}

/// A `*` of `b` may match nothing.
fn pass_stars(row: &mut [bool], b: &[u8]) {
    for (at, wanted) in b.iter().enumerate() {
        let reached = row.get(at).copied().unwrap_or(false);
        if reached
            && *wanted == b'*'
            && let Some(next) = row.get_mut(at + 1)
        {
            *next = true;
        }
    }
}

/// A `*` of `a` matches whatever `b` goes on with, as far as one likes.
fn after_star(row: &[bool]) -> Vec<bool> {
    let mut reached = false;
    row.iter()
        .map(|here| {
            reached |= here;
            reached
        })
        .collect()
}

/// Both patterns match one more character, which `a` wants to be this one.
fn after_one(row: &[bool], wanted: u8, b: &[u8]) -> Vec<bool> {
    let mut next = vec![false; row.len()];
    for (at, other) in b.iter().enumerate() {
        if !row.get(at).copied().unwrap_or(false) {
            continue;
        }
        let same = *other == wanted || *other == b'?' || wanted == b'?';
        let to = match other {
            b'*' => Some(at),
            _ if same => Some(at + 1),
            _ => None,
        };
        if let Some(slot) = to.and_then(|to| next.get_mut(to)) {
            *slot = true;
        }
    }
    next
}

/// How many pairs of places were followed, so that a test sees what the longest policies cost without a clock.
#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    thread_local! {
        static PAIRS: Cell<usize> = const { Cell::new(0) };
    }

    pub fn add(pairs: usize) {
        PAIRS.set(PAIRS.get() + pairs);
    }

    pub fn take() -> usize {
        PAIRS.take()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All texts of up to `most` characters. `z` stands in no pattern: there is always such a character.
    fn texts(most: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..most {
            last = last.iter().flat_map(|text| ["a", "b", "z"].map(|c| format!("{text}{c}"))).collect();
            all.extend(last.clone());
        }
        all
    }

    /// By the definition, as slowly as that goes.
    fn matches(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                matches(rest, text) || text.split_first().is_some_and(|(_, after)| matches(pattern, after))
            }
            (Some((wanted, rest)), Some((c, after))) => {
                (*wanted == b'?' || wanted == c) && matches(rest, after)
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Two patterns of up to four characters that meet at all meet in a text of up to eight.
        // T2.17
        #[test]
        fn patterns_intersect_if_some_text_matches_both(a in "[ab*?]{0,4}", b in "[ab*?]{0,4}") {
            let both = |text: &String| matches(a.as_bytes(), text.as_bytes()) && matches(b.as_bytes(), text.as_bytes());
            prop_assert_eq!(intersects(a.as_bytes(), b.as_bytes()), texts(8).iter().any(both), "{} {}", a, b);
            prop_assert_eq!(intersects(a.as_bytes(), b.as_bytes()), intersects(b.as_bytes(), a.as_bytes()));
        }

        // T2.17
        #[test]
        fn literal_prefix_is_common_to_all_matches(pattern in "[ab*?]{0,4}", prefix in "[ab]{0,3}") {
            let all = texts(6).into_iter().filter(|text| matches(pattern.as_bytes(), text.as_bytes()));
            let begin = all.into_iter().all(|text| text.starts_with(&prefix));
            prop_assert_eq!(begins_with(pattern.as_bytes(), prefix.as_bytes()), begin, "{} {}", pattern, prefix);
        }

        #[test]
        fn a_text_intersects_what_matches_it(pattern in "[ab*?]{0,8}", text in "[abz]{0,8}") {
            let matched = matches(pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(intersects(pattern.as_bytes(), text.as_bytes()), matched);
        }
    }

    #[test]
    fn a_policy_variable_is_any_text() {
        for (pattern, plain) in [
            ("arn:aws:iam::1:user/${aws:username}", "arn:aws:iam::1:user/*"),
            ("a${aws:PrincipalTag/team, 'none'}B${*}c", "a*b*c"),
            ("a${open", "a*"),
            ("a$b", "a*"),
            ("Plain", "plain"),
        ] {
            assert_eq!(String::from_utf8(without_variables(pattern)).unwrap(), plain, "{pattern}");
        }
    }
}
