//! `shortfall ingest --dry-run`: what an ingest would do.

use super::ingest::told_once;
use super::{Context, Exit, Failure, OutputFormat, render};
use crate::ingest::dry_run::{Fate, Planned};
use crate::ingest::schedule::Step;
use chrono::NaiveDate;
use indicatif::HumanBytes;
use serde_json::json;
use std::collections::BTreeMap;

/// Of one export: what would be landed of it.
#[derive(Default)]
struct Part {
    new: u64,
    bytes: u64,
    known: u64,
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
}

/// Prints a plan. Exit codes are those that the ingest would have, as far as they can be told beforehand: rejected rows cannot.
pub(super) fn print(context: &Context, planned: &[Planned]) -> Result<Exit, Failure> {
    let mut parts: BTreeMap<(u32, &str, &str), (Step, Part)> = BTreeMap::new();
    let (mut refused, mut passed_over) = (Vec::new(), Vec::new());
    let (mut new, mut bytes, mut known, mut manifests) = (0_u64, 0_u64, 0_u64, 0_u64);
    for file in planned {
        match &file.fate {
            Fate::Refused(error) => refused.push((file.file.display().to_string(), error.to_string())),
            Fate::PassedOver => passed_over.push(file.file.display().to_string()),
            Fate::Manifest => manifests += 1,
            Fate::New | Fate::Known | Fate::Unread => {
                let (system, entity) = file.export.unwrap_or(("unknown", "-"));
                let (_, part) = parts.entry((file.step.number(), system, entity)).or_insert_with(|| (file.step, Part::default()));
                if matches!(file.fate, Fate::Known) {
                    known += 1;
                    part.known += 1;
                    continue;
                }
                new += 1;
                bytes += file.bytes;
                part.new += 1;
                part.bytes += file.bytes;
                part.first = [part.first, file.dated].into_iter().flatten().min();
                part.last = [part.last, file.dated].into_iter().flatten().max();
            }
        }
    }
    if context.output == OutputFormat::Json {
        let parts: Vec<_> = parts
            .iter()
            .map(|((number, system, entity), (step, part))| {
                json!({ "step": number, "what": step.title(), "system": system, "entity": entity, "new": part.new, "bytes": part.bytes,
                        "already_known": part.known, "first": part.first, "last": part.last })
            })
            .collect();
        let is_landed = |file: &&Planned| matches!(file.fate, Fate::New | Fate::Unread);
        let order: Vec<_> = planned
            .iter()
            .filter(is_landed)
            .map(|file| {
                let (system, entity) = file.export.unzip();
                json!({ "file": file.file, "step": file.step.number(), "system": system, "entity": entity, "bytes": file.bytes,
                        "dated": file.dated })
            })
            .collect();
        let refused: Vec<_> = refused.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect();
        render::document(
            &json!({ "dry_run": true, "new": new, "bytes": bytes, "already_known": known, "exports": parts, "order": order,
                                  "refused": refused, "passed_over": passed_over, "manifests": manifests }),
        );
    } else {
        text(&parts, new, bytes, known);
        if !passed_over.is_empty() {
            render::note(&format!("passed over, as they are no exports: {}", passed_over.join(", ")));
        }
        if manifests > 0 {
            render::note(&format!("left out: {manifests} manifests, which describe the files of exports and hold no rows"));
        }
        for (reason, others) in told_once(&refused) {
            let more = if others == 0 { String::new() } else { format!(" (the same holds for {others} more files)") };
            render::note(&format!("warning: would not be ingested: {reason}{more}"));
        }
        if !refused.is_empty() {
            render::note("hint: `shortfall sources` lists what is understood");
        }
    }
    if new == 0 && known == 0 && !refused.is_empty() {
        if context.output == OutputFormat::Json {
            return Ok(Exit::Unusable);
        }
        return Err(Failure::usage("none of the files could be used"));
    }
    Ok(if refused.is_empty() { Exit::Done } else { Exit::Rejected })
}

fn text(parts: &BTreeMap<(u32, &str, &str), (Step, Part)>, new: u64, bytes: u64, known: u64) {
    if !parts.is_empty() {
        let date = |date: Option<NaiveDate>| date.map_or_else(|| "unknown".to_owned(), |date| date.to_string());
        let rows: Vec<Vec<String>> = parts
            .iter()
            .map(|((number, system, entity), (step, part))| {
                let (first, last) = match part.new {
                    0 => ("-".to_owned(), "-".to_owned()),
                    _ => (date(part.first), date(part.last)),
                };
                vec![
                    format!("{number} {}", step.title()),
                    (*system).to_owned(),
                    (*entity).to_owned(),
                    part.new.to_string(),
                    HumanBytes(part.bytes).to_string(),
                    part.known.to_string(),
                    first,
                    last,
                ]
            })
            .collect();
        render::table(
            &["step", "system", "export", "new files", "size", "known", "first dated", "last dated"],
            &rows,
            &[3, 4, 5],
        );
    }
    render::lines(&format!("would land {new} files ({}); {known} are known already; nothing was changed", HumanBytes(bytes)));
    if parts.keys().map(|(number, ..)| number).max() > parts.keys().map(|(number, ..)| number).min() {
        render::lines(
            "order: steps 1 to 4 are what the others rest on and come first, each in order of time; then month by month 5 (usage and cost) before 6 (invoices)",
        );
    }
}
