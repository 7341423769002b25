//! `shortfall map suggest`: candidates for what is unmapped; `--accept` writes the unambiguous ones as a crosswalk and the rest for review.
//!
//! Customers are suggested by name and domain; services by the quantities of all months (bundles, unit factors) and by name, which is never
//! enough for a service: a name does not tell how many units a SKU holds. Nothing takes effect here.

use super::super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use super::lake::{Reader, Unmapped, money_text};
use super::{Kind, bundles, draft, review, table};
use crate::identity::bundles::Evidence;
use crate::identity::register::{Customer, Register};
use crate::identity::suggest::{Candidate, Suggestion, Verdict, suggest};
use crate::lake::Lake;
use rust_decimal::Decimal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    lake: LakeArgument,
    /// Suggest customers or services.
    #[arg(long, value_enum, default_value = "customers")]
    kind: Kind,
    /// Candidates for each id.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=20))]
    top: u8,
    /// Write the unambiguous suggestions to `--out` as a crosswalk, the others beside it as `*.review.csv`.
    #[arg(long, requires = "out")]
    accept: bool,
    /// Crosswalk to write.
    #[arg(short = 'o', long = "out", value_name = "FILE", requires = "accept")]
    out: Option<PathBuf>,
    /// Share by which quantities of a bundle may differ, such as 0.01.
    #[arg(long, default_value = "0", value_name = "SHARE")]
    tolerance: Decimal,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let reader = Reader::open(context, &lake)?;
    let unmapped = draft::unmapped(&reader, arguments.kind)?;
    let top = usize::from(arguments.top);
    let mut suggestions = by_name(&reader, arguments.kind, &unmapped, top)?;
    let mut evidence = Evidence::default();
    if arguments.kind == Kind::Services {
        evidence = bundles::evidence(&reader, arguments.tolerance)?;
        for suggestion in &mut suggestions {
            // A name does not tell how many units a SKU holds.
            if suggestion.verdict == Verdict::Accepted {
                suggestion.verdict =
                    Verdict::Doubtful("by its name alone; how many units one of it is, a person must say".to_owned());
            }
        }
    }
    let links = ambiguous_links(&reader, arguments.kind)?;
    if let Some(out) = &arguments.out {
        review::write(out, arguments.kind, &suggestions, &evidence.proposals, &unmapped, top)?;
    }
    if context.output == OutputFormat::Json {
        let bundles: Vec<_> = evidence.proposals.iter().map(|proposal| bundles::document(proposal, &unmapped)).collect();
        let refused: Vec<_> = evidence
            .refused
            .iter()
            .map(|(customer, month, why)| json!({ "customer": customer, "month": month, "reason": why.to_string() }))
            .collect();
        render::document(
            &json!({ table::name(arguments.kind): suggestions.iter().map(document).collect::<Vec<_>>(), "bundles": bundles,
                                  "months_refused": refused, "ambiguous_links": links }),
        );
        return Ok(Exit::Done);
    }
    if suggestions.is_empty() {
        render::lines(&format!("all {} are mapped", table::name(arguments.kind)));
    } else if arguments.out.is_none() {
        print(&suggestions);
        for proposal in &evidence.proposals {
            let verdict = if bundles::is_sure(proposal) { "accepted" } else { "to be decided" };
            render::lines(&format!("bundle ({verdict}): {}", bundles::sentence(proposal)));
        }
        render::note("hint: `--accept -o FILE` writes the accepted ones as a crosswalk, and the others for a person to decide");
    }
    if let Some((customer, month, why)) = evidence.refused.first() {
        render::note(&format!(
            "warning: {} customer months were too large to be searched for bundles, such as {customer} {month}: {why}",
            evidence.refused.len()
        ));
    }
    for link in links {
        let text = |name: &str| link[name].as_str().unwrap_or("").to_owned();
        render::note(&format!(
            "warning: links of exports tie {} `{}` to {} customers (`{}`, `{}`), so it is left unmapped; a row of the crosswalk decides",
            text("system"),
            text("id"),
            text("customers"),
            text("key"),
            text("other_key")
        ));
    }
    Ok(Exit::Done)
}

