//! The bridge sums exactly, whatever contracts, usage and invoices say: random books through the real facts, in exact decimals.
//! `SHORTFALL_CELLS=1000000 cargo test --test analysis bridge:: -- --nocapture` asks for as many cells as that; `src/rating/bridge.rs` holds the
//! laws of the split itself.

use super::registry::parameters;
use super::support::runtime;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shortfall::findings::marts::conform;
use shortfall::lake::Table;
use shortfall::lake::schema::TABLES;
use shortfall::lake::truth::register_schemas;
use shortfall::lake::{usage_sum, version_span};
use shortfall::month::Month;
use shortfall::query::catalog::Catalog;
use shortfall::query::run::build_facts;
use shortfall::query::session;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// Cells of the bridge that a usual test run looks at, at least.
const USUAL: usize = 6_000;
/// Pairs of customer and service in one book.
const PAIRS: usize = 400;
/// The books' months: up to the quarter of `registry::parameters`.
const MONTHS: i32 = 24;

/// Rows of a table as text; what a row does not name is empty.
#[derive(Default)]
struct Rows(Vec<BTreeMap<&'static str, String>>);

impl Rows {
    fn push<const N: usize>(&mut self, cells: [(&'static str, String); N]) {
        self.0.push(cells.into_iter().filter(|(_, value)| !value.is_empty()).collect());
    }

    fn column(&self, name: &str) -> ArrayRef {
        Arc::new(self.0.iter().map(|row| row.get(name).map(String::as_str)).collect::<StringArray>())
    }

    fn batch(&self, table: Table) -> RecordBatch {
        let schema = table.schema();
        let columns = schema.fields().iter().map(|field| (field.name().as_str(), self.column(field.name())));
        conform(table, &RecordBatch::try_from_iter_with_nullable(columns.map(|(name, cells)| (name, cells, true))).expect("text"))
            .expect("rows")
    }

    /// With the days between which each row was the truth.
    fn versions(&self) -> RecordBatch {
        let known = self.batch(version_span::OF);
        let schema = version_span::schema();
        let own = known.columns().iter().cloned();
        let spans =
            schema.fields()[known.num_columns()..].iter().map(|f| cast(&self.column(f.name()), f.data_type()).expect("a day"));
        RecordBatch::try_new(Arc::new(schema.as_ref().clone()), own.chain(spans).collect()).expect("versions")
    }
}

/// What a simulated world of no sense at all holds.
#[derive(Default)]
struct World {
    rows: BTreeMap<Table, Rows>,
    /// Earlier versions of contract lines, which only their history shows.
    earlier: Rows,
}

fn text(value: impl ToString) -> String {
    value.to_string()
}

fn chosen<'a>(dice: &mut ChaCha8Rng, of: &[&'a str]) -> &'a str {
    of[dice.random_range(0..of.len())]
}

/// An amount with up to five decimals.
fn money(dice: &mut ChaCha8Rng, largest: i64) -> String {
    let scale = dice.random_range(0..6_u32);
    rust_decimal::Decimal::new(dice.random_range(0..largest.saturating_mul(10_i64.pow(scale))), scale).to_string()
}

/// Now and then nothing.
fn maybe(dice: &mut ChaCha8Rng, chance: f64, value: impl FnOnce(&mut ChaCha8Rng) -> String) -> String {
    if dice.random_bool(chance) { value(dice) } else { String::new() }
}

impl World {
    fn random(dice: &mut ChaCha8Rng) -> Self {
        let mut world = Self::default();
        let last = Month::new(2026, 9).expect("a month");
        for pair in 0..PAIRS {
            let (customer, service) = (format!("c{}", pair / 8), format!("s{}", pair % 8));
            for system in ["psa", "vendor", "billing"] {
                let same = [("system", text(system)), ("native_id", customer.clone()), ("customer_key", customer.clone())];
                if pair % 8 == 0 {
                    world.of(Table::CustomerMap).push(same);
                }
                if pair < 8 {
                    let factor = if pair == 7 { text(100) } else { text(1) };
                    world.of(Table::ServiceMap).push([
                        ("system", text(system)),
                        ("native_sku", service.clone()),
                        ("service_key", service.clone()),
                        ("unit_factor", factor),
                    ]);
                }
            }
            if pair % 8 == 0 {
                world.of(Table::Contract).push([
                    ("system", text("psa")),
                    ("contract_id", customer.clone()),
                    ("customer_native_id", customer.clone()),
                    ("currency", text("USD")),
                ]);
            }
            let first = last.plus(-dice.random_range(0..MONTHS));
            let day = |month: Month, dice: &mut ChaCha8Rng| format!("{month}-{:02}", dice.random_range(1..29));
            if dice.random_bool(0.8) {
                world.contract_line(dice, &customer, &service, first, last);
            }
            if dice.random_bool(0.4) {
                world.terms(dice, &customer, &service, first);
            }
            let is_level = dice.random_bool(0.5);
            for month in (first.index()..=last.index()).map(Month::from_index) {
                if dice.random_bool(0.85) {
                    let (from, known) = (day(month, dice), day(month.plus(dice.random_range(1..3)), dice));
                    world.usage(dice, &customer, &service, (month, &from, &known), is_level);
                }
                for number in 0..dice.random_range(0..4) {
                    world.invoice_line(dice, &customer, &service, month, number);
                }
            }
        }
        world
    }

