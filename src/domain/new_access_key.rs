//! A key that was just created, before it is sealed.

use secrecy::SecretString;

use crate::id::AccessKeyId;

/// The two halves that `CreateAccessKey` answers with. The secret half never prints and is wiped.
#[derive(Debug)]
pub struct NewAccessKey {
    /// Its id, no secret.
    pub id: AccessKeyId,
    /// `SecretAccessKey`.
    pub secret: SecretString,
}
