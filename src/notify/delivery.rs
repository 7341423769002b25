//! Delivers a message: a POST with a bound on every wait, tried again where that may help.
//!
//! | answer | then |
//! | --- | --- |
//! | 2xx | delivered |
//! | 429, 5xx, no connection, no answer in time | again, after 1, 2 and 4 seconds or what `Retry-After` asks for, up to 30 |
//! | `Retry-After` of more | given up |
//! | any other 4xx, a redirect | given up: the same request would get the same answer |
//!
//! At most four attempts of ten seconds each, so a receiver that never answers holds a run up for less than a minute, one that asks for
//! patience for some two. All attempts carry the same `webhook-id` and body, each its own timestamp and signature.

use super::target::{Format, Target};
use super::{Alert, webhook};
use backon::{ExponentialBuilder, Retryable as _};
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use std::time::Duration;

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For one attempt as a whole.
    pub attempt: Duration,
    /// Before the second attempt; twice as long before each further one.
    pub pause: Duration,
    /// Longest pause, also where the receiver asks for one.
    pub longest_pause: Duration,
    /// Attempts after the first.
    pub retries: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(10),
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            retries: 3,
        }
    }
}

/// Why a message was not delivered. Names no more of the receiver than the host that the caller adds.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeliveryError {
    /// No connection, or a broken one.
    #[error("could not reach it: {detail}")]
    Unreachable {
        /// The root of the trouble.
        detail: String,
    },
    /// No answer in time.
    #[error("no answer within {} seconds", within.as_secs_f64())]
    NoAnswer {
        /// The bound.
        within: Duration,
    },
    /// An answer that is no success.
    #[error("it answered {status}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it asks to be waited.
        retry_after: Option<Duration>,
    },
    /// Nothing could be sent.
    #[error("the request could not be made: {detail}")]
    NoRequest {
        /// Why.
        detail: String,
    },
}

impl DeliveryError {
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoAnswer { .. } => true,
            Self::Refused { status, .. } => *status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error(),
            Self::NoRequest { .. } => false,
        }
    }
}

/// Delivers an alert; `clock` dates each attempt. Returns how many attempts it took.
///
/// # Errors
/// [`DeliveryError`] of the last attempt.
pub async fn deliver(
    alert: &Alert,
    target: &Target,
    patience: Patience,
    clock: fn() -> DateTime<Utc>,
) -> Result<usize, DeliveryError> {
    let no_request = |detail: String| DeliveryError::NoRequest { detail };
    let sent_at = clock().to_rfc3339_opts(SecondsFormat::Secs, true);
    let body = alert.body(target.format, &sent_at).map_err(|e| no_request(e.to_string()))?;
    let mut client = Client::builder()
        .user_agent(concat!("shortfall/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(patience.connect)
        .timeout(patience.attempt)
        .redirect(Policy::none());
    if target.is_this_machine() {
        client = client.no_proxy(); // what is not encrypted stays on this machine
    }
    let client = client.build().map_err(|e| no_request(root(&e)))?;
    let id = webhook::id(alert, target.url.as_str());
    let mut attempts = 0;
    let attempt = || {
        attempts += 1;
        post(&client, target, &id, body.clone(), patience, clock)
    };
    let pauses = ExponentialBuilder::default()
        .with_min_delay(patience.pause)
        .with_max_delay(patience.longest_pause)
        .with_max_times(patience.retries);
    let longest = patience.longest_pause;
    attempt
        .retry(pauses)
        .when(DeliveryError::may_pass)
        .adjust(|error, pause| match error {
            DeliveryError::Refused { retry_after: Some(asked), .. } => {
                pause.map(|own| own.max(*asked)).filter(|pause| *pause <= longest)
            }
            _ => pause,
        })
        .await?;
    Ok(attempts)
}

async fn post(
    client: &Client,
    target: &Target,
    id: &str,
    body: Vec<u8>,
    patience: Patience,
    clock: fn() -> DateTime<Utc>,
) -> Result<(), DeliveryError> {
    let mut request = client.post(target.url.clone()).header(CONTENT_TYPE, "application/json");
    if let (Format::Json, Some(secret)) = (target.format, &target.secret) {
        let at = clock().timestamp();
        request = request
            .header("webhook-id", id)
            .header("webhook-timestamp", at)
            .header("webhook-signature", secret.sign(id, at, &body));
    }
    let answer = request.body(body).send().await.map_err(|e| {
        if e.is_timeout() {
            DeliveryError::NoAnswer { within: patience.attempt }
        } else if e.is_builder() {
            DeliveryError::NoRequest { detail: root(&e) }
        } else {
            DeliveryError::Unreachable { detail: root(&e) }
        }
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(DeliveryError::Refused { status, retry_after: retry_after(answer.headers(), clock()) })
}

/// Seconds or a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    Some((until.to_utc() - now).to_std().unwrap_or_default())
}

/// The innermost cause: the outer ones of this client repeat the URL.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if cause.is::<reqwest::Error>() { "the client refused it".to_owned() } else { cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_asks_for_seconds_or_a_date() {
        let now = DateTime::from_timestamp(1_445_412_440, 0).expect("an instant"); // 21 Oct 2015 07:27:20
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("a header"));
            retry_after(&headers, now)
        };
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(40)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
