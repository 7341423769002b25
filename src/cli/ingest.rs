//! `shortfall ingest`.

use super::calendar::Calendar;
use super::landed::Landed;
use super::progress::Bar;
use super::twice;
use super::{Context, Exit, Failure, LakeArgument, OutputFormat, map, rejects, render};
use crate::ingest::{self, Input, Outcome, dry_run, export_run, fetch, mapped, plan};
use crate::lake::store::{is_url, local};
use crate::lake::{Lake, LakeError};
use crate::sources::SOURCES;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::json;
use std::collections::HashSet;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Files, folders, patterns, and URLs of stores: `s3://`, `gs://`, `az://`, `abfss://`, `file://`.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Take every file for an export of this system.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// When the files became known, if their names do not say.
    #[arg(long, value_name = "DATE")]
    recorded_at: Option<String>,
    /// A mapping file (TOML) for exports that no source knows; may be given several times.
    #[arg(long, value_name = "FILE")]
    mapping: Vec<PathBuf>,
    /// Folder with staging queries that replace the built-in ones.
    #[arg(long, value_name = "DIR")]
    queries: Option<PathBuf>,
    /// Say what would be landed, in which order, what is known already and what would be refused; change nothing.
    #[arg(long, visible_alias = "plan")]
    dry_run: bool,
    /// A line for each month in the summary, however long the history is.
    #[arg(long, conflicts_with = "dry_run")]
    by_month: bool,
}

