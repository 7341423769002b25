//! What queries of the star need and no table holds: the signals' headers, the world's currencies, which findings are muted.

use super::star::StarError;
use crate::findings::analyze::findings_of;
use crate::findings::marts::newest_runs;
use crate::findings::mute::{Spoken, in_force, split};
use crate::findings::signal::Signal;
use crate::lake::Lake;
use crate::lake::truth::TruthError;
use crate::query::catalog::Catalog;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use iso_currency::{Currency, IntoEnumIterator as _};
use std::sync::Arc;

/// Registers `bi.signal_header`, `bi.iso_currency` and `bi.muted_finding`.
pub(super) async fn register(ctx: &SessionContext, lake: &Lake, catalog: &Catalog) -> Result<(), StarError> {
    let signals = Signal::load_all(catalog)?;
    let of = |get: fn(&Signal) -> &str| texts(signals.iter().map(|signal| Some(get(signal))));
    let columns = [
        ("signal", of(|s| &s.id)),
        ("title", of(|s| &s.title)),
        ("question", of(|s| &s.question)),
        ("family", of(|s| &s.family)),
        ("basis", of(|s| s.basis.as_str())),
        ("action", of(|s| &s.action)),
    ];
    table(ctx, "signal_header", columns)?;
    let currencies: Vec<Currency> = Currency::iter().collect();
    let digits: Int64Array = currencies.iter().map(|it| it.exponent().map(i64::from)).collect();
    let columns = [
        ("currency", texts(currencies.iter().map(|it| Some(it.code())))),
        ("currency_name", texts(currencies.iter().map(|it| Some(it.name())))),
        ("minor_digits", Arc::new(digits) as ArrayRef),
    ];
    table(ctx, "iso_currency", columns)?;
    let muted = muted(lake).await?;
    let columns = [
        ("finding_id", texts(muted.iter().map(|(id, _)| Some(id.as_str())))),
        ("quarter", texts(muted.iter().map(|(_, quarter)| Some(quarter.as_str())))),
    ];
    table(ctx, "muted_finding", columns)
}

/// Findings, with their quarters, that somebody decided to leave out of lists and totals.
async fn muted(lake: &Lake) -> Result<Vec<(String, String)>, StarError> {
    let mut muted = Vec::new();
    if in_force(lake).await?.is_empty() {
        return Ok(muted);
    }
    for run in newest_runs(lake).await? {
        let Some(spoken) = Spoken::of(&run) else { continue };
        let split = split(lake, spoken, findings_of(lake, &run).await?).await?;
        muted.extend(split.muted.into_iter().map(|(finding, _)| (finding.finding_id, run.quarter.clone())));
    }
    Ok(muted)
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn table<const N: usize>(ctx: &SessionContext, name: &str, columns: [(&str, ArrayRef); N]) -> Result<(), StarError> {
    let rows = RecordBatch::try_from_iter(columns).map_err(|e| engine(e.into()))?;
    let rows = MemTable::try_new(rows.schema(), vec![vec![rows]]).map_err(engine)?;
    ctx.register_table(TableReference::partial("bi", name), Arc::new(rows)).map_err(engine)?;
    Ok(())
}

fn engine(error: DataFusionError) -> StarError {
    TruthError::Engine(error).into()
}