    fn of(&mut self, table: Table) -> &mut Rows {
        self.rows.entry(table).or_default()
    }

    fn contract_line(&mut self, dice: &mut ChaCha8Rng, customer: &str, service: &str, first: Month, last: Month) {
        let price = money(dice, 90);
        let end = maybe(dice, 0.3, |dice| format!("{}-{:02}", last.plus(-dice.random_range(0..6)), dice.random_range(1..29)));
        let versions = dice.random_range(1..4);
        for version in 0..versions {
            let recorded = first.plus(version * dice.random_range(1..5));
            let line = [
                ("system", text("psa")),
                ("contract_id", text(customer)),
                ("line_id", format!("{customer} {service}")),
                ("native_sku", text(service)),
                ("quantity", text(dice.random_range(0..120))),
                ("included_quantity", maybe(dice, 0.2, |dice| text(dice.random_range(0..30)))),
                ("unit_price", if dice.random_bool(0.9) { price.clone() } else { money(dice, 90) }),
                ("status", text(chosen(dice, &["Billable", "Billable", "Billable", "DoNotBill"]))),
                ("effective_from", format!("{first}-{:02}", dice.random_range(1..29))),
                ("effective_to", end.clone()),
                ("recorded_at", format!("{recorded}-02")),
                ("batch_id", format!("b{version}")),
            ];
            if version + 1 == versions {
                self.of(Table::ContractLine).push(line);
            } else {
                self.earlier.push(line);
            }
        }
    }

    fn terms(&mut self, dice: &mut ChaCha8Rng, customer: &str, service: &str, first: Month) {
        let model = chosen(dice, &["per_unit", "tiered_graduated", "tiered_volume", "flat_fee", "flat_fee_overage", "cost_plus"]);
        let row = [
            ("system", text("mapping")),
            ("customer_key", text(customer)),
            ("service_key", text(service)),
            ("valid_from", format!("{}-{:02}", first.plus(dice.random_range(0..6)), dice.random_range(1..29))),
            ("valid_to", maybe(dice, 0.2, |dice| format!("2026-{:02}-15", dice.random_range(7..10)))),
            ("currency", text("USD")),
            ("model", text(model)),
            ("unit_price", money(dice, 90)),
            ("included_quantity", maybe(dice, 0.3, |dice| text(dice.random_range(0..40)))),
            ("minimum_quantity", maybe(dice, 0.3, |dice| text(dice.random_range(0..60)))),
            ("overage_unit_price", maybe(dice, 0.4, |dice| money(dice, 30))),
            ("flat_fee", money(dice, 900)),
            ("tiers", format!("10:{};50:{};:{}", money(dice, 40), money(dice, 30), money(dice, 20))),
            ("escalator_percent", maybe(dice, 0.2, |dice| text(dice.random_range(1..9)))),
            ("escalator_month", maybe(dice, 0.2, |dice| format!("{:02}", dice.random_range(1..13)))),
            ("markup_percent", text(dice.random_range(0..60))),
            ("quantity_basis", text(chosen(dice, &["max", "contracted", "delivered"]))),
            ("proration", text(chosen(dice, &["actual_days", "thirty_days"]))),
        ];
        self.of(Table::ContractTerms).push(row);
    }

