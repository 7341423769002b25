//! Whom to tell: a URL, of which only the host is ever shown, and the format that its owner reads.

use super::signature::Secret;
use sha2::{Digest, Sha256};
use url::{Host, Url};

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A document for programs, signed.
    Json,
    /// A message of Slack's Block Kit.
    Slack,
    /// An Adaptive Card for Microsoft Teams.
    Teams,
}

impl Format {
    /// Its name, as `--notify-format` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
            Self::Teams => "teams",
        }
    }

    /// The format that a host is known to read; JSON for all others.
    fn of_host(host: &str) -> Self {
        let is_within = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if ["hooks.slack.com", "hooks.slack-gov.com"].into_iter().any(is_within) {
            Self::Slack
        } else if ["webhook.office.com", "logic.azure.com", "powerplatform.com"].into_iter().any(is_within) {
            Self::Teams
        } else {
            Self::Json
        }
    }
}

/// A receiver.
#[derive(Clone)]
pub struct Target {
    pub(super) url: Url,
    /// How it is told.
    pub format: Format,
    /// Signs JSON.
    pub(super) secret: Option<Secret>,
}

/// Why a receiver is refused; nothing of its URL but the host is repeated.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// No URL.
    #[error("the URL of `--notify` cannot be read: {0}")]
    NotAUrl(url::ParseError),
    /// Neither `https` nor this machine.
    #[error("`{host}` must be reached by https; plain http is for this machine only")]
    NotSafe {
        /// The host.
        host: String,
    },
    /// JSON without a secret.
    #[error("what is sent to `{host}` must be signed, and there is no secret to sign it with")]
    NotSigned {
        /// The host.
        host: String,
    },
}

impl Target {
    /// A receiver; its format follows from the host where none is stated.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn new(url: &str, format: Option<Format>, secret: Option<&Secret>) -> Result<Self, TargetError> {
        let url = Url::parse(url.trim()).map_err(TargetError::NotAUrl)?;
        let Some(host) = url.host_str().map(str::to_owned) else { return Err(TargetError::NotAUrl(url::ParseError::EmptyHost)) };
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_this_machine(&url));
        if !is_safe {
            return Err(TargetError::NotSafe { host });
        }
        let format = format.unwrap_or_else(|| Format::of_host(&host));
        let secret = secret.filter(|_| format == Format::Json).cloned();
        if format == Format::Json && secret.is_none() {
            return Err(TargetError::NotSigned { host });
        }
        Ok(Self { url, format, secret })
    }

    /// Host and port: all of it that may be shown.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether it is a loopback address.
    pub(super) fn is_this_machine(&self) -> bool {
        is_this_machine(&self.url)
    }

    /// A name for files: a hash, from which the URL does not follow.
    pub(super) fn fingerprint(&self) -> String {
        crate::lake::archive::hex(&Sha256::digest(self.url.as_str())[..8])
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("host", &self.host()).field("format", &self.format).finish_non_exhaustive()
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::parse("a passphrase of thirty-two bytes").expect("a secret")
    }

    fn format(url: &str) -> Format {
        Target::new(url, None, Some(&secret())).expect(url).format
    }

    #[test]
    fn formats_are_recognised_by_the_whole_domain() {
        assert_eq!(format("https://hooks.slack.com/services/T0/B0/x"), Format::Slack);
        assert_eq!(format("https://HOOKS.slack.com./services/T0"), Format::Json);
        assert_eq!(format("https://contoso.webhook.office.com/webhookb2/x"), Format::Teams);
        assert_eq!(format("https://prod-12.westeurope.logic.azure.com:443/workflows/x?sig=y"), Format::Teams);
        assert_eq!(format("https://default1.environment.api.powerplatform.com/x"), Format::Teams);
        assert_eq!(format("https://hooks.slack.com.example.org/x"), Format::Json);
        assert_eq!(format("https://nothooks.slack.com/x"), Format::Json);
        let stated = Target::new("https://hooks.slack.com/x", Some(Format::Json), Some(&secret())).expect("a target");
        assert_eq!(stated.format, Format::Json);
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for url in ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]:9/x", "https://example.org/x"] {
            Target::new(url, Some(Format::Slack), None).expect(url);
        }
        for url in ["http://example.org/x", "http://10.0.0.1/x", "ftp://127.0.0.1/x", "http://localhost.example.org/"] {
            let refused = Target::new(url, Some(Format::Slack), None).map(drop);
            assert!(matches!(refused, Err(TargetError::NotSafe { .. })), "{url}: {refused:?}");
        }
    }

    #[test]
    fn no_error_and_no_debug_repeats_the_path() {
        let url = "http://example.org/services/SECRET?sig=SECRET";
        let said = format!("{:?}", Target::new(url, None, None));
        let unsigned = format!("{:?}", Target::new("https://example.org/SECRET", None, None));
        let debug = format!("{:?}", Target::new("https://u:SECRET@example.org:8443/SECRET", Some(Format::Slack), None));
        let broken = format!("{:?}", Target::new("SECRET", None, None));
        for text in [&said, &unsigned, &debug, &broken] {
            assert!(!text.contains("SECRET"), "{text}");
        }
        assert!(debug.contains("example.org:8443"), "{debug}");
    }
}
