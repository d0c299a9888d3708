//! Whose certificates are accepted.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tracing::warn;

/// Amazon Trust Services' roots, which all endpoints of AWS in its commercial and GovCloud regions chain to
/// (<https://www.amazontrust.com/repository/>).
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// The certificate authorities that a client accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Amazon's own, for AWS.
    Amazon,
    /// Those of a file instead: of an emulator, or of a company that opens its TLS connections.
    Bundle(PathBuf),
    /// Those of the machine, or of `SSL_CERT_FILE`.
    System,
}

impl Trust {
    /// How rustls is told. Certificates that cannot be read are left out, which is logged: then no server is trusted for them.
    ///
    /// # Errors
    /// Where the cryptography that was linked has no suite for TLS 1.2 and 1.3.
    pub(crate) fn tls_config(&self) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        Ok(builder.with_root_certificates(self.roots()).with_no_client_auth())
    }

    fn roots(&self) -> RootCertStore {
        let (certificates, unreadable) = match self {
            Self::Amazon => parsed(CertificateDer::pem_slice_iter(AMAZON_ROOTS)),
            Self::Bundle(path) => match CertificateDer::pem_file_iter(path) {
                Ok(found) => parsed(found),
                Err(error) => (Vec::new(), vec![error.to_string()]),
            },
            Self::System => {
                let found = rustls_native_certs::load_native_certs();
                (found.certs, found.errors.iter().map(ToString::to_string).collect())
            }
        };
        let mut roots = RootCertStore::empty();
        let (_, ignored) = roots.add_parsable_certificates(certificates);
        if ignored > 0 || !unreadable.is_empty() {
            warn!(trust = ?self, ignored, ?unreadable, "certificates of authorities could not be read");
        }
        roots
    }
}

fn parsed<E: ToString>(
    found: impl Iterator<Item = Result<CertificateDer<'static>, E>>,
) -> (Vec<CertificateDer<'static>>, Vec<String>) {
    let (mut certificates, mut unreadable) = (Vec::new(), Vec::new());
    for certificate in found {
        match certificate {
            Ok(certificate) => certificates.push(certificate),
            Err(error) => unreadable.push(error.to_string()),
        }
    }
    (certificates, unreadable)
}
