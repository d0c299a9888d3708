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