/// A date, or an instant in RFC 3339; a date means its beginning.
pub(super) fn instant(text: &str) -> Result<DateTime<Utc>, Failure> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.and_time(NaiveTime::MIN).and_utc());
    }
    text.parse().map_err(|_| Failure::usage(format!("`{text}` is no date such as `2026-10-05`")))
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    for file in &arguments.mapping {
        mapped::file::load(file).map_err(|e| Failure::usage(e.to_string()))?;
    }
    if let Some(name) = &arguments.source
        && !SOURCES.iter().any(|source| source.system == name)
        && !mapped::all().iter().any(|map| map.source.system == name)
    {
        let known: Vec<&str> = SOURCES.iter().map(|s| s.system).collect();
        return Err(Failure::usage(format!("there is no source `{name}`")).hint(format!("known are {}", known.join(", "))));
    }
    let options = ingest::Options {
        system: arguments.source.clone(),
        recorded_at: arguments.recorded_at.as_deref().map(instant).transpose()?,
        threads: context.threads,
        queries: arguments.queries.clone(),
    };
    let inputs = inputs(context, arguments)?;
    if inputs.is_empty() {
        return Err(Failure::usage("there are no files in what was named").hint("folders are searched, hidden files left out"));
    }
    let bar = Bar::new();
    if arguments.dry_run {
        // A place that is no lake yet is one without files.
        let lake = match Lake::open(&arguments.lake.lake) {
            Ok(lake) => Some(lake),
            Err(LakeError::NotALake { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let planned = dry_run::plan(lake.as_ref(), &inputs, &options, context.runtime.handle(), &bar);
        bar.finish();
        return super::plan::print(context, &planned?);
    }
    let lake = Lake::create(&arguments.lake.lake)?;
    let outcomes = ingest::ingest_inputs(&lake, &inputs, &options, context.runtime.handle(), &bar);
    bar.finish();
    summary(context, &lake, &outcomes?, arguments.by_month)
}

/// Files and objects behind the arguments, in their order.
fn inputs(context: &Context, arguments: &Arguments) -> Result<Vec<Input>, Failure> {
    let (mut inputs, mut known) = (Vec::new(), HashSet::new());
    for argument in &arguments.paths {
        let text = argument.to_string_lossy();
        if is_url(&text) && !argument.exists() && local(&text).is_none() {
            let found = context.runtime.block_on(fetch::list(&text)).map_err(|e| Failure::usage(e.to_string()))?;
            inputs.extend(found.into_iter().map(Input::Remote));
            continue;
        }
        let path = local(&text).filter(|_| !argument.exists()).unwrap_or_else(|| argument.clone());
        let files = plan::files(&[path]).map_err(|e| Failure::usage(e.to_string()))?;
        let files = plan::outside(files, &arguments.lake.lake).into_iter().filter(|file| known.insert(file.clone()));
        inputs.extend(files.map(Input::Local));
    }
    Ok(inputs)
}

/// Files with rejects that are named; JSON names all.
const NAMED: usize = 5;

/// Reasons for which files were refused, each with its first file, and how many others it applies to.
pub(super) fn told_once(refused: &[(String, String)]) -> Vec<(&str, usize)> {
    let mut told: Vec<(String, &str, usize)> = Vec::new();
    for (file, reason) in refused {
        let without_file = reason.replace(&format!("`{file}`"), "");
        match told.iter_mut().find(|(known, _, _)| *known == without_file) {
            Some((_, _, others)) => *others += 1,
            None => told.push((without_file, reason, 0)),
        }
    }
    told.into_iter().map(|(_, reason, others)| (reason, others)).collect()
}

/// Prints what became of the files.
pub(super) fn summary(context: &Context, lake: &Lake, outcomes: &[(PathBuf, Outcome)], by_month: bool) -> Result<Exit, Failure> {
    let mut landed = Landed::default();
    let mut rejected_in = Vec::new();
    let mut refused = Vec::new();
    let mut passed_over = Vec::new();
    let (mut known, mut manifests) = (0_u64, 0_u64);
    for (path, outcome) in outcomes {
        match outcome {
            Outcome::Landed(batch) => {
                landed.take(batch);
                if batch.rows_rejected > 0 {
                    rejected_in.push((batch.file.clone(), batch.rows_rejected, batch.batch_id.as_str()));
                }
            }
            Outcome::Known => known += 1,
            Outcome::Refused(error) => refused.push((path.display().to_string(), error.to_string())),
            Outcome::Manifest => manifests += 1,
            Outcome::PassedOver => passed_over.push(path.display().to_string()),
        }
    }
    let named: Vec<&str> = rejected_in.iter().take(NAMED).map(|(_, _, batch)| *batch).collect();
    let reasons = rejects::reasons(context, lake, &named)?;
    // What was landed may need a mapping, or be one.
    let unmapped = if landed.is_empty() { Vec::new() } else { map::unmapped_money(context, lake)? };
    let mut doubts = context.runtime.block_on(export_run::doubts(lake, outcomes))?;
    if landed.exports().any(|export| export == ("azure_cost", "costs")) {
        doubts.extend(twice::actual_and_amortised(context, lake)?);
    }
    let calendar = if landed.has_months() { Calendar::read(context, lake, landed.exports())? } else { Calendar::default() };
    if context.output == OutputFormat::Json {
        let unmapped: Vec<_> = unmapped.iter().map(map::UnmappedMoney::document).collect();
        let refused: Vec<_> = refused.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect();
        let rejects: Vec<_> = rejected_in
            .iter()
            .map(|(file, rows, batch)| {
                let why = reasons.get(*batch);
                json!({ "file": file, "rows_rejected": rows, "column": why.map(|it| &it.column), "value": why.map(|it| &it.value),
                        "reason": why.map(|it| &it.reason) })
            })
            .collect();
        render::document(
            &json!({ "landed": landed.document(), "months": landed.months_document(), "watermarks": calendar.reach_document(),
                                  "gaps": calendar.gaps_document(), "already_known": known, "refused": refused, "files_with_rejects": rejects,
                                  "passed_over": passed_over, "manifests": manifests, "warnings": doubts, "unmapped": unmapped }),
        );
    } else {
        if !landed.is_empty() {
            landed.print(by_month);
        }
        if let Some(sentence) = calendar.reach_sentence() {
            render::lines(&sentence);
        }
        if known > 0 {
            render::lines(&format!("{known} files were ingested before and changed nothing"));
        }
        for unmapped in &unmapped {
            render::lines(&unmapped.sentence(&lake.root().display().to_string()));
        }
        if !passed_over.is_empty() {
            render::note(&format!("passed over, as they are no exports: {}", passed_over.join(", ")));
        }
        if manifests > 0 {
            render::note(&format!("left out: {manifests} manifests, which describe the files of exports and hold no rows"));
        }
        for doubt in &doubts {
            render::note(&format!("warning: {doubt}"));
        }
        for gap in calendar.warnings() {
            render::note(&format!("warning: {gap}"));
        }
        for (file, rows, batch) in rejected_in.iter().take(NAMED) {
            let why = reasons.get(*batch).map_or_else(String::new, |why| format!(", {}", why.sentence()));
            render::note(&format!("warning: {rows} rows of `{file}` were rejected{why}"));
        }
        if let Some(others) = rejected_in.get(NAMED..).filter(|others| !others.is_empty()) {
            let rows: u64 = others.iter().map(|(_, rows, _)| rows).sum();
            render::note(&format!("warning: {rows} rows of {} more files were rejected", others.len()));
        }
        if !rejected_in.is_empty() {
            render::note(
                "hint: `shortfall sql --lake DIR \"SELECT * FROM core.reject\"` shows each with column, value and reason",
            );
        }
        for (reason, others) in told_once(&refused) {
            let more = if others == 0 { String::new() } else { format!(" (the same holds for {others} more files)") };
            render::note(&format!("warning: not ingested: {reason}{more}"));
        }
        if !refused.is_empty() {
            render::note("hint: `shortfall sources` lists what is understood");
        }
    }
    if landed.is_empty() && known == 0 && !refused.is_empty() {
        if context.output == OutputFormat::Json {
            // The document above says it all; a second one could not be parsed.
            return Ok(Exit::Unusable);
        }
        return Err(Failure::usage("none of the files could be used"));
    }
    Ok(if refused.is_empty() && rejected_in.is_empty() { Exit::Done } else { Exit::Rejected })
}
