//! Whether Slack signed a request (<https://docs.slack.dev/authentication/verifying-requests-from-slack>).
//! The signature is over exactly the bytes received; nothing is parsed before it holds, and only what it holds for
//! becomes a `Verified`.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::http::api_gateway::Header;
use crate::id::{InvalidId, RequestId};
use crate::time::Timestamp;

/// How far Slack's clock and ours may be apart, in seconds, either way.
pub const WINDOW: i64 = 300;

/// The app's signing secret.
pub struct SigningSecret(SecretString);

/// A text that is no signing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningSecretError {
    /// Nothing at all; anybody can sign with that.
    #[error("The Slack signing secret is empty. Copy it from Basic Information on your app's page.")]
    Empty,
    /// White space around it: pasted with a line end, most likely.
    #[error(
        "The Slack signing secret begins or ends with white space, most likely a line break that was pasted with it. \
         Store it again without."
    )]
    Blanks,
    /// No one word: something else was stored, such as a JSON object.
    #[error(
        "The Slack signing secret is not one word. Store the signing secret alone, as plain text; copy it from Basic \
         Information on your app's page at api.slack.com."
    )]
    Malformed,
}

impl SigningSecret {
    /// A signing secret as Slack's **Basic Information** page shows it.
    ///
    /// # Errors
    /// Where it is empty or has white space around it.
    pub fn new(text: String) -> Result<Self, SigningSecretError> {
        let secret = SecretString::from(text);
        let text = secret.expose_secret();
        if text.is_empty() {
            Err(SigningSecretError::Empty)
        } else if text.trim().len() != text.len() {
            Err(SigningSecretError::Blanks)
        } else {
            Ok(Self(secret))
        }
    }

    /// The same of a stored text, without the white space that was pasted with it.
    ///
    /// # Errors
    /// Where it is empty or not one word.
    pub fn from_stored(text: &SecretString) -> Result<Self, SigningSecretError> {
        let text = text.expose_secret().trim();
        if text.starts_with('{') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SigningSecretError::Malformed);
        }
        Self::new(text.to_owned())
    }

    fn signed(&self, timestamp: &str, body: &[u8], signature: &[u8; 32]) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()) else {
            return false;
        };
        for part in [b"v0:", timestamp.as_bytes(), b":", body] {
            mac.update(part);
        }
        mac.verify_slice(signature).is_ok()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

/// Why a request does not count as Slack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// `X-Slack-Request-Timestamp` or `X-Slack-Signature` was not sent.
    #[error("a signature header is missing")]
    Missing,
    /// One of them was sent more than once.
    #[error("a signature header was repeated")]
    Repeated,
    /// The timestamp is no plain decimal number of seconds.
    #[error("the timestamp is not a decimal number")]
    BadTimestamp,
    /// It was signed more than [`WINDOW`] seconds ago.
    #[error("the timestamp is too old")]
    Stale,
    /// It claims to be signed more than [`WINDOW`] seconds from now.
    #[error("the timestamp is in the future")]
    Future,
    /// The signature is not `v0=` and 64 lower-case hexadecimal digits.
    #[error("the signature is not in the form v0")]
    BadFormat,
    /// None of the secrets made this signature.
    #[error("the signature matches no secret")]
    Mismatch,
}

/// SHA-256 of a signature's text: who asked what and when, in one value that a replay cannot change.
/// Written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignatureHash([u8; 32]);

impl SignatureHash {
    /// The id of the request that was signed.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        RequestId::of_signature(&self.0)
    }

    /// What stands in its place for an event of Slack's that has an id of its own (`event_id`).
    #[must_use]
    pub fn of_event(event_id: &str) -> Self {
        Self(Sha256::digest(format!("event:{event_id}")).into())
    }
}

impl fmt::Display for SignatureHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<SignatureHash> for String {
    fn from(hash: SignatureHash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for SignatureHash {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        bytes_of(&text).map(Self).ok_or(InvalidId("a signature's hash"))
    }
}

/// Something that Slack signed. Only [`verify`] makes the first one.
#[derive(Debug)]
pub struct Verified<T> {
    value: T,
    hash: SignatureHash,
    signed_at: Timestamp,
}

impl<T> Verified<T> {
    #[must_use]
    pub fn get(&self) -> &T {
        &self.value
    }

    /// The hash of its signature.
    #[must_use]
    pub fn hash(&self) -> SignatureHash {
        self.hash
    }

