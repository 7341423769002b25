//! What the summary of an ingest says of the calendar: how far the exports reach of which something landed, and what is missing between.

use super::sql::cell;
use super::{Context, Failure};
use crate::lake::scan::FileTable;
use crate::lake::{Lake, Table, truth};
use crate::month::Month;
use crate::query::catalog::{Catalog, Query};
use crate::query::run::QueryError;
use crate::query::session;
use chrono::NaiveDate;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Stretches of missing months or days that a sentence names.
const NAMED: usize = 6;

/// How far one export reaches.
pub(super) struct Reach {
    system: String,
    entity: String,
    first_month: Option<NaiveDate>,
    last_month: Option<NaiveDate>,
    last_day: Option<NaiveDate>,
    recorded_at: String,
    files: u64,
    rows: u64,
}

/// What is missing of one export.
pub(super) struct Gap {
    system: String,
    entity: String,
    is_of_days: bool,
    missing: Vec<NaiveDate>,
    among: u64,
}

/// The calendar of some exports.
#[derive(Default)]
pub(super) struct Calendar {
    reach: Vec<Reach>,
    gaps: Vec<Gap>,
}

impl Calendar {
    /// Asks `core.batch` alone: what each file speaks of stands there.
    pub(super) fn read<'a>(
        context: &Context,
        lake: &Lake,
        exports: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Failure> {
        let wanted: BTreeSet<(String, String)> = exports.map(|(system, entity)| (system.to_owned(), entity.to_owned())).collect();
        let (marks, gaps) = context.runtime.block_on(async {
            let ctx = session::context(context.threads);
            truth::register_schemas(&ctx)?;
            let batches = FileTable::new(lake, Table::Batch, lake.files(Table::Batch, None).await?);
            let name = TableReference::partial("core", Table::Batch.name());
            ctx.register_table(name, Arc::new(batches)).map_err(truth::TruthError::Engine)?;
            let catalog = Catalog::load(None)?;
            let marks = ["system", "entity", "first_month", "last_month", "last_day", "recorded_at", "files", "rows"];
            let gaps = ["system", "entity", "grain", "missing", "among"];
            Ok::<_, Failure>((
                rows(&ctx, &catalog, "watermark", &marks).await?,
                rows(&ctx, &catalog, "calendar_gap", &gaps).await?,
            ))
        })?;
        let is_wanted = |row: &&Vec<String>| wanted.contains(&(row[0].clone(), row[1].clone()));
        let count = |text: &str| text.parse().unwrap_or(0);
        let reach = marks.iter().filter(is_wanted).map(|row| Reach {
            system: row[0].clone(),
            entity: row[1].clone(),
            first_month: row[2].parse().ok(),
            last_month: row[3].parse().ok(),
            last_day: row[4].parse().ok(),
            recorded_at: row[5].clone(),
            files: count(&row[6]),
            rows: count(&row[7]),
        });
        let mut missing: BTreeMap<(String, String, bool), (Vec<NaiveDate>, u64)> = BTreeMap::new();
        for row in gaps.iter().filter(is_wanted) {
            let gap = missing.entry((row[0].clone(), row[1].clone(), row[2] == "day")).or_default();
            gap.0.extend(row[3].parse::<NaiveDate>().ok());
            gap.1 = count(&row[4]);
        }
        let gaps = missing.into_iter().map(|((system, entity, is_of_days), (missing, among))| Gap {
            system,
            entity,
            is_of_days,
            missing,
            among,
        });
        Ok(Self { reach: reach.collect(), gaps: gaps.collect() })
    }

    /// How far each export reaches, for programs.
    pub(super) fn reach_document(&self) -> Value {
        let month = |date: Option<NaiveDate>| date.map(|date| Month::of(date).to_string());
        let of = |reach: &Reach| {
            json!({ "system": reach.system, "entity": reach.entity, "first_month": month(reach.first_month),
                    "last_month": month(reach.last_month), "last_day": reach.last_day, "recorded_at": reach.recorded_at,
                    "files": reach.files, "rows": reach.rows })
        };
        self.reach.iter().map(of).collect()
    }

