//! Signatures of webhooks, after the Standard Webhooks specification: `v1,` and Base64 of HMAC-SHA256 over `id.timestamp.body`.
//!
//! A receiver checks them with any library of that specification (standardwebhooks.com), and refuses what is older than it likes by the
//! timestamp, which is that of the attempt.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// Shortest key in bytes: 192 bits, as the specification asks.
const SHORTEST: usize = 24;

/// A signing secret; its `Debug` does not show it.
#[derive(Clone)]
pub struct Secret {
    key: hmac::Key,
}

/// Why a text is no signing secret; the text is not repeated.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// Not Base64 after the prefix.
    #[error("what follows `whsec_` in the signing secret is not Base64")]
    NotBase64,
    /// Too short to be safe.
    #[error("the signing secret is shorter than {SHORTEST} bytes")]
    TooShort,
}

impl Secret {
    /// From `whsec_` and Base64, else from the text's own bytes.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?,
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < SHORTEST {
            return Err(SecretError::TooShort);
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }

    /// The value of the header `webhook-signature`; the timestamp is in seconds since 1970.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut signed = format!("{id}.{timestamp}.").into_bytes();
        signed.extend_from_slice(body);
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.key, &signed)))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the reference libraries of Standard Webhooks are tested with.
    #[test]
    fn signs_as_the_specification_does() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_raw_secret_is_its_own_bytes() {
        let raw = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("Base64");
        assert!(String::from_utf8(raw).is_err(), "a secret of the specification is no text");
        let (text, encoded) = ("a passphrase of thirty-two bytes", "whsec_YSBwYXNzcGhyYXNlIG9mIHRoaXJ0eS10d28gYnl0ZXM=");
        let signed = [text, encoded].map(|secret| Secret::parse(secret).expect("a secret").sign("msg_1", 1, b"{}"));
        assert_eq!(signed[0], signed[1]);
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        assert_eq!(Secret::parse("whsec_%%%").map(drop), Err(SecretError::NotBase64));
        assert_eq!(Secret::parse("short").map(drop), Err(SecretError::TooShort));
        assert_eq!(Secret::parse("").map(drop), Err(SecretError::TooShort));
        assert_eq!(format!("{:?}", Secret::parse("a passphrase of thirty-two bytes")), "Ok(Secret)");
    }
}
