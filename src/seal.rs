//! Sealing a new key to the one browser tab that claimed it: RFC 9180, `mode_psk`, DHKEM(P-256, HKDF-SHA256),
//! HKDF-SHA256, AES-256-GCM. What comes out can be stored and sent; only that tab opens it.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::rand_core::CryptoRng;
use hpke::{Deserializable as _, Kem, OpModeS, PskBundle, Serializable as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::facts::Account;
use crate::id::{AccessKeyId, IamUserName};
use crate::ticket::{Psk, hash};

type PublicKey = <DhP256HkdfSha256 as Kem>::PublicKey;

/// A claiming tab's public key: a 65-byte uncompressed P-256 point that lies on the curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimKey(Vec<u8>);

/// 65 bytes that are no point of the curve, or another number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an uncompressed P-256 point")]
pub struct NotAPoint;

impl TryFrom<Vec<u8>> for ClaimKey {
    type Error = NotAPoint;
    fn try_from(bytes: Vec<u8>) -> Result<Self, NotAPoint> {
        PublicKey::from_bytes(&bytes).map(|_| Self(bytes)).map_err(|_| NotAPoint)
    }
}

impl ClaimKey {
    /// The point's 65 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The two halves that `CreateAccessKey` answers with. The secret half never prints and is wiped.
#[derive(Debug)]
pub struct NewAccessKey {
    /// Its id, no secret.
    pub id: AccessKeyId,
    /// `SecretAccessKey`.
    pub secret: SecretString,
}

/// A sealed key: what the table holds until the tab confirms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The encapsulated key, 65 bytes.
    pub enc: Vec<u8>,
    /// The ciphertext with its tag.
    pub ct: Vec<u8>,
    /// `<account> LF <user> LF <key id>`, authenticated and readable.
    pub aad: Vec<u8>,
    /// SHA-256 of the receipt inside: who shows the receipt has opened it.
    pub receipt_hash: [u8; 32],
}

/// Seals `key` to `to`, bound to the ticket by `tid` and `psk`. `receipt` is 16 random bytes.
///
/// # Errors
/// [`NotAPoint`] where the encapsulation fails, which a checked [`ClaimKey`] does not let happen.
pub fn seal(
    key: &NewAccessKey,
    (account, user): (&Account, &IamUserName),
    to: &ClaimKey,
    (tid, psk): (&[u8; 16], &Psk),
    receipt: &[u8; 16],
    rng: &mut impl CryptoRng,
) -> Result<Sealed, NotAPoint> {
    let aad = format!("{}\n{}\n{}", account.id, user, key.id).into_bytes();
    let receipt_text = Zeroizing::new(base64url(receipt));
    // Sized up front: growing would leave copies behind that nothing wipes.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(512));
    let opened = Opened {
        access_key_id: key.id.as_str(),
        secret_access_key: key.secret.expose_secret(),
        receipt: &receipt_text,
    };
    serde_json::to_writer(&mut *plaintext, &opened).map_err(|_| NotAPoint)?;
    let info = [b"keyvend/1".as_slice(), tid].concat();
    let (enc, ct) = single_shot(to, (psk.expose(), tid), &info, &plaintext, &aad, rng)?;
    Ok(Sealed { enc, ct, aad, receipt_hash: hash(receipt) })
}

/// What the tab finds inside.
#[derive(Serialize)]
struct Opened<'k> {
    access_key_id: &'k str,
    secret_access_key: &'k str,
    receipt: &'k str,
}

fn single_shot(
    to: &ClaimKey,
    (psk, psk_id): (&[u8], &[u8]),
    info: &[u8],
    plaintext: &[u8],
    aad: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, Vec<u8>), NotAPoint> {
    let to = PublicKey::from_bytes(&to.0).map_err(|_| NotAPoint)?;
    let mode = OpModeS::Psk(PskBundle::new(psk, psk_id).map_err(|_| NotAPoint)?);
    hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
        &mode, &to, info, plaintext, aad, rng,
    )
    .map(|(enc, ct)| (enc.to_bytes().to_vec(), ct))
    .map_err(|_| NotAPoint)
}

/// Unpadded base64url, as every field of the wire format is written.
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