    /// When Slack signed it, by Slack's clock.
    #[must_use]
    pub fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// What is read out of something signed is as good as signed.
    ///
    /// # Errors
    /// Whatever `read` says.
    pub fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Verified<U>, E> {
        Ok(Verified { value: read(self.value)?, hash: self.hash, signed_at: self.signed_at })
    }
}

/// Checks a body against the two headers that came with it. Every secret is tried; two are live while one is rotated.
///
/// # Errors
/// Why it is not Slack's.
pub fn verify<'a>(
    secrets: &[SigningSecret],
    timestamp: Header<'_>,
    signature: Header<'_>,
    body: &'a [u8],
    now: Timestamp,
) -> Result<Verified<&'a [u8]>, SignatureError> {
    let timestamp = one(timestamp)?;
    let signature = one(signature)?;
    if signature.is_empty() {
        return Err(SignatureError::Missing);
    }
    let signed_at = seconds(timestamp).ok_or(SignatureError::BadTimestamp)?;
    let age = now.since(signed_at);
    if age > WINDOW {
        return Err(SignatureError::Stale);
    }
    if age < -WINDOW {
        return Err(SignatureError::Future);
    }
    let bytes = signature.strip_prefix("v0=").and_then(bytes_of).ok_or(SignatureError::BadFormat)?;
    // Not `any`: how long it takes must not tell which secret fitted.
    let fits = secrets.iter().fold(false, |fits, secret| fits | secret.signed(timestamp, body, &bytes));
    if !fits {
        return Err(SignatureError::Mismatch);
    }
    // Slack's clock may be ahead, but what is signed was signed by now.
    let signed_at = signed_at.min(now);
    Ok(Verified { value: body, hash: SignatureHash(Sha256::digest(signature).into()), signed_at })
}

fn one(header: Header<'_>) -> Result<&str, SignatureError> {
    match header {
        Header::One(value) => Ok(value),
        Header::Absent => Err(SignatureError::Missing),
        Header::Several => Err(SignatureError::Repeated),
    }
}

/// The signed text is `v0:<timestamp>:<body>`: were more than digits accepted, the colon could move into the body.
fn seconds(text: &str) -> Option<Timestamp> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok().map(Timestamp) } else { None }
}

fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|&[high, low]| Some(nibble(high)? << 4 | nibble(low)?)).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // T1.1
    #[test]
    fn empty_or_padded_signing_secret_is_rejected() {
        let cases = [
            ("", Some(SigningSecretError::Empty)),
            (" ", Some(SigningSecretError::Blanks)),
            ("abc\n", Some(SigningSecretError::Blanks)),
            ("abc\r\n", Some(SigningSecretError::Blanks)),
            ("\tabc", Some(SigningSecretError::Blanks)),
            ("abc\u{a0}", Some(SigningSecretError::Blanks)),
            ("a b c", None),
            ("8f742231b10e8888abcd99yyyzzz85a5", None),
        ];
        for (text, expected) in cases {
            assert_eq!(SigningSecret::new(text.to_owned()).err(), expected, "{text:?}");
        }
    }

    #[test]
    fn stored_signing_secret_is_trimmed_and_one_word() {
        let cases = [
            ("", Err(SigningSecretError::Empty)),
            (" \n", Err(SigningSecretError::Empty)),
            ("abc\n", Ok("abc")),
            ("\tabc\r\n", Ok("abc")),
            ("abc\u{a0}", Ok("abc")),
            ("a b c", Err(SigningSecretError::Malformed)),
            ("abc\nabc", Err(SigningSecretError::Malformed)),
            ("{\"secret\":\"abc\"}", Err(SigningSecretError::Malformed)),
        ];
        for (stored, expected) in cases {
            let read = SigningSecret::from_stored(&SecretString::from(stored));
            let read = read.map(|secret| secret.0.expose_secret().to_owned());
            assert_eq!(read, expected.map(str::to_owned), "{stored:?}");
        }
    }

    // T3.11
    #[test]
    fn a_signing_secret_does_not_print() {
        let secret = SigningSecret::new("very-secret".to_owned()).unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret");
    }

    // T1.1
    #[test]
    fn without_a_secret_nothing_is_signed() {
        let zeros = format!("v0={}", "0".repeat(64));
        let result = verify(&[], Header::One("5"), Header::One(&zeros), b"", Timestamp(5));
        assert_eq!(result.map(|_| ()), Err(SignatureError::Mismatch));
    }

    // T1.1
    #[test]
    fn a_repeated_header_is_not_chosen_from() {
        let secrets = [SigningSecret::new("abc".to_owned()).unwrap()];
        let cases = [
            (Header::Several, Header::One("v0=00"), SignatureError::Repeated),
            (Header::One("5"), Header::Several, SignatureError::Repeated),
            (Header::Absent, Header::Several, SignatureError::Missing),
        ];
        for (timestamp, signature, expected) in cases {
            let result = verify(&secrets, timestamp, signature, b"", Timestamp(5));
            assert_eq!(result.map(|_| ()), Err(expected), "{timestamp:?}, {signature:?}");
        }
    }

    // T1.1
    #[test]
    fn a_timestamp_is_plain_decimal() {
        let cases = [
            ("0", Some(0)),
            ("1700000000", Some(1_700_000_000)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("00", None),
            ("01", None),
            ("", None),
            ("-0", None),
            ("-1", None),
            ("+1", None),
            ("1_000", None),
            ("1e9", None),
            ("1.0", None),
            ("1 ", None),
            ("1\n", None),
            ("\u{661}", None),
            ("\u{ff11}", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected.map(Timestamp), "{text:?}");
        }
    }

    #[test]
    fn the_hash_reads_back_as_it_is_written() {
        let hash = SignatureHash([0xa5; 32]);
        assert_eq!(hash.to_string(), "a5".repeat(32));
        assert_eq!(SignatureHash::try_from(hash.to_string()), Ok(hash));
        for wrong in ["a5".repeat(31), "a5".repeat(33), "A5".repeat(32), format!("{}a", "a5".repeat(31))] {
            assert!(SignatureHash::try_from(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