    fn usage(
        &mut self,
        dice: &mut ChaCha8Rng,
        customer: &str,
        service: &str,
        (month, from, known): (Month, &str, &str),
        is_level: bool,
    ) {
        let period = dice.random_bool(0.4);
        self.of(Table::VendorUsage).push([
            ("system", text("vendor")),
            ("provider", text("v")),
            ("customer_native_id", text(customer)),
            ("native_sku", text(service)),
            ("category", text(if dice.random_bool(0.97) { "usage" } else { "trial" })),
            ("measure", text(if is_level { "level" } else { "flow" })),
            ("quantity", money(dice, 150)),
            ("cost", maybe(dice, 0.9, |dice| money(dice, 5_000))),
            ("currency", text("USD")),
            ("period_start", if period { text(from) } else { format!("{month}-01") }),
            ("period_end", format!("{}-01", month.plus(1))),
            ("is_correction", text(dice.random_bool(0.1))),
            ("service_month", format!("{month}-01")),
            ("recorded_at", text(known)),
            ("entity", text("usage")),
            ("batch_id", format!("usage of {known}")),
            ("known_from", text(known)),
            ("first_known_at", maybe(dice, 0.8, |_| text(known))),
        ]);
    }

    fn invoice_line(&mut self, dice: &mut ChaCha8Rng, customer: &str, service: &str, month: Month, number: u32) {
        let kind = chosen(dice, &["recurring", "recurring", "recurring", "usage", "one_off", "credit", "tax"]);
        let size = money(dice, 2_000);
        let (start, length) = (dice.random_range(1..29), chosen(dice, &["month", "month", "month", "quarter", "days", "none"]));
        let start = if dice.random_bool(0.6) { 1 } else { start };
        let end = match length {
            "month" => format!("{}-{start:02}", month.plus(1)),
            "quarter" => format!("{}-{start:02}", month.plus(3)),
            "days" => format!("{}-01", month.plus(1)),
            _ => String::new(),
        };
        let line = |invoice: u32, size: &str| {
            [
                ("system", text("billing")),
                ("invoice_id", format!("{customer} {month} {invoice}")),
                ("line_id", format!("{customer} {service} {month} {number} {invoice}")),
                ("customer_native_id", text(customer)),
                ("native_sku", text(service)),
                ("kind", text(kind)),
                ("is_proration", text(length == "days")),
                ("status", text("paid")),
                ("quantity", size.split('.').next().map_or_else(String::new, |whole| whole.chars().take(2).collect())),
                ("amount", if kind == "credit" { format!("-{size}") } else { text(size) }),
                ("currency", text("USD")),
                ("period_start", format!("{month}-{start:02}")),
                ("period_end", end.clone()),
                ("invoice_date", format!("{month}-28")),
                ("service_month", format!("{month}-01")),
            ]
        };
        let mut first = line(0, &size);
        if dice.random_bool(0.02) {
            first[7].1 = text("void");
        }
        if dice.random_bool(0.02) {
            first[10].1 = text("EUR");
        }
        self.of(Table::InvoiceLine).push(first);
        if dice.random_bool(0.05) {
            self.of(Table::InvoiceLine).push(line(1, &size));
        }
    }

    /// `known` and `core_history` over these rows.
    async fn register(&self, ctx: &SessionContext) {
        register_schemas(ctx).expect("schemas");
        let none = Rows::default();
        let put = |schema: &str, name: &str, batches: Vec<RecordBatch>| {
            let table = MemTable::try_new(batches[0].schema(), vec![batches]).expect("a table");
            ctx.register_table(TableReference::partial(schema, name), Arc::new(table)).expect("registered");
        };
        for table in TABLES.iter().copied().filter(|table| table.is_ingested()) {
            let rows = self.rows.get(&table).unwrap_or(&none).batch(table);
            let earlier = if table == Table::ContractLine { &self.earlier } else { &none };
            put("known", table.name(), vec![rows.clone()]);
            put("core_history", table.name(), vec![earlier.batch(table), rows]);
        }
        put("core_history", version_span::NAME, vec![self.rows[&version_span::OF].versions()]);
        let sums = usage_sum::query("SELECT * FROM known.vendor_usage");
        let arrivals = version_span::arrivals("SELECT * FROM core_history.vendor_usage_version");
        for (schema, name, sql) in [("known", usage_sum::NAME, sums), ("core_history", version_span::ARRIVAL, arrivals)] {
            let view = ctx.sql(&sql).await.expect(name).into_view();
            ctx.register_table(TableReference::partial(schema, name), view).expect("registered");
        }
    }
}

