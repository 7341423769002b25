//! Who may connect: password and certificate, and where neither is needed.
//!
//! On a loopback address anybody on this machine may read without a password. Any other address needs both a password and TLS, and a client that
//! skips TLS there is refused.

use datafusion_postgres::pgwire::tokio::TlsAcceptor;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The password, and what TLS needs.
#[derive(Clone, Default)]
pub struct Access {
    /// What clients have to know; nothing where anybody on this machine may read.
    pub password: Option<String>,
    /// Certificate chain and key, as PEM files.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// A password never stands in a log.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("password", &self.password.as_ref().map(|_| "...")).field("tls", &self.tls).finish()
    }
}

/// Why nothing can be served like that.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Others than this machine would read it without a password, or in clear text.
    #[error("`{address}` can be reached from other machines: that needs {lacks}")]
    Open {
        /// The address.
        address: SocketAddr,
        /// What is missing.
        lacks: &'static str,
    },
    /// A file of the certificate cannot be used.
    #[error("`{}` is no {wanted}: {detail}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What is wrong.
        detail: String,
    },
}

impl Access {
    /// Whether an address may be served like that.
    ///
    /// # Errors
    /// [`AccessError::Open`] if others could read without a password or in clear text.
    pub fn check(&self, address: SocketAddr) -> Result<(), AccessError> {
        let lacks = match (&self.password, &self.tls) {
            _ if address.ip().is_loopback() => return Ok(()),
            (Some(_), Some(_)) => return Ok(()),
            (None, None) => "a password and TLS",
            (None, Some(_)) => "a password",
            (Some(_), None) => "TLS",
        };
        Err(AccessError::Open { address, lacks })
    }

    /// What speaks TLS, and one of these protocols in it; nothing without a certificate.
    pub(super) fn acceptor(&self, protocols: &[&[u8]]) -> Result<Option<TlsAcceptor>, AccessError> {
        let Some((chain, key)) = &self.tls else { return Ok(None) };
        let bad = |path: &Path, wanted: &'static str, detail: &dyn fmt::Display| AccessError::Pem {
            path: path.to_owned(),
            wanted,
            detail: detail.to_string(),
        };
        let certificate = |e: &dyn fmt::Display| bad(chain, "certificate chain in PEM", e);
        let chain_of = CertificateDer::pem_file_iter(chain).map_err(|e| certificate(&e))?;
        let certificates = chain_of.collect::<Result<Vec<_>, _>>().map_err(|e| certificate(&e))?;
        if certificates.is_empty() {
            return Err(certificate(&"it holds none"));
        }
        let private = PrivateKeyDer::from_pem_file(key).map_err(|e| bad(key, "private key in PEM", &e))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| certificate(&e))?
            .with_no_client_auth()
            .with_single_cert(certificates, private)
            .map_err(|e| bad(key, "key of the certificate", &e))?;
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Ok(Some(TlsAcceptor::from(Arc::new(config))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_need_password_and_tls() {
        let tls = Some((PathBuf::from("c"), PathBuf::from("k")));
        let password = Some("x".to_owned());
        let may = |password: &Option<String>, tls: &Option<(PathBuf, PathBuf)>, address: &str| {
            let access = Access { password: password.clone(), tls: tls.clone() };
            access.check(address.parse().expect("an address")).is_ok()
        };
        for address in ["127.0.0.1:5432", "127.8.8.8:1", "[::1]:5432"] {
            assert!(may(&None, &None, address));
        }
        for address in ["0.0.0.0:5432", "10.0.0.1:5432", "[::]:5432", "[::ffff:127.0.0.1]:5432"] {
            assert!(!may(&None, &None, address) && !may(&password, &None, address) && !may(&None, &tls, address), "{address}");
            assert!(may(&password, &tls, address));
        }
        assert!(!format!("{:?}", Access { password: Some("hunter2".to_owned()), tls: None }).contains("hunter2"));
    }
}
