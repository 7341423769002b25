//! Who may call: whoever sends the password as bearer token, or with any user name in a Basic header.
//!
//! Drivers that are given a user name and a password exchange them for a token first
//! ([Flight, authentication](https://arrow.apache.org/docs/format/Flight.html#authentication)); the token they get is the password itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};

/// The password, where there is one.
#[derive(Clone)]
pub(super) struct Token {
    password: Option<Arc<str>>,
}

impl Token {
    pub(super) fn new(password: Option<&str>) -> Self {
        Self { password: password.map(Arc::from) }
    }

    /// Lets a call pass, or says `UNAUTHENTICATED`.
    pub(super) fn admit(&self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(password) = &self.password else { return Ok(request) };
        let refused =
            || Status::unauthenticated("send the password as `authorization: Bearer ...`, or as the password of any user");
        let header = request.metadata().get("authorization").and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
        let said = match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.to_owned(),
            Some((scheme, encoded)) if scheme.eq_ignore_ascii_case("basic") => {
                let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let pair = decoded.ok_or_else(refused)?;
                pair.split_once(':').ok_or_else(refused)?.1.to_owned()
            }
            _ => return Err(refused()),
        };
        // Hashes are of one length, and compared in a time that says nothing.
        let is_right: bool = Sha256::digest(said.as_bytes()).ct_eq(&Sha256::digest(password.as_bytes())).into();
        if is_right { Ok(request) } else { Err(refused()) }
    }

    /// What a handshake gives back for `authorization`.
    pub(super) fn bearer(&self) -> Option<MetadataValue<tonic::metadata::Ascii>> {
        let token = self.password.as_deref().unwrap_or("open");
        let mut value: MetadataValue<_> = format!("Bearer {token}").parse().ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(password: Option<&str>, header: Option<&str>) -> bool {
        let mut request = Request::new(());
        if let Some(header) = header {
            request.metadata_mut().insert("authorization", header.parse().expect("ASCII"));
        }
        Token::new(password).admit(request).is_ok()
    }

    #[test]
    fn bearer_and_basic_with_the_password_and_nothing_else() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for right in ["Bearer horse".to_owned(), "bearer horse".to_owned(), basic("any:horse"), basic(":horse")] {
            assert!(admits(Some("horse"), Some(&right)), "{right}");
        }
        let wrong = ["Bearer hors", "Bearer horse ", "Bearer", "Bearer ", "horse", "Basic horse", "Basic ?", "Digest horse", ""];
        for wrong in wrong.map(str::to_owned).into_iter().chain([basic("horse"), basic("horse:"), basic("any:horses")]) {
            assert!(!admits(Some("horse"), Some(&wrong)), "{wrong}");
        }
        assert!(!admits(Some("horse"), None));
        assert!(admits(None, None));
    }
}
