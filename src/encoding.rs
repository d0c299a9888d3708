//! Texts of bytes: base64url and Crockford's base32.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The alphabet: no I, L, O or U (<https://www.crockford.com/base32.html>).
pub(crate) const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The first `len` characters of the bytes in Crockford's base32, five bits a character, most significant first.
#[must_use]
pub fn crockford_of(bytes: &[u8], len: usize) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| (byte >> (7 - at % 8)) & 1);
    (0..len)
        .map(|character| {
            let index = (0..5).fold(0usize, |acc, i| acc << 1 | usize::from(bit(character * 5 + i)));
            CROCKFORD.get(index).copied().map_or('0', char::from)
        })
        .collect()
}

/// Unpadded base64url, as every field of the wire format is written.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of an unpadded base64url text; none where it is not one.
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crockford_is_five_bits_a_character() {
        assert_eq!(crockford_of(&[0, 0, 0, 0, 0], 8), "00000000");
        assert_eq!(crockford_of(&[255; 5], 8), "ZZZZZZZZ");
        assert_eq!(crockford_of(&[0x08, 0x42, 0x10, 0x84, 0x21], 8), "11111111");
        assert_eq!(crockford_of(&[0x84, 0x21, 0x08, 0x42, 0x10], 8), "GGGGGGGG");
    }
}
