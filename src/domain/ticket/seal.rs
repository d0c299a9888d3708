//! Sealing a new key to the one browser tab that claimed it: RFC 9180, `mode_psk`, DHKEM(P-256, HKDF-SHA256),
//! HKDF-SHA256, AES-256-GCM. What comes out can be stored and sent; only that tab opens it.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::rand_core::CryptoRng;
use hpke::{Deserializable as _, Kem, OpModeS, PskBundle, Serializable as _};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::domain::iam::Account;
use crate::domain::new_access_key::NewAccessKey;
use crate::domain::ticket::{Psk, hash};
use crate::encoding::base64url;
use crate::id::IamUserName;
use crate::time::Timestamp;

type PublicKey = <DhP256HkdfSha256 as Kem>::PublicKey;

/// A claiming tab's public key: a 65-byte uncompressed P-256 point that lies on the curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimKey(Vec<u8>);

/// 65 bytes that are no point of the curve, or another number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an uncompressed P-256 point")]
pub struct InvalidPublicKey;

impl TryFrom<Vec<u8>> for ClaimKey {
    type Error = InvalidPublicKey;
    fn try_from(bytes: Vec<u8>) -> Result<Self, InvalidPublicKey> {
        PublicKey::from_bytes(&bytes).map(|_| Self(bytes)).map_err(|_| InvalidPublicKey)
    }
}

impl ClaimKey {
    /// The point's 65 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
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

/// What the page says beside the key.
#[derive(Clone, Copy, Debug)]
pub struct KeyNotice<'k> {
    /// When the key expires.
    pub expires_at: Timestamp,
    /// The slash command's name as installed.
    pub command: &'k str,
}

/// Seals `key`, and the notice about it, to `to`, bound to the ticket by `tid` and `psk`. `receipt` is 16 random bytes.
///
/// # Errors
/// [`InvalidPublicKey`] where the encapsulation fails, which a checked [`ClaimKey`] does not let happen.
pub fn seal(
    key: &NewAccessKey,
    (account, user): (&Account, &IamUserName),
    notice: KeyNotice<'_>,
    to: &ClaimKey,
    (tid, psk): (&[u8; 16], &Psk),
    receipt: &[u8; 16],
    rng: &mut impl CryptoRng,
) -> Result<Sealed, InvalidPublicKey> {
    let aad = format!("{}\n{}\n{}", account.id, user, key.id).into_bytes();
    let receipt_text = Zeroizing::new(base64url(receipt));
    // Sized up front: growing would leave copies behind that nothing wipes.
    let mut plaintext = Zeroizing::new(Vec::with_capacity(512));
    let opened = Opened {
        access_key_id: key.id.as_str(),
        secret_access_key: key.secret.expose_secret(),
        receipt: &receipt_text,
        expires_at: notice.expires_at.0,
        command: notice.command,
    };
    serde_json::to_writer(&mut *plaintext, &opened).map_err(|_| InvalidPublicKey)?;
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
    /// Seconds since the epoch. A page that was opened before a deployment does not know this field and the next.
    expires_at: i64,
    command: &'k str,
}

