//! `--queries DIR`: a signal that an analyst drops into a folder, and what its mistakes say.

use super::support::{Book, repository, request, runtime};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use shortfall::findings::analyze::Request;
use shortfall::findings::cell::cells;
use shortfall::findings::signal::Signal;
use shortfall::lake::Table;
use shortfall::lake::truth::register_schemas;
use shortfall::query::catalog::Catalog;
use shortfall::query::run::{self, QueryError};
use shortfall::query::session;
use std::path::Path;
use std::sync::Arc;

const SOUND: &str = "\
-- signal: thin_margin
-- title: Margin below a third
-- question: Which services earn less than a third?
-- family: seam
-- basis: cost
-- grain: customer x service x month
-- reads: facts.fact_monthly
-- fires_when: cost is above two thirds of revenue
-- stays_silent_when: it is not
-- explanation: {service} of {customer} costs {cost} {currency} of {revenue}
SELECT customer_key, service_key, currency, month, cost - exact_quotient(revenue * 2, CAST(3 AS DECIMAL(38, 18))) AS amount, cost, revenue
FROM facts.fact_monthly
WHERE cost > 0.66 * revenue
";

fn folder_with(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    std::fs::write(folder.path().join(name), text).expect("written");
    folder
}

#[test]
fn a_dropped_signal_gives_findings_beside_the_built_in_ones() {
    let folder = folder_with("thin_margin.sql", SOUND);
    let book = Book::of(&[repository("tests/analysis/worked_example")]);
    let asked = Request { queries: Some(folder.path().to_owned()), ..request("2026Q3") };
    let analysis = book.analyze_with(asked).expect("an analysis");
    let own: Vec<_> = analysis.findings.iter().filter(|f| f.signal == "thin_margin").collect();
    assert!(!own.is_empty());
    assert!(own.iter().any(|f| f.explanation.starts_with("Microsoft 365 Business Premium of Acme Dental costs")), "{own:?}");
    assert!(analysis.findings.iter().any(|f| f.signal == "psa_change_not_billed"));
}

/// What an analysis would say about a folder's signals, without a lake.
fn fault(folder: &Path) -> QueryError {
    let catalog = Catalog::load(Some(folder)).expect("a catalogue");
    let signals = match Signal::load_all(&catalog) {
        Ok(signals) => signals,
        Err(error) => return error,
    };
    let own = signals.into_iter().find(|s| Path::new(&s.query.path).starts_with(folder)).expect("the dropped signal");
    runtime().block_on(async {
        let ctx = session::context(1);
        register_schemas(&ctx).expect("schemas");
        let empty = MemTable::try_new(Table::FactMonthly.schema(), vec![Vec::new()]).expect("a table");
        ctx.register_table(TableReference::partial("facts", "fact_monthly"), Arc::new(empty)).expect("registered");
        let answer = run::rows(&ctx, &own.query, super::registry::parameters()).await;
        answer.and_then(|(schema, rows)| cells(&own, &schema, &rows).map(|_| ())).expect_err("a fault")
    })
}

fn says(name: &str, text: &str, parts: &[&str]) {
    let folder = folder_with(name, text);
    let message = fault(folder.path()).to_string();
    let file = folder.path().join(name).display().to_string();
    assert!(message.starts_with(&file), "does not point into the file: {message}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

#[test]
fn an_unknown_cause_is_named() {
    let text = SOUND.replace("-- explanation:", "-- caused_by: renewal, bad_luck\n-- explanation:");
    says("thin_margin.sql", &text, &["`caused_by: bad_luck` is none of", "`contract_quantity_up`"]);
}

#[test]
fn a_missing_header_key_is_named() {
    says("thin_margin.sql", &SOUND.replace("-- title: Margin below a third\n", ""), &["the header lacks `title`"]);
}

#[test]
fn a_wrong_file_name_is_named() {
    says("slim_margin.sql", SOUND, &["the header says `signal: thin_margin`, the file is named `slim_margin.sql`"]);
}

#[test]
fn a_missing_column_is_named() {
    says(
        "thin_margin.sql",
        &SOUND.replace("currency, month,", "currency,"),
        &["no column `month`", "customer_key, service_key, currency, month, amount"],
    );
}

#[test]
fn an_unknown_column_has_its_place_and_a_suggestion() {
    says(
        "thin_margin.sql",
        &SOUND.replace("WHERE cost >", "WHERE costs >"),
        &[".sql:13:7", "'costs' not found", "fact_monthly.cost"],
    );
}

#[test]
fn a_syntax_error_has_its_place() {
    says("thin_margin.sql", &SOUND.replace("FROM facts", "FORM facts"), &[".sql:12:"]);
}

#[test]
fn money_as_a_float_is_refused_even_without_a_row() {
    let text = SOUND
        .replace("cost - exact_quotient(revenue * 2, CAST(3 AS DECIMAL(38, 18))) AS amount", "CAST(cost AS DOUBLE) AS amount");
    says("thin_margin.sql", &text, &["column `amount` is a float; money is a decimal"]);
}

#[test]
fn an_unknown_basis_lists_the_known_ones() {
    says("thin_margin.sql", &SOUND.replace("basis: cost", "basis: costs"), &["`revenue`, `cost`, `overbilling`"]);
}