/// Ids that links tie to several customers.
fn ambiguous_links(reader: &Reader<'_>, kind: Kind) -> Result<Vec<serde_json::Value>, Failure> {
    if kind == Kind::Services {
        return Ok(Vec::new());
    }
    let rows = reader.rows("ambiguous_links")?;
    let names = ["system", "id", "key", "other_key", "customers"];
    Ok(rows
        .iter()
        .map(|row| names.iter().map(|name| ((*name).to_owned(), row.text(name).into())).collect::<serde_json::Map<_, _>>().into())
        .collect())
}

fn by_name(reader: &Reader<'_>, kind: Kind, unmapped: &[Unmapped], top: usize) -> Result<Vec<Suggestion>, Failure> {
    let (of_ids, of_keys) = if kind == Kind::Customers { reader.domains()? } else { Default::default() };
    let mut customers: BTreeMap<String, Customer> = BTreeMap::new();
    for row in reader.rows(table::name(kind))?.iter() {
        let key = row.text("key").to_owned();
        let customer = customers.entry(key.clone()).or_insert_with(|| Customer {
            domains: of_keys.get(&key).cloned().unwrap_or_default(),
            name: String::new(),
            names: BTreeSet::new(),
            key,
        });
        let name = row.text("name");
        if !name.is_empty() {
            customer.names.insert(name.to_owned());
            if customer.name.is_empty() {
                customer.name = name.to_owned();
            }
        }
    }
    let holders: BTreeSet<(String, String)> = if kind == Kind::Customers {
        reader.rows("holders")?.iter().map(|row| (row.text("system").to_owned(), row.text("key").to_owned())).collect()
    } else {
        BTreeSet::new()
    };
    let register = Register::new(customers.into_values());
    let unresolved = unmapped.iter().map(|entry| {
        let mut id = entry.id.clone();
        id.domains.extend(of_ids.get(&(id.system.clone(), entry.normalised.clone())).into_iter().flatten().cloned());
        id
    });
    Ok(suggest(&register, unresolved, &holders, top))
}

pub(super) fn score(score: f64) -> String {
    format!("{score:.2}")
}

pub(super) fn trail(candidate: &Candidate) -> String {
    candidate.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

pub(super) fn doubt(suggestion: &Suggestion) -> String {
    match &suggestion.verdict {
        Verdict::Accepted => String::new(),
        Verdict::Doubtful(why) => why.clone(),
        Verdict::Nobody => "no candidate".to_owned(),
    }
}

fn print(suggestions: &[Suggestion]) {
    let mut rows = Vec::new();
    for suggestion in suggestions {
        let of = &suggestion.of;
        let own = [of.system.clone(), of.native_id.clone(), of.name().to_owned(), money_text(&of.money)];
        if suggestion.candidates.is_empty() {
            rows.push(own.clone().into_iter().chain(["", "", "", "no candidate"].map(str::to_owned)).collect());
        }
        for (at, candidate) in suggestion.candidates.iter().enumerate() {
            let own = if at == 0 { own.clone() } else { Default::default() };
            let verdict = match (at, &suggestion.verdict) {
                (0, Verdict::Accepted) => "accepted".to_owned(),
                (0, _) => doubt(suggestion),
                _ => String::new(),
            };
            let cells = [format!("{} {}", candidate.key, candidate.name), score(candidate.score), trail(candidate), verdict];
            rows.push(own.into_iter().chain(cells).collect::<Vec<String>>());
        }
    }
    render::table(&["system", "id", "name", "at stake", "candidate", "score", "because", "verdict"], &rows, &[3, 5]);
    let accepted = suggestions.iter().filter(|s| s.verdict == Verdict::Accepted).count();
    render::lines(&format!("{} ids without a mapping, {accepted} with a candidate beyond doubt", suggestions.len()));
}

fn document(suggestion: &Suggestion) -> serde_json::Value {
    let candidate = |candidate: &Candidate| {
        json!({ "key": candidate.key, "name": candidate.name, "score": score(candidate.score),
                "steps": candidate.steps.iter().map(ToString::to_string).collect::<Vec<_>>() })
    };
    json!({
        "system": suggestion.of.system, "native_id": suggestion.of.native_id, "names": suggestion.of.names, "domains": suggestion.of.domains,
        "at_stake": draft::texts(&suggestion.of.money), "accepted": suggestion.verdict == Verdict::Accepted, "doubt": doubt(suggestion),
        "candidates": suggestion.candidates.iter().map(candidate).collect::<Vec<_>>(),
    })
}
