//! What is kept of an email address: enough to see later that it changed.

use sha2::{Digest as _, Sha256};

/// SHA-256 of the address in lower case, as hexadecimal digits.
#[must_use]
pub fn email_hash(address: &str) -> String {
    hex::encode(Sha256::digest(address.to_lowercase()))
}