fn single_shot(
    to: &ClaimKey,
    (psk, psk_id): (&[u8], &[u8]),
    info: &[u8],
    plaintext: &[u8],
    aad: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, Vec<u8>), InvalidPublicKey> {
    let to = PublicKey::from_bytes(&to.0).map_err(|_| InvalidPublicKey)?;
    let mode = OpModeS::Psk(PskBundle::new(psk, psk_id).map_err(|_| InvalidPublicKey)?);
    hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
        &mode, &to, info, plaintext, aad, rng,
    )
    .map(|(enc, ct)| (enc.to_bytes().to_vec(), ct))
    .map_err(|_| InvalidPublicKey)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hpke::rand_core::{TryCryptoRng, TryRng};
    use hpke::{OpModeR, setup_sender_with_rng, single_shot_open};
    use serde_json::Value;

    use super::*;
    use crate::domain::ticket::Ticket;

    type PrivateKey = <DhP256HkdfSha256 as Kem>::PrivateKey;
    type Enc = <DhP256HkdfSha256 as Kem>::EncappedKey;

    /// Hands out given bytes, and no more of them.
    struct Given(Vec<u8>);

    impl TryRng for Given {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            panic!("only bytes are drawn")
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            panic!("only bytes are drawn")
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.copy_from_slice(&self.0.drain(..bytes.len()).collect::<Vec<_>>());
            Ok(())
        }
    }

    impl TryCryptoRng for Given {}

    fn hex(value: &Value) -> Vec<u8> {
        let digits = value.as_str().unwrap().as_bytes().chunks(2);
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn vectors() -> Vec<Value> {
        serde_json::from_str(include_str!("../../../tests/vectors/hpke.json")).unwrap()
    }

    fn pair() -> (PrivateKey, ClaimKey) {
        let (private, public) = DhP256HkdfSha256::gen_keypair();
        (private, ClaimKey::try_from(public.to_bytes().to_vec()).unwrap())
    }

    #[test]
    fn hpke_suite_matches_rfc_vectors() {
        // In both modes.
        let vectors = vectors();
        assert_eq!(vectors.iter().map(|case| case["mode"].as_u64()).collect::<Vec<_>>(), [Some(0), Some(1)]);
        for case in &vectors {
            assert_eq!(
                (&case["kem_id"], &case["kdf_id"], &case["aead_id"]),
                (&16.into(), &1.into(), &2.into())
            );
            let (psk, psk_id) = (hex(&case["psk"]), hex(&case["psk_id"]));
            let mode = match case["mode"].as_u64() {
                Some(0) => OpModeS::Base,
                _ => OpModeS::Psk(PskBundle::new(&psk, &psk_id).unwrap()),
            };
            let to = PublicKey::from_bytes(&hex(&case["pkRm"])).unwrap();
            let mut rng = Given(hex(&case["ikmE"]));
            let (enc, mut sender) = setup_sender_with_rng::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
                &mode,
                &to,
                &hex(&case["info"]),
                &mut rng,
            )
            .unwrap();
            assert!(rng.0.is_empty(), "exactly the key material is drawn");
            assert_eq!(enc.to_bytes().as_slice(), hex(&case["enc"]), "{case}");
            let encryptions = case["encryptions"].as_array().unwrap();
            assert_eq!(encryptions.len(), 3);
            for encryption in encryptions {
                let ct = sender.seal(&hex(&encryption["pt"]), &hex(&encryption["aad"])).unwrap();
                assert_eq!(ct, hex(&encryption["ct"]), "{encryption}");
            }
        }
    }

    #[test]
    fn single_seal_equals_first_psk_encryption() {
        let [_, case] = vectors().try_into().unwrap();
        let to = ClaimKey::try_from(hex(&case["pkRm"])).unwrap();
        let (psk, psk_id) = (hex(&case["psk"]), hex(&case["psk_id"]));
        let first = &case["encryptions"][0];
        let (pt, aad) = (hex(&first["pt"]), hex(&first["aad"]));
        let mut rng = Given(hex(&case["ikmE"]));
        let sealed = single_shot(&to, (&psk, &psk_id), &hex(&case["info"]), &pt, &aad, &mut rng);
        assert_eq!(sealed, Ok((hex(&case["enc"]), hex(&first["ct"]))));
    }

    // T3.1
    #[test]
    fn sealed_key_opens_by_pinned_rules_only() {
        let (private, to) = pair();
        let ticket = Ticket::of([7; 32]);
        let (psk, tid) = (ticket.psk(), [9; 16]);
        let key = NewAccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            secret: secrecy::SecretString::from("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        };
        let account = Account { alias: "home".parse().unwrap(), id: "123456789012".parse().unwrap() };
        let user = "ci-deployer".parse().unwrap();
        let mut rng = Given((0..32).collect());
        let notice = KeyNotice { expires_at: Timestamp(1_924_992_000), command: "/aws-key" };
        let sealed = seal(&key, (&account, &user), notice, &to, (&tid, &psk), &[5; 16], &mut rng).unwrap();
        assert_eq!(sealed.enc.len(), 65);
        assert_eq!(sealed.aad, b"123456789012\nci-deployer\nAKIAIOSFODNN7EXAMPLE");
        assert_eq!(sealed.receipt_hash, hash(&[5; 16]));

        let open = |private: &PrivateKey, psk: &[u8], psk_id: &[u8], info: &[u8], ct: &[u8], aad: &[u8]| {
            let mode = OpModeR::Psk(PskBundle::new(psk, psk_id).unwrap());
            let enc = Enc::from_bytes(&sealed.enc).unwrap();
            single_shot_open::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(&mode, private, &enc, info, ct, aad)
        };
        let info = *b"keyvend/1\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09";
        let psk = psk.expose();
        let (ct, aad) = (sealed.ct.as_slice(), sealed.aad.as_slice());
        let opened = open(&private, psk, &tid, &info, ct, aad).unwrap();
        let expected = r#"{"access_key_id":"AKIAIOSFODNN7EXAMPLE","secret_access_key":"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY","receipt":"BQUFBQUFBQUFBQUFBQUFBQ","expires_at":1924992000,"command":"/aws-key"}"#;
        assert_eq!(String::from_utf8(opened).unwrap(), expected);

        let other = |bytes: &[u8]| {
            let mut changed = bytes.to_vec();
            changed[0] ^= 1;
            changed
        };
        let wrong = [
            ("another tab", open(&pair().0, psk, &tid, &info, ct, aad)),
            ("another link", open(&private, &other(psk), &tid, &info, ct, aad)),
            ("another ticket", open(&private, psk, &other(&tid), &info, ct, aad)),
            ("another version", open(&private, psk, &tid, &other(&info), ct, aad)),
            ("another account", open(&private, psk, &tid, &info, ct, &other(aad))),
            ("another text", open(&private, psk, &tid, &info, &other(ct), aad)),
        ];
        for (what, opened) in wrong {
            assert!(opened.is_err(), "{what} opened it");
        }
    }

    #[test]
    fn claim_key_is_valid_curve_point() {
        // It has 65 bytes.
        let good = pair().1.0;
        assert_eq!(good.len(), 65);
        assert_eq!(good[0], 4);
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let compressed = [&[2 + (good[64] & 1)], &good[1..33]].concat();
        let padded = [compressed.as_slice(), &[0; 32]].concat();
        // The field's prime itself: a coordinate that is no element of the field.
        let prime = hex(&"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff".into());
        let wrong = [
            ("nothing", Vec::new()),
            ("one byte short", good[..64].to_vec()),
            ("one byte long", [good.as_slice(), &[0]].concat()),
            ("without its tag", good[1..].to_vec()),
            ("twice", [good.as_slice(), &good].concat()),
            ("compressed", compressed),
            ("compressed, padded", padded),
            ("hybrid", changed(0, 6 + (good[64] & 1))),
            ("tag off by one", changed(0, 5)),
            ("x off by one", changed(32, good[32] ^ 1)),
            ("y off by one", changed(64, good[64].wrapping_add(1))),
            ("infinity", vec![0]),
            ("infinity, padded", vec![0; 65]),
            ("zero", [vec![4], vec![0; 64]].concat()),
            ("x not reduced", [&[4], prime.as_slice(), &good[33..]].concat()),
            ("y not reduced", [&good[..33], prime.as_slice()].concat()),
            ("all ones", vec![0xff; 65]),
        ];
        for (what, bytes) in wrong {
            assert_eq!(ClaimKey::try_from(bytes), Err(InvalidPublicKey), "{what}");
        }
        assert_eq!(ClaimKey::try_from(good.clone()).unwrap().as_bytes(), good);
    }
}
