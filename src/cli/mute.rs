//! `shortfall mute` and `shortfall unmute`.

use super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use crate::findings::Finding;
use crate::findings::analyze::findings_of;
use crate::findings::earlier::id_of;
use crate::findings::marts;
use crate::findings::mute::{Mute, decide, in_force};
use crate::findings::status::{is_open, money};
use crate::lake::Lake;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A mute ends by itself when the analysed data are newer than --until, when a quarter costs more than the one that was muted, \
                        and when the leak has stopped and returns. `shortfall findings --muted` lists what is muted."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Id of a finding, or its beginning.
    finding_id: String,
    /// Why it is left alone, for whoever asks later.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Last day of data for which it is left alone; for good without it.
    #[arg(long, value_name = "DATE")]
    until: Option<NaiveDate>,
}

#[derive(Debug, clap::Args)]
pub(super) struct UnmuteArguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Id of a muted finding, or its beginning.
    finding_id: String,
    /// Why it is listed again.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.reason.trim().is_empty() {
        return Err(Failure::usage("--reason is empty").hint("say why the finding is left alone"));
    }
    let lake = Lake::open(&arguments.lake.lake)?;
    let finding = newest(context, &lake, &arguments.finding_id)?;
    if !is_open(&finding) {
        return Err(Failure::usage(format!("finding `{}` is resolved; there is nothing to mute", finding.finding_id)));
    }
    let mute = Mute {
        finding_id: id_of(&finding),
        is_muted: true,
        reason: arguments.reason.trim().to_owned(),
        until: arguments.until,
        quarter: finding.quarter,
        money: money(&finding),
        currency: finding.currency.clone(),
        decided_at: now(),
    };
    context.runtime.block_on(decide(&lake, &mute))?;
    said(context, &mute);
    Ok(Exit::Done)
}

pub(super) fn run_unmute(context: &Context, arguments: &UnmuteArguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let muted = context.runtime.block_on(in_force(&lake))?;
    let mut chosen = muted.into_values().filter(|mute| mute.finding_id.starts_with(&arguments.finding_id));
    let (Some(mute), None) = (chosen.next(), chosen.next()) else {
        return Err(Failure::usage(format!("`{}` is not the id of one muted finding", arguments.finding_id))
            .hint("`shortfall findings --muted` lists them"));
    };
    let mute = Mute { is_muted: false, reason: arguments.reason.trim().to_owned(), until: None, decided_at: now(), ..mute };
    context.runtime.block_on(decide(&lake, &mute))?;
    said(context, &mute);
    Ok(Exit::Done)
}

/// The finding of this id, or beginning of an id, in the newest run that has it.
fn newest(context: &Context, lake: &Lake, id: &str) -> Result<Finding, Failure> {
    let runs = context.runtime.block_on(marts::runs(lake))?;
    for run in runs.iter().rev() {
        let findings = context.runtime.block_on(findings_of(lake, run))?;
        let mut found = findings.into_iter().filter(|finding| finding.finding_id.starts_with(id));
        match (found.next(), found.next()) {
            (Some(finding), None) => return Ok(finding),
            (Some(a), Some(b)) => {
                return Err(Failure::usage(format!("`{id}` begins several ids: {}, {}, ...", a.finding_id, b.finding_id)));
            }
            _ => {}
        }
    }
    Err(Failure::usage(format!("there is no finding `{id}`")).hint("`shortfall findings` lists them"))
}

#[expect(clippy::disallowed_methods, reason = "when somebody decided is a fact of its own; no result depends on it")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

fn said(context: &Context, mute: &Mute) {
    let until = mute.until.map(|day| day.to_string());
    if context.output == OutputFormat::Json {
        render::document(
            &json!({ "finding_id": mute.finding_id, "is_muted": mute.is_muted, "reason": mute.reason, "until": until,
                                  "quarter": mute.quarter.to_string(), "money": mute.money.to_string(), "currency": mute.currency }),
        );
    } else if mute.is_muted {
        let until = until.map_or_else(|| "for good".to_owned(), |day| format!("until {day}"));
        let (money, currency, quarter) = (mute.money, &mute.currency, mute.quarter);
        render::lines(&format!("muted {} ({money} {currency} in {quarter}) {until}: {}", mute.finding_id, mute.reason));
    } else {
        render::lines(&format!("{} is listed again", mute.finding_id));
    }
}