/// Cells that break a law, and how many there are in all.
async fn broken(seed: u64) -> (usize, usize, Vec<Vec<String>>) {
    let ctx = session::context(2);
    World::random(&mut ChaCha8Rng::seed_from_u64(seed)).register(&ctx).await;
    let catalog = Catalog::load(None).expect("queries");
    build_facts(&ctx, &catalog, parameters(), Some(&["gap_bridge", "billed_line"])).await.expect("facts");
    let mut counts = Vec::new();
    let mut wrong = Vec::new();
    for (sql, is_count) in [
        ("SELECT count(DISTINCT customer_key || ' ' || service_key || ' ' || month || currency) FROM facts.gap_part", true),
        ("SELECT count(DISTINCT cause) FROM facts.gap_part", true),
        // The parts are the gap, each cause once, and the gap is what the terms make of the month less what its invoice lines come to.
        ("WITH cell AS (
            SELECT customer_key, service_key, month, currency, expected, billed, gap, sum(amount) AS parts, count(*) AS causes,
                   count(DISTINCT cause) AS different
            FROM facts.gap_part GROUP BY customer_key, service_key, month, currency, expected, billed, gap
          ),
          invoiced AS (
            SELECT customer_key, service_key, month, currency, sum(amount) AS amount FROM facts.billed_line
            WHERE kind IN ('recurring', 'usage', 'one_off', 'credit') GROUP BY customer_key, service_key, month, currency
          )
          SELECT cell.customer_key, cell.service_key, cell.month, cell.expected, cell.billed, cell.gap, cell.parts, cell.causes, invoiced.amount
          FROM cell
          JOIN facts.fact_monthly AS fact
            ON cell.customer_key = fact.customer_key AND cell.service_key = fact.service_key AND cell.month = fact.month AND cell.currency = fact.currency
          LEFT JOIN invoiced
            ON cell.customer_key = invoiced.customer_key AND cell.service_key = invoiced.service_key AND cell.month = invoiced.month
            AND cell.currency = invoiced.currency
          WHERE cell.parts <> cell.gap OR cell.gap <> cell.expected - cell.billed OR (cell.causes > 1 AND cell.different < cell.causes)
             OR cell.billed <> coalesce(invoiced.amount, 0) OR cell.expected <> coalesce(fact.expected_revenue, 0)", false),
        // No cell twice, and every month of the quarter that has a price and was billed has one.
        ("SELECT fact.customer_key, fact.service_key, fact.month, fact.expected_revenue, count(DISTINCT part.gap)
          FROM facts.fact_monthly AS fact
          JOIN facts.closed_month AS closed ON fact.customer_key = closed.customer_key AND fact.service_key = closed.service_key AND fact.month <= closed.month
          LEFT JOIN facts.gap_bridge AS part
            ON part.customer_key = fact.customer_key AND part.service_key = fact.service_key AND part.month = fact.month AND part.currency = fact.currency
          WHERE fact.expected_revenue IS NOT NULL AND NOT fact.is_trial AND fact.month BETWEEN DATE '2026-07-01' AND DATE '2026-09-01'
          GROUP BY fact.customer_key, fact.service_key, fact.month, fact.currency, fact.expected_revenue HAVING count(DISTINCT part.gap) <> 1", false),
    ] {
        let batches = ctx.sql(sql).await.expect(sql).collect().await.expect(sql);
        for batch in batches {
            let options = FormatOptions::default();
            let columns: Vec<_> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).expect("printable")).collect();
            let rows = (0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>());
            if is_count { counts.extend(rows.flatten()) } else { wrong.extend(rows) }
        }
    }
    let count = |at: usize| counts[at].parse().expect("a count");
    (count(0), count(1), wrong)
}

#[test]
#[expect(clippy::print_stdout, reason = "the measured figures, on request")]
fn the_bridge_sums_exactly_for_any_contracts_usage_and_invoices() {
    let wanted = std::env::var("SHORTFALL_CELLS").ok().and_then(|text| text.parse().ok()).unwrap_or(USUAL);
    let (runtime, started) = (runtime(), Instant::now());
    let (mut cells, mut causes, mut books) = (0, 0, 0);
    while cells < wanted {
        let (found, kinds, wrong) = runtime.block_on(async { tokio::spawn(broken(books)).await.expect("no panic") });
        assert!(wrong.is_empty(), "book {books}: {} cells, {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
        assert!(found > PAIRS, "only {found} cells in book {books}");
        cells += found;
        causes = causes.max(kinds);
        books += 1;
        println!("{cells} cells in {books} books sum exactly, after {:.0} s", started.elapsed().as_secs_f64());
    }
    // Of sixteen: a law that is never tried holds for nothing.
    assert!(causes >= 13, "only {causes} kinds of causes are met");
}
