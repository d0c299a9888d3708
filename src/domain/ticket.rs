//! The one-time ticket: 32 random bytes `T` that exist in a link's fragment and nowhere else, and what is derived
//! from them. The server keeps what it needs to recognise the link and to seal to its holder, never `T`.

pub mod claim;
pub mod page_url;
pub mod seal;

use std::num::NonZeroU32;

use hkdf::Hkdf;
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::domain::ticket::page_url::RevealUrl;
use crate::encoding::{base64url, crockford_of};
use crate::id::TicketId;

/// The rounds of PBKDF2 that a mailed code is stretched by, in the tab and here.
const CODE_ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).unwrap();

/// `T`. Neither copied, printed nor stored.
pub struct Ticket(Zeroizing<[u8; 32]>);

/// The key that both ends mix into the sealing: HKDF(T, "seal", 32).
pub struct Psk(Zeroizing<[u8; 32]>);

/// `C`, the code that goes by mail: 8 characters of Crockford's base32.
pub struct MailedCode(Zeroizing<String>);

impl Ticket {
    /// The ticket of 32 random bytes.
    #[must_use]
    pub fn of(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random))
    }

    fn derive<const N: usize>(&self, label: &[u8]) -> Zeroizing<[u8; N]> {
        let mut okm = Zeroizing::new([0; N]);
        // 255 * 32 bytes is the only length that HKDF-SHA256 refuses; every caller asks for 32 or less.
        let _ = Hkdf::<Sha256>::new(None, self.0.as_slice()).expand(label, okm.as_mut_slice());
        okm
    }

    /// HKDF(T, "tid", 16): the public name it is stored under.
    #[must_use]
    pub fn tid(&self) -> TicketId {
        TicketId::of(&self.derive(b"tid"))
    }

    /// SHA-256 of HKDF(T, "proof", 32): recognises the link's holder.
    #[must_use]
    pub fn proof_hash(&self) -> [u8; 32] {
        hash(self.derive::<32>(b"proof").as_slice())
    }

    #[must_use]
    pub fn psk(&self) -> Psk {
        Psk(self.derive(b"seal"))
    }

    /// SHA-256 of PBKDF2-HMAC-SHA256(C, salt HKDF(T, "code", 32), 600,000 rounds, 32 bytes).
    #[must_use]
    pub fn code_hash(&self, code: &MailedCode) -> [u8; 32] {
        let salt = self.derive::<32>(b"code");
        let mut stretched = Zeroizing::new([0; 32]);
        pbkdf2::derive(
            PBKDF2_HMAC_SHA256,
            CODE_ROUNDS,
            salt.as_slice(),
            code.0.as_bytes(),
            stretched.as_mut_slice(),
        );
        hash(stretched.as_slice())
    }

    /// `https://<host>/reveal#1.<T>`.
    #[must_use]
    pub fn link(&self, page: &RevealUrl) -> SecretString {
        let encoded = Zeroizing::new(base64url(self.0.as_slice()));
        SecretString::from(format!("{}#1.{}", page.as_str(), encoded.as_str()))
    }
}

impl Psk {
    /// The key that a table kept: 32 bytes, or it is not one.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        <[u8; 32]>::try_from(bytes).ok().map(|key| Self(Zeroizing::new(key)))
    }

    /// Its bytes, for the sealing and for its one column.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl MailedCode {
    /// The code of five random bytes.
    #[must_use]
    pub fn of(random: [u8; 5]) -> Self {
        Self(Zeroizing::new(crockford_of(&random, 8)))
    }

    /// The code as it goes into the mail.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// SHA-256.
#[must_use]
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::from_base64url;
    use secrecy::ExposeSecret as _;
    use serde_json::Value;

    fn bytes<const N: usize>(case: &Value, field: &str) -> [u8; N] {
        from_base64url(case[field].as_str().unwrap()).unwrap().try_into().unwrap()
    }

    #[test]
    fn derivations_are_those_of_the_pinned_cases() {
        let cases: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/vectors/ticket.json")).unwrap();
        assert!(!cases.is_empty());
        let page = RevealUrl::new("https://keys.example.com/reveal".to_owned());
        for case in &cases {
            let ticket = Ticket::of(bytes(case, "T"));
            assert_eq!(ticket.tid(), TicketId::of(&bytes(case, "tid")), "{case}");
            assert_eq!(hash(&bytes::<32>(case, "proof")), bytes::<32>(case, "proof_sha256"), "{case}");
            assert_eq!(ticket.proof_hash(), bytes::<32>(case, "proof_sha256"), "{case}");
            assert_eq!(ticket.psk().expose(), &bytes::<32>(case, "psk"), "{case}");
            let code = MailedCode(Zeroizing::new(case["C"].as_str().unwrap().to_owned()));
            assert_eq!(ticket.code_hash(&code), bytes::<32>(case, "code_sha256"), "{case}");
            let link = format!("https://keys.example.com/reveal{}", case["fragment"].as_str().unwrap());
            assert_eq!(ticket.link(&page).expose_secret(), link, "{case}");
        }
    }

    #[test]
    fn a_stored_psk_of_another_length_is_none() {
        assert!(Psk::from_stored(&[0; 31]).is_none());
        assert!(Psk::from_stored(&[0; 32]).is_some());
    }
}
