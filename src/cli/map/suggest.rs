//! `shortfall map suggest`: candidates for what is unmapped; `--accept` writes the unambiguous ones as a crosswalk and the rest for review.
//!
//! Nothing takes effect here: the crosswalk that is written is landed by `map import`, and the review file has no `customer_key` column, so
//! that no ingest takes it for a crosswalk. A person writes into `decision`: `yes` (or `1`, `2`, `3` for a candidate), `no`, or a key.

use super::super::{Context, Exit, Failure, LakeArgument, OutputFormat, render};
use super::lake::{Reader, Unmapped, money_text};
use super::{Kind, draft, table};
use crate::identity::register::{Customer, Register};
use crate::identity::suggest::{Candidate, Suggestion, Verdict, suggest};
use crate::ingest::discover;
use crate::lake::Lake;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
}

/// Columns of a review file before its candidates.
const REVIEW: [&str; 6] = ["decision", "system", "native_id", "native_name", "at_stake", "doubt"];

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let lake = Lake::open(&arguments.lake.lake)?;
    let reader = Reader::open(context, &lake)?;
    let unmapped = draft::unmapped(&reader, arguments.kind)?;
    let top = usize::from(arguments.top);
    let suggestions = by_name(&reader, arguments.kind, unmapped, top)?;
    if let Some(out) = &arguments.out {
        write(out, arguments.kind, &suggestions, top)?;
    }
    if context.output == OutputFormat::Json {
        render::document(&json!({ table::name(arguments.kind): suggestions.iter().map(document).collect::<Vec<_>>(),
                                  "ambiguous_links": ambiguous_links(&reader, arguments.kind)? }));
        return Ok(Exit::Done);
    }
    if suggestions.is_empty() {
        render::lines(&format!("all {} are mapped", table::name(arguments.kind)));
    } else if arguments.out.is_none() {
        print(&suggestions);
        render::note("hint: `--accept -o FILE` writes the accepted ones as a crosswalk, and the others for a person to decide");
    }
    for link in ambiguous_links(&reader, arguments.kind)? {
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

fn by_name(reader: &Reader<'_>, kind: Kind, unmapped: Vec<Unmapped>, top: usize) -> Result<Vec<Suggestion>, Failure> {
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
    let unresolved = unmapped.into_iter().map(|mut entry| {
        if let Some(domains) = of_ids.get(&(entry.id.system.clone(), entry.normalised.clone())) {
            entry.id.domains.extend(domains.iter().cloned());
        }
        entry.id
    });
    Ok(suggest(&register, unresolved, &holders, top))
}

fn score(score: f64) -> String {
    format!("{score:.2}")
}

fn trail(candidate: &Candidate) -> String {
    candidate.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn doubt(suggestion: &Suggestion) -> String {
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

/// The crosswalk of what is beyond doubt, and the review file of the rest.
fn write(out: &Path, kind: Kind, suggestions: &[Suggestion], top: usize) -> Result<(), Failure> {
    let (accepted, open): (Vec<_>, Vec<_>) = suggestions.iter().partition(|s| s.verdict == Verdict::Accepted);
    let rows: Vec<Vec<String>> = accepted
        .iter()
        .filter_map(|s| {
            s.candidates
                .first()
                .map(|best| crosswalk_row(kind, &s.of.system, &s.of.native_id, s.of.name(), &best.key, &best.name))
        })
        .collect();
    table::write(out, table::columns(kind), &rows)?;
    table::wrote(out, rows.len(), "accepted rows");
    let mut header: Vec<String> = REVIEW.map(str::to_owned).to_vec();
    for at in 1..=top {
        let number = if at == 1 { "suggested".to_owned() } else { format!("suggested_{at}") };
        header.extend(["key", "name", "score", "because"].map(|column| format!("{number}_{column}")));
    }
    let rows: Vec<Vec<String>> = open
        .iter()
        .map(|suggestion| {
            let of = &suggestion.of;
            let mut row = vec![
                String::new(),
                of.system.clone(),
                of.native_id.clone(),
                of.name().to_owned(),
                money_text(&of.money),
                doubt(suggestion),
            ];
            for candidate in &suggestion.candidates {
                row.extend([candidate.key.clone(), candidate.name.clone(), score(candidate.score), trail(candidate)]);
            }
            row.resize(header.len(), String::new());
            row
        })
        .collect();
    let review = out.with_extension("review.csv");
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    table::write(&review, &header, &rows)?;
    table::wrote(&review, rows.len(), "rows to be decided");
    render::note("hint: fill in the column `decision`, then `shortfall map import --lake DIR FILE...` lands either file");
    Ok(())
}

fn crosswalk_row(_: Kind, system: &str, native_id: &str, native_name: &str, key: &str, name: &str) -> Vec<String> {
    [system, native_id, native_name, key, name, "", ""].map(str::to_owned).to_vec()
}

/// The crosswalk that a review file's decisions make, written beside it; none if the file is no review file.
pub(super) fn decided(path: &Path) -> Result<Option<PathBuf>, Failure> {
    let failed = |e: csv::Error| Failure::usage(format!("could not read `{}`: {e}", path.display()));
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(discover::open(path)?);
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(|cell| cell.trim_start_matches('\u{feff}').trim().to_lowercase()).collect(),
        // Not a review file; what it is, discovering will tell.
        Err(_) => return Ok(None),
    };
    if !header.iter().any(|name| name == "decision") || !header.iter().any(|name| name == "suggested_key") {
        return Ok(None);
    }
    let mut rows = Vec::new();
    let mut open = 0_usize;
    for (at, record) in (1_u64..).zip(reader.records()) {
        let record = record.map_err(failed)?;
        let cell = |name: &str| {
            header.iter().position(|known| known == name).and_then(|at| record.get(at)).unwrap_or("").trim().to_owned()
        };
        let decision = cell("decision");
        let number = match decision.to_lowercase().as_str() {
            "" => {
                open += 1;
                continue;
            }
            "no" | "n" | "none" => continue,
            "yes" | "y" | "1" => Some(1),
            other => other.parse::<u8>().ok(),
        };
        let (key, name) = match number {
            Some(1) => (cell("suggested_key"), cell("suggested_name")),
            Some(number) => (cell(&format!("suggested_{number}_key")), cell(&format!("suggested_{number}_name"))),
            None => (decision.clone(), String::new()),
        };
        if key.is_empty() {
            return Err(Failure::usage(format!(
                "{}: row {at}, column `decision`, value `{decision}`: there is no such candidate",
                path.display()
            ))
            .hint("write `yes`, `no`, the number of a candidate, or a customer's key"));
        }
        rows.push(crosswalk_row(Kind::Customers, &cell("system"), &cell("native_id"), &cell("native_name"), &key, &name));
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let out = path.with_file_name(format!("{}.decided.csv", stem.trim_end_matches(".review")));
    table::write(&out, &table::CUSTOMERS, &rows)?;
    table::wrote(&out, rows.len(), "decided rows");
    if open > 0 {
        render::note(&format!("{open} rows of `{}` have no decision yet", path.display()));
    }
    Ok(Some(out))
}