    /// What is missing, for programs.
    pub(super) fn gaps_document(&self) -> Value {
        let of = |gap: &Gap| {
            let (grain, text): (&str, fn(&NaiveDate) -> String) = match gap.is_of_days {
                true => ("day", NaiveDate::to_string),
                false => ("month", |date| Month::of(*date).to_string()),
            };
            let missing: Vec<String> = gap.missing.iter().map(text).collect();
            json!({ "system": gap.system, "entity": gap.entity, "grain": grain, "missing": missing, "among": gap.among })
        };
        self.gaps.iter().map(of).collect()
    }

    /// One sentence about how far the exports reach; none if none of them has months.
    pub(super) fn reach_sentence(&self) -> Option<String> {
        let of = |reach: &Reach| {
            let (first, last) = (Month::of(reach.first_month?), Month::of(reach.last_month?));
            let last =
                reach.last_day.filter(|day| Month::of(*day) == last).map_or_else(|| last.to_string(), |day| day.to_string());
            Some(format!("{} {} {first} to {last}", reach.system, reach.entity))
        };
        let reaches: Vec<String> = self.reach.iter().filter_map(of).collect();
        (!reaches.is_empty()).then(|| format!("in the lake: {}", reaches.join("; ")))
    }

    /// A sentence for each export of which something is missing.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.gaps.iter().map(Gap::sentence).collect()
    }
}

impl Gap {
    fn sentence(&self) -> String {
        let Self { system, entity, is_of_days, missing, among } = self;
        let (unit, text): (&str, fn(NaiveDate) -> String) = match is_of_days {
            true => ("days", |date| date.to_string()),
            false => ("months", |date| Month::of(date).to_string()),
        };
        let follows = |last: NaiveDate, next: NaiveDate| match is_of_days {
            true => last.succ_opt() == Some(next),
            false => Month::of(last).plus(1) == Month::of(next),
        };
        let mut stretches: Vec<(NaiveDate, NaiveDate)> = Vec::new();
        for &date in missing {
            match stretches.last_mut() {
                Some((_, last)) if follows(*last, date) => *last = date,
                _ => stretches.push((date, date)),
            }
        }
        let named = stretches.iter().take(NAMED).map(|&(first, last)| match first == last {
            true => text(first),
            false => format!("{} to {}", text(first), text(last)),
        });
        let mut named: Vec<String> = named.collect();
        if stretches.len() > NAMED {
            named.push("...".to_owned());
        }
        format!("{system} {entity}: nothing for {} ({} of {among} {unit})", named.join(", "), missing.len())
    }
}

/// The columns of a view as texts, in order.
async fn rows(ctx: &SessionContext, catalog: &Catalog, view: &str, columns: &[&str]) -> Result<Vec<Vec<String>>, Failure> {
    let path = format!("core/{view}.sql");
    let text = catalog.text(&path).unwrap_or_default();
    let columns = columns.join(", ");
    let query = Query { path, text: format!("SELECT {columns} FROM (\n{text}\n) ORDER BY {columns}") };
    let failed = |e: DataFusionError| Failure::from(QueryError::from_engine(&query, &e));
    let batches = ctx.sql(&query.text).await.map_err(failed)?.collect().await.map_err(failed)?;
    let row_of = |batch: &arrow::array::RecordBatch, row: usize| {
        batch.columns().iter().map(|column| cell(column.as_ref(), row).unwrap_or_default()).collect()
    };
    Ok(batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| row_of(batch, row))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_stretches() {
        let gap = |is_of_days: bool, dates: &[&str]| Gap {
            system: "a".to_owned(),
            entity: "b".to_owned(),
            is_of_days,
            missing: dates.iter().map(|text| text.parse().expect("a date")).collect(),
            among: 60,
        };
        let months = gap(false, &["2023-12-01", "2024-01-01", "2024-05-01"]);
        assert_eq!(months.sentence(), "a b: nothing for 2023-12 to 2024-01, 2024-05 (3 of 60 months)");
        let days = gap(true, &["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-03"]);
        assert_eq!(days.sentence(), "a b: nothing for 2024-02-28 to 2024-03-01, 2024-03-03 (4 of 60 days)");
        let every_other: Vec<String> = (1..=9).map(|month| format!("20{:02}-01-01", month)).collect();
        let many = gap(false, &every_other.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(many.sentence().ends_with("2006-01, ... (9 of 60 months)"), "{}", many.sentence());
    }
}
