//! `analyze --notify`: whom to tell, and what became of it.

use super::{Context, Failure, OutputFormat, render};
use crate::findings::Finding;
use crate::findings::analyze::Analysis;
use crate::findings::changes::{Change, known};
use crate::findings::marts::{self, Run};
use crate::findings::status::{is_open, money};
use crate::lake::Lake;
use crate::notify::delivery::{Patience, deliver};
use crate::notify::signature::Secret;
use crate::notify::target::{Format, Target, TargetError};
use crate::notify::unsent::Unsent;
use crate::notify::{Alert, totals};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The environment's signing secret.
const SECRET: &str = "SHORTFALL_NOTIFY_SECRET";

#[derive(Debug, clap::Args)]
pub(super) struct NotifyArguments {
    /// URL to tell of new and worsened findings; may be given several times. Only its host is ever shown.
    #[arg(long = "notify", value_name = "URL", env = "SHORTFALL_NOTIFY", hide_env_values = true, value_delimiter = ' ')]
    urls: Vec<String>,
    /// How they are told; by default what the URL's host reads, and signed JSON for hosts that are not known.
    #[arg(long = "notify-format", value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// File whose first line is the secret that signs JSON (`whsec_...`, or any text of 24 bytes or more); `SHORTFALL_NOTIFY_SECRET` works too.
    #[arg(long = "notify-secret-file", value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// Receivers, and the runs that were there before the analysis.
pub(super) struct Receivers {
    targets: Vec<(Target, Unsent)>,
    runs: Vec<Run>,
}

/// What became of the news for one receiver.
pub(super) struct Told {
    host: String,
    format: Format,
    new: usize,
    worsened: usize,
    error: Option<String>,
}

impl Told {
    /// Whether something was to be sent and did not arrive.
    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// For programs.
    pub(super) fn document(&self) -> Value {
        let is_sent = self.error.is_none() && self.new + self.worsened > 0;
        json!({ "host": self.host, "format": self.format.name(), "new": self.new, "worsened": self.worsened, "sent": is_sent, "error": self.error })
    }

    /// For people: a failure, however results are printed, where errors go; what was sent, where text is printed.
    pub(super) fn say(&self, context: &Context) {
        let host = &self.host;
        match &self.error {
            Some(error) => render::note(&format!(
                "warning: the alert for {host} was not delivered: {error}. The analysis is in the lake; the same command sends it again"
            )),
            None if context.output == OutputFormat::Json => {}
            None if self.new + self.worsened == 0 => {
                render::lines(&format!("alerts: nothing is new or worse; nothing was sent to {host}"))
            }
            None => render::lines(&format!("alerts: {host} was told of {} new and {} worse findings", self.new, self.worsened)),
        }
    }
}

/// Reads whom to tell, before anything is computed.
pub(super) fn receivers(context: &Context, lake: &Lake, arguments: &NotifyArguments) -> Result<Receivers, Failure> {
    if arguments.urls.is_empty() {
        return Ok(Receivers { targets: Vec::new(), runs: Vec::new() });
    }
    let secret = secret(arguments.secret_file.as_deref())?;
    let runs = context.runtime.block_on(marts::runs(lake))?;
    let newest = runs.last().map_or(0, |run| run.number);
    let targets = arguments.urls.iter().map(|url| Target::new(url, arguments.format, secret.as_ref()));
    let targets: Vec<Target> = targets.collect::<Result<_, _>>()?;
    let mut marked = Vec::with_capacity(targets.len());
    for target in targets {
        let mark = Unsent::mark(lake, &target, newest)
            .map_err(|e| Failure::environment(format!("could not note in the lake whom to tell: {e}")))?;
        marked.push((target, mark));
    }
    Ok(Receivers { targets: marked, runs })
}

impl Receivers {
    /// Nothing was analysed, so there is nothing to tell.
    pub(super) fn forget(self) {
        for (_, mark) in self.targets {
            mark.forget();
        }
    }

    /// Tells each of them what it does not know yet, all at once.
    pub(super) fn tell(
        self,
        context: &Context,
        lake: &Lake,
        lake_argument: &Path,
        analysis: &Analysis,
    ) -> Result<Vec<Told>, Failure> {
        if self.targets.is_empty() {
            return Ok(Vec::new());
        }
        let known = context.runtime.block_on(known(lake, &self.runs))?;
        let open: Vec<&Finding> = analysis.findings.iter().filter(|finding| is_open(finding)).collect();
        let alert = |mut changes: Vec<Change>| {
            changes.sort_by_key(|change| std::cmp::Reverse(money(&change.finding)));
            Alert {
                run_id: analysis.run_id.clone(),
                quarter: analysis.quarter,
                lake: lake.root().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
                lake_argument: in_shell(&lake_argument.display().to_string()),
                changes,
                quarter_totals: totals(open.iter().map(|finding| (*finding, money(finding)))),
            }
        };
        let each = self.targets.into_iter().map(|(target, mark)| {
            let alert = alert(known.changes(&analysis.findings, mark.until));
            tell(alert, target, mark)
        });
        Ok(context.runtime.block_on(futures::future::join_all(each)))
    }
}

async fn tell(alert: Alert, target: Target, mark: Unsent) -> Told {
    let error = if alert.changes.is_empty() {
        None
    } else {
        deliver(&alert, &target, Patience::default(), now).await.err().map(|e| e.to_string())
    };
    if error.is_none() {
        // A mark that stays makes the next alert say this once more.
        let _ = mark.told();
    }
    let new = alert.n_new();
    Told { host: target.host(), format: target.format, new, worsened: alert.changes.len() - new, error }
}

#[expect(clippy::disallowed_methods, reason = "signatures carry the instant of sending; no result depends on it")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// An argument as a POSIX shell reads it.
fn in_shell(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The secret of the file, else of the environment; an empty one is none.
fn secret(file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    let text = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|e| Failure::usage(format!("could not read `{}`: {e}", path.display())))?;
            text.lines().next().unwrap_or_default().trim().to_owned()
        }
        None => std::env::var(SECRET).unwrap_or_default().trim().to_owned(),
    };
    if text.is_empty() && file.is_none() {
        return Ok(None);
    }
    Secret::parse(&text).map(Some).map_err(|e| {
        Failure::usage(e.to_string()).hint("`echo whsec_$(openssl rand -base64 32)` makes one; the receiver checks with the same")
    })
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::NotSigned { .. } => Self::usage(error.to_string()).hint(
                "set SHORTFALL_NOTIFY_SECRET or --notify-secret-file; or say --notify-format slack or teams, if that is what it reads",
            ),
            error => Self::usage(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_survive_a_shell() {
        assert_eq!(in_shell("data/out/lake"), "data/out/lake");
        assert_eq!(in_shell("my lake"), "'my lake'");
        assert_eq!(in_shell("it's;rm"), "'it'\\''s;rm'");
    }
}
