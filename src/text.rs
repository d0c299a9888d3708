//! Characters: what cannot be sent through a queue, and what counts as a blank in what people type.

/// Controls, and the two characters that SQS refuses a whole message for
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
pub(crate) fn is_unsendable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// At most `most` characters of a text, those that cannot be sent as blanks. `most` is above anything valid, so what is cut stays
/// invalid, and is refused by whoever knows what it should be.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if is_unsendable(c) { ' ' } else { c }).collect()
}

/// Whether a character counts as a blank between words: white space, controls, what SQS takes in no message, and the
/// marks that turn the direction of writing or take no room, with which a reason could be made to read differently
/// from what it says.
pub(crate) fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || is_unsendable(c)
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How many single-character edits lead from one word to the other, counted up to `most`.
pub(crate) fn distance(from: &str, to: &str, most: usize) -> Option<usize> {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, c) in from.chars().enumerate() {
        let mut next = vec![at + 1];
        for (column, other) in to.iter().enumerate() {
            let above = row.get(column + 1)? + 1;
            let left = next.last()? + 1;
            let diagonal = row.get(column)? + usize::from(c != *other);
            next.push(above.min(left).min(diagonal));
        }
        row = next;
    }
    row.last().copied().filter(|edits| *edits <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_up_to_the_bound() {
        for (from, to, edits) in [
            ("creat", "create", Some(1)),
            ("crate", "create", Some(1)),
            ("", "abc", None),
            ("list", "list", Some(0)),
            ("lits", "list", Some(2)),
            ("frobnicate", "create", None),
        ] {
            assert_eq!(distance(from, to, 2), edits, "{from} {to}");
        }
    }
}
