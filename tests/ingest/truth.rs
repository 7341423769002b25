//! Laws of the current truth: however a history is cut into files, and in whatever order these arrive, the lake says the same.
//!
//! A *statement* is what a source says of one key ([`Table::key`](shortfall::lake::Table::key)) on one date: all its rows with that key.
//! A *history* is a set of statements, at most one per key and date. Its *cuts* are files with the date in their names, such that
//!
//! - where records have ids or come in pages, every statement stands whole in at least one file of its date: on one page or on two, as
//!   where a page was fetched twice,
//! - where a report is cut by size (FOCUS, AWS), its rows are dealt to the parts one by one, so that keys are torn,
//! - rows stand in any order, and files hold statements of any keys.
//!
//! Laws, for usage, months written anew, invoice lines, contract additions, lifecycle events, lists of
//! users and what their differences tell alike, now and as of any date:
//!
//! 1. Every cut of a history, ingested in any order by any number of ingests, some files offered again, gives the same `core.*`, but
//!    for `batch_id` and `source_row`, which name the file. A person can say what it gives ([`expected`]).
//! 2. Any files whatever, also such that contradict each other on one date, give the same `core.*` with provenance in any order.
//! 3. `known.usage_sum` adds up to the same as the rows of `known.vendor_usage`, whichever files it reads for it.
//!
//! What law 1 cannot promise: a record with an id torn apart between two pages; the rows of one of them win, always the same. Parts that
//! are equal to the byte: they are one file offered twice. Nor files without a date, whose modification time tells when they became
//! known.

use super::support::Place;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Duration, NaiveDate, NaiveTime, Utc};
use datafusion::prelude::SessionContext;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use shortfall::ingest::{Options, Outcome, Silent, ingest};
use shortfall::lake::{Lake, truth, usage_sum};
use shortfall::query::catalog::Catalog;
use shortfall::query::{self, session};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};

/// Days on which files arrive.
pub const DATES: [&str; 5] = ["2026-02-03", "2026-02-10", "2026-03-05", "2026-03-06", "2026-04-01"];
/// Different things that a source says of a key, so that it often repeats itself, and goes back to what it said before.
const VARIANTS: u8 = 3;

pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(2).thread_stack_size(shortfall::STACK).enable_all().build().expect("a runtime")
});

pub fn midnight(day: &str) -> DateTime<Utc> {
    day.parse::<NaiveDate>().expect("a date").and_time(NaiveTime::MIN).and_utc()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Usage,
    Cost,
    Invoice,
    Addition,
    Event,
    State,
}

const KINDS: [Kind; 6] = [Kind::Usage, Kind::Cost, Kind::Invoice, Kind::Addition, Kind::Event, Kind::State];

impl Kind {
    fn view(self) -> &'static str {
        match self {
            Self::Usage | Self::Cost => "core.vendor_usage",
            Self::Invoice => "core.invoice_line",
            Self::Addition => "core.contract_line",
            Self::Event => "core.lifecycle_event",
            Self::State => "known.subject_state",
        }
    }

    /// Whose rows in the view these are.
    fn system(self) -> &'static str {
        match self {
            Self::Usage => "focus",
            Self::Cost => "aws_cur",
            Self::Invoice => "stripe",
            Self::Addition | Self::Event => "connectwise",
            Self::State => "halopsa",
        }
    }

    /// Whether an export is cut into parts by size, through whatever stands at the cut.
    fn is_cut_by_size(self) -> bool {
        matches!(self, Self::Usage | Self::Cost)
    }

    /// Keys that a later file of any of them replaces together: payer and month.
    fn replaced_with(self, key: usize) -> Option<usize> {
        (self == Self::Cost).then_some(key % 2)
    }

    /// The rows of a statement.
    fn says(self, key: usize, variant: u8) -> Vec<Row> {
        let number = 10 * (key + 1) + usize::from(variant);
        match self {
            // Variant 1 has two rows that differ, variant 2 the same row twice.
            Self::Usage => (0..=usize::from(variant.min(1)))
                .map(|place| {
                    let month = 1 + key % 3;
                    let resource = if key.is_multiple_of(2) { String::new() } else { format!("i-{key}") };
                    let cost = format!("{number}.{}", if variant == 2 { 5 } else { 1 + place });
                    Row {
                        own_date: None,
                        shown: vec![
                            ("native_sku", format!("S{key}")),
                            ("subject_id", resource.clone()),
                            ("cost", cost.clone()),
                            ("service_month", format!("2026-{month:02}-01")),
                        ],
                        text: json!(format!(
                            "acc-{},S{key},{resource},Usage,{number},{cost},{cost},USD,2026-{month:02}-0{},2026-{:02}-01",
                            key % 3,
                            1 + key / 3,
                            month + 1
                        )),
                    }
                })
                .collect(),
            Self::Cost => (0..=usize::from(variant.min(1)))
                .map(|place| {
                    let (payer, day) = (key % 2, 1 + key);
                    let cost = format!("{number}.{}", if variant == 2 { 5 } else { 1 + place });
                    Row {
                        own_date: None,
                        shown: vec![("native_sku", format!("EC2:K{key}")), ("cost", cost.clone()), ("service_month", "2026-01-01".to_owned())],
                        text: json!(format!(
                            "p{payer},2026-01-01T00:00:00Z,acc-{payer},Usage,2026-01-0{day}T00:00:00Z,2026-01-{:02}T00:00:00Z,EC2,K{key},1,USD,{cost}",
                            day + 1
                        )),
                    }
                })
                .collect(),
            Self::Invoice => {
                let invoice = key / 2;
                // Some invoices say when they were created: before, between and after the days on which they are exported.
                let created = invoice.is_multiple_of(2).then(|| midnight("2026-01-20") + Duration::days(25 * invoice as i64));
                let mut head =
                    json!({"id": format!("in_{invoice}"), "object": "invoice", "customer": "cus_1", "currency": "usd"});
                if let Some(created) = created {
                    head["created"] = created.timestamp().into();
                }
                head["line"] = json!({"id": format!("il_{key}"), "amount": 100 * number, "quantity": variant + 1,
                                      "period": {"start": 1_767_225_600 + 86_400 * key, "end": 1_769_904_000}});
                vec![Row {
                    own_date: created,
                    shown: vec![
                        ("invoice_id", format!("in_{invoice}")),
                        ("line_id", format!("il_{key}")),
                        ("amount", number.to_string()),
                        ("quantity", (variant + 1).to_string()),
                    ],
                    text: head,
                }]
            }
            Self::Addition => vec![Row {
                own_date: None,
                shown: vec![
                    ("contract_id", (500 + key % 2).to_string()),
                    ("line_id", key.to_string()),
                    ("quantity", number.to_string()),
                ],
                text: json!({"id": key, "agreementId": 500 + key % 2, "product": {"identifier": format!("P{}", key % 3)},
                             "quantity": number, "unitPrice": 2.5, "effectiveDate": "2026-01-01T00:00:00Z"}),
            }],
            // An event has no content but how often it is told: variants 0 and 1 say the same, 2 tells it twice.
            Self::Event => {
                let told = if variant == 2 { &["2026-01-20", "2026-01-25"][..] } else { &["2026-01-20"] };
                let row = |date: &&str| {
                    // Half of the events are known since they were told, half since their file came.
                    let date = if key.is_multiple_of(2) { *date } else { "" };
                    Row {
                        own_date: (!date.is_empty()).then(|| midnight(date)),
                        shown: vec![("subject_id", format!("u-{key}")), ("event", "provisioned".to_owned())],
                        text: json!(format!("connectwise,2000,user,u-{key},P0,provisioned,2026-01-0{},{date}", 1 + key)),
                    }
                };
                told.iter().map(row).collect()
            }
            Self::State => {
                let state = ["active", "suspended", "not_billable"][usize::from(variant)];
                vec![Row {
                    own_date: None,
                    shown: vec![("subject_id", (900 + key).to_string()), ("state", state.to_owned())],
                    text: json!({"id": 900 + key, "client_id": key % 2, "emailaddress": "", "inactive": variant == 1,
                                 "isserviceaccount": variant == 2}),
                }]
            }
        }
    }

    /// Rows as the source would export them.
    fn file(self, rows: &[&Row]) -> (&'static str, Vec<u8>) {
        let lines =
            |header: &str| rows.iter().fold(header.to_owned(), |text, row| text + "\n" + row.text.as_str().expect("text"));
        match self {
            Self::Usage => (
                "csv",
                lines(
                    "SubAccountId,SkuId,ResourceId,ChargeCategory,ConsumedQuantity,BilledCost,EffectiveCost,BillingCurrency,\
                     ChargePeriodStart,ChargePeriodEnd",
                )
                .into_bytes(),
            ),
            Self::Cost => (
                "csv",
                lines(
                    "bill/PayerAccountId,bill/BillingPeriodStartDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/UsageStartDate,\
                     lineItem/UsageEndDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,lineItem/CurrencyCode,\
                     lineItem/UnblendedCost",
                )
                .into_bytes(),
            ),
            Self::Event => (
                "csv",
                lines("system,customer_native_id,subject_kind,subject_id,native_sku,event,event_at,recorded_at").into_bytes(),
            ),
            Self::Addition | Self::State => {
                let records = Value::from(rows.iter().map(|row| row.text.clone()).collect::<Vec<_>>());
                let page = if self == Self::State { json!({"record_count": rows.len(), "users": records}) } else { records };
                ("json", page.to_string().into())
            }
            Self::Invoice => {
                let invoices: Vec<Value> = rows
                    .iter()
                    .map(|row| {
                        let mut invoice = row.text.clone();
                        let line = invoice.as_object_mut().and_then(|fields| fields.shift_remove("line"));
                        invoice["lines"] = json!({"data": [line], "has_more": false});
                        invoice
                    })
                    .collect();
                ("json", json!({"object": "list", "data": invoices}).to_string().into())
            }
        }
    }
}

/// A row of an export, and what the view must show of it.
#[derive(Clone, Debug)]
struct Row {
    /// When it became known, where it says so itself.
    own_date: Option<DateTime<Utc>>,
    shown: Vec<(&'static str, String)>,
    text: Value,
}

/// Of each key of each kind: what was said on each date, if anything.
#[derive(Clone, Debug)]
pub struct History(BTreeMap<Kind, Vec<Vec<Option<u8>>>>);

impl History {
    pub fn any() -> impl Strategy<Value = Self> {
        let key = || prop::collection::vec(prop::option::weighted(0.6, 0..VARIANTS), DATES.len());
        let keys = || prop::collection::vec(key(), 0..8);
        (keys(), keys(), keys(), keys(), keys(), keys())
            .prop_map(|(a, b, c, d, e, f)| Self(KINDS.into_iter().zip([a, b, c, d, e, f]).collect()))
    }

    /// The statements of a date.
    fn on(&self, kind: Kind, date: usize) -> Vec<Vec<Row>> {
        let keys = self.0[&kind].iter().enumerate();
        keys.filter_map(|(key, said)| said[date].map(|variant| kind.says(key, variant))).collect()
    }

    /// What contradicts them, for every other key.
    fn otherwise(&self, kind: Kind, date: usize) -> Vec<Vec<Row>> {
        let keys = self.0[&kind].iter().enumerate().step_by(2);
        keys.filter_map(|(key, said)| said[date].map(|variant| kind.says(key, (variant + 1) % VARIANTS))).collect()
    }
}

/// What a person reads in a history: of every key what was said last, and since when that is known.
fn expected(history: &History, kind: Kind, as_of: Option<DateTime<Utc>>) -> Vec<Vec<(&'static str, String)>> {
    let mut all = Vec::new();
    for (key, said) in history.0[&kind].iter().enumerate() {
        if let Some(group) = kind.replaced_with(key) {
            // The last date on which any key of the group was spoken of: what was not said again then is gone.
            let of_group = |at: &usize| {
                let mut keys = history.0[&kind].iter().enumerate().filter(|(other, _)| kind.replaced_with(*other) == Some(group));
                as_of.is_none_or(|as_of| midnight(DATES[*at]) <= as_of) && keys.any(|(_, said)| said[*at].is_some())
            };
            let last = (0..DATES.len()).rev().find(of_group);
            if let Some((date, variant)) = last.and_then(|at| Some((midnight(DATES[at]), said[at]?))) {
                let recorded_at = date.format("%Y-%m-%dT%H:%M:%SZ").to_string();
                let rows = kind.says(key, variant).into_iter();
                all.extend(rows.map(|row| [row.shown, vec![("recorded_at", recorded_at.clone())]].concat()));
            }
            continue;
        }
        let mut known: Vec<(DateTime<Utc>, DateTime<Utc>, Vec<Row>)> = Vec::new();
        for (date, variant) in DATES.iter().zip(said).filter_map(|(date, variant)| Some((midnight(date), (*variant)?))) {
            let rows = kind.says(key, variant);
            let own = rows.iter().map(|row| row.own_date.unwrap_or(date)).min().expect("a row");
            // What was known before it was exported was known in its first version only.
            known.push((if known.is_empty() { own } else { own.max(date) }, date, rows));
        }
        known.retain(|(known_at, ..)| as_of.is_none_or(|as_of| *known_at <= as_of));
        known.sort_by_key(|(known_at, date, _)| (*known_at, *date));
        let content = |rows: &[Row]| rows.iter().map(|row| row.shown.clone()).collect::<Vec<_>>();
        known.dedup_by(|later, earlier| content(&later.2) == content(&earlier.2));
        let Some((_, date, rows)) = known.pop() else { continue };
        all.extend(rows.into_iter().map(|row| {
            let recorded_at = row.own_date.unwrap_or(date).format("%Y-%m-%dT%H:%M:%SZ").to_string();
            [row.shown, vec![("recorded_at", recorded_at)]].concat()
        }));
    }
    all.sort();
    all
}

/// How a history is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// One file per kind and date.
    Whole,
    /// Statements dealt to files, some to two; those of reports that are cut by size row by row.
    Statements,
    /// Rows dealt to files whatever they belong to, and a file of each date that says something else.
    Rows,
}

/// Writes the files of a history.
pub fn files(place: &Place, history: &History, cut: Cut, dice: &mut ChaCha8Rng) -> Vec<PathBuf> {
    let fixed = [
        (
            "mapping/customers.csv",
            "system,native_id,customer_key,customer_name\nconnectwise,2000,C1,Harbor\nfocus,acc-1,C1,Harbor\nstripe,cus_1,C1,Harbor\n",
        ),
        (
            "mapping/services.csv",
            "system,native_sku,service_key,service_name,unit\nfocus,S1,P0,Seats,seat\nconnectwise,P0,P0,Seats,seat\n",
        ),
        (
            "agreements_2026-01-01.json",
            r#"[{"id":500,"name":"A","company":{"id":2000},"startDate":"2026-01-01"},{"id":501,"name":"B","company":{"id":2001},"startDate":"2026-01-01"}]"#,
        ),
    ];
    let mut files: Vec<PathBuf> = fixed.iter().map(|(name, text)| place.write(name, text)).collect();
    for (kind, (at, date)) in KINDS.into_iter().flat_map(|kind| DATES.iter().enumerate().map(move |date| (kind, date))) {
        let is_torn = cut == Cut::Statements && kind.is_cut_by_size();
        let statements = match cut {
            _ if is_torn || cut == Cut::Rows => history.on(kind, at).into_iter().flatten().map(|row| vec![row]).collect(),
            _ => history.on(kind, at),
        };
        let count = if cut == Cut::Whole { 1 } else { dice.random_range(1..=3) };
        let mut parts: Vec<Vec<&Row>> = vec![Vec::new(); count];
        for statement in &statements {
            let chosen: BTreeSet<usize> = match cut {
                Cut::Statements if !is_torn && dice.random_bool(0.2) => (0..2).map(|_| dice.random_range(0..count)).collect(),
                _ => BTreeSet::from([dice.random_range(0..count)]),
            };
            chosen.into_iter().for_each(|part| parts[part].extend(statement));
        }
        if is_torn {
            without_equal_parts(&mut parts);
        }
        let others = if cut == Cut::Rows { history.otherwise(kind, at) } else { Vec::new() };
        parts.push(others.iter().flatten().collect());
        for (number, mut rows) in parts.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            rows.shuffle(dice);
            let (ending, mut content) = kind.file(&rows);
            let mut name = if dice.random_bool(0.5) {
                format!("{date}/{kind:?}-{number}.{ending}")
            } else {
                format!("{kind:?}_{number}_{date}.{ending}")
            };
            if cut != Cut::Whole && dice.random_bool(0.2) {
                let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packed.write_all(&content).expect("memory");
                content = packed.finish().expect("memory");
                name += ".gz";
            }
            files.push(place.write(&name, content));
        }
    }
    files
}

/// Parts with the same rows would be the same file twice.
fn without_equal_parts(parts: &mut Vec<Vec<&Row>>) {
    let mut kept: BTreeMap<Vec<String>, Vec<&Row>> = BTreeMap::new();
    for part in std::mem::take(parts) {
        let mut part = part;
        loop {
            let mut texts: Vec<String> = part.iter().map(|row| row.text.to_string()).collect();
            texts.sort();
            let Some(mut equal) = kept.remove(&texts) else {
                kept.insert(texts, part);
                break;
            };
            part.append(&mut equal);
            if part.is_empty() {
                break;
            }
        }
    }
    *parts = kept.into_values().collect();
}

/// Ingests the files, by several ingests if in disorder.
pub fn land(lake: &Lake, mut files: Vec<PathBuf>, disorder: Option<&mut ChaCha8Rng>) {
    let (mut parts, mut threads) = (vec![files.clone()], 1);
    if let Some(dice) = disorder {
        let again: Vec<PathBuf> = files.iter().filter(|_| dice.random_bool(0.1)).cloned().collect();
        files.extend(again);
        files.shuffle(dice);
        let size = dice.random_range(1..=files.len()).max(files.len() / 4);
        parts = files.chunks(size).map(<[PathBuf]>::to_vec).collect();
        threads = dice.random_range(1..=2);
    }
    let options = Options { system: None, recorded_at: None, threads, queries: None };
    for part in parts {
        for (path, outcome) in ingest(lake, &part, &options, RUNTIME.handle(), &Silent).expect("an ingest") {
            match outcome {
                Outcome::Landed(batch) => assert_eq!(batch.rows_rejected, 0, "{}", path.display()),
                Outcome::Known | Outcome::PassedOver | Outcome::Manifest => {}
                Outcome::Refused(error) => panic!("{error}"),
            }
        }
    }
}

pub type Rows = Vec<BTreeMap<String, String>>;

async fn rows_of(ctx: &SessionContext, sql: &str) -> Rows {
    let batches = ctx.sql(sql).await.expect(sql).collect().await.expect(sql);
    let mut rows: Rows = Vec::new();
    for batch in &batches {
        let (schema, options) = (batch.schema(), FormatOptions::default());
        for row in 0..batch.num_rows() {
            let cell = |column: usize| {
                let cells = ArrayFormatter::try_new(batch.column(column), &options).expect("a printable column");
                (schema.field(column).name().clone(), plain(cells.value(row).to_string()))
            };
            rows.push((0..batch.num_columns()).map(cell).collect());
        }
    }
    rows.sort();
    rows
}

/// Groups of `known.usage_sum`, and the same from the rows themselves.
pub fn usage_sums(lake: &Lake, as_of: Option<DateTime<Utc>>) -> [Rows; 2] {
    const GROUP: &str = "system, customer_native_id, native_sku, service_month, currency, measure, category, from_at, to_at";
    let lake = lake.clone();
    let read = async move {
        let ctx = session::context(1);
        truth::register(&ctx, &lake, as_of).await.expect("a view of the lake");
        let summed = |of: &str| {
            format!(
                "SELECT {GROUP}, sum(quantity) AS quantity, sum(cost) AS cost, sum(source_rows) AS source_rows FROM {of} GROUP BY {GROUP}"
            )
        };
        let rows = format!("({})", usage_sum::query("SELECT * FROM known.vendor_usage"));
        [rows_of(&ctx, &summed("known.usage_sum")).await, rows_of(&ctx, &summed(&rows)).await]
    };
    RUNTIME.block_on(async { tokio::spawn(read).await.expect("no panic") })
}

/// The rows of every view of `core` that a person reads, sorted.
fn core(lake: &Lake, as_of: Option<DateTime<Utc>>) -> BTreeMap<&'static str, Rows> {
    let views: BTreeSet<&str> =
        KINDS.map(Kind::view).into_iter().chain(["core.customer", "core.service", "facts.subject_event"]).collect();
    said(lake, views, as_of)
}

/// The rows of these views, sorted.
pub fn said(lake: &Lake, views: BTreeSet<&'static str>, as_of: Option<DateTime<Utc>>) -> BTreeMap<&'static str, Rows> {
    let lake = lake.clone();
    let read = async move {
        let ctx = session::context(1);
        truth::register(&ctx, &lake, as_of).await.expect("a view of the lake");
        query::views::register(&ctx, &Catalog::load(None).expect("queries")).await.expect("views");
        let mut found = BTreeMap::new();
        for view in views {
            found.insert(view, rows_of(&ctx, &format!("SELECT * FROM {view}")).await);
        }
        found
    };
    RUNTIME.block_on(async { tokio::spawn(read).await.expect("no panic") })
}

/// A decimal without padding.
fn plain(text: String) -> String {
    match text.split_once('.') {
        Some((whole, fraction)) if whole.parse::<i64>().is_ok() && fraction.bytes().all(|b| b.is_ascii_digit()) => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => text,
    }
}

fn without_provenance(mut core: BTreeMap<&'static str, Rows>) -> BTreeMap<&'static str, Rows> {
    for rows in core.values_mut() {
        rows.iter_mut().for_each(|row| row.retain(|column, _| !["batch_id", "source_row"].contains(&column.as_str())));
        rows.sort();
    }
    core
}

/// `SHORTFALL_CASES` asks for more than a test run has time for.
pub fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("SHORTFALL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    ProptestConfig { cases, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() }
}

/// An event told twice in one file, at different times: one statement of two rows, whatever other files there are.
#[test]
fn rows_of_a_key_in_one_file_stand_together_whatever_else_arrives() {
    let told = |key, date: usize| {
        let mut said = vec![None; DATES.len()];
        said[date] = Some(key);
        said
    };
    let history = |keys: Vec<Vec<Option<u8>>>| {
        let mut all: BTreeMap<Kind, _> = KINDS.into_iter().map(|kind| (kind, Vec::new())).collect();
        all.insert(Kind::Event, keys);
        History(all)
    };
    for keys in [vec![told(2, 0)], vec![told(2, 0), told(0, 1)]] {
        let place = Place::new();
        let lake = new_lake(&place);
        land(&lake, files(&place, &history(keys), Cut::Whole, &mut ChaCha8Rng::seed_from_u64(1)), None);
        let events = core(&lake, None)["core.lifecycle_event"].clone();
        let of_first: Vec<&str> =
            events.iter().filter(|row| row["subject_id"] == "u-0").map(|row| row["recorded_at"].as_str()).collect();
        assert_eq!(of_first, ["2026-01-20T00:00:00Z", "2026-01-25T00:00:00Z"]);
    }
}

pub fn new_lake(place: &Place) -> Lake {
    Lake::create(&place.lake()).expect("a lake")
}

proptest! {
    #![proptest_config(cases(2))]

    #[test]
    fn any_cut_in_any_order_gives_the_same_truth(history in History::any(), seed: u64, as_of in prop::sample::select(&DATES[..])) {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let as_of = midnight(as_of) + Duration::hours(23);
        let (whole, cut) = (Place::new(), Place::new());
        let (one, other) = (new_lake(&whole), new_lake(&cut));
        land(&one, files(&whole, &history, Cut::Whole, &mut dice), None);
        land(&other, files(&cut, &history, Cut::Statements, &mut dice), Some(&mut dice));
        for as_of in [None, Some(as_of)] {
            let said = without_provenance(core(&other, as_of));
            for kind in KINDS {
                let expected = expected(&history, kind, as_of);
                let columns: Vec<&str> = expected.iter().flatten().map(|(name, _)| *name).collect();
                let mut found: Vec<Vec<(&str, String)>> = said[kind.view()]
                    .iter()
                    .filter(|row| row["system"] == kind.system())
                    .map(|row| {
                        let width = expected.first().map_or(0, Vec::len);
                        columns[..width].iter().map(|name| (*name, row[*name].clone())).collect()
                    })
                    .collect();
                found.sort();
                prop_assert_eq!(found, expected, "{:?} as of {:?}", kind, as_of);
            }
            prop_assert_eq!(said, without_provenance(core(&one, as_of)), "as of {:?}", as_of);
            for lake in [&one, &other] {
                let [sums, rows] = usage_sums(lake, as_of);
                prop_assert_eq!(sums, rows, "sums as of {:?}", as_of);
            }
        }
    }

    #[test]
    fn contradicting_files_in_any_order_give_the_same_truth_with_provenance(history in History::any(), seed: u64) {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let (place, elsewhere) = (Place::new(), Place::new());
        let files = files(&place, &history, Cut::Rows, &mut dice);
        let (one, other) = (new_lake(&place), new_lake(&elsewhere));
        land(&one, files.clone(), None);
        land(&other, files, Some(&mut dice));
        prop_assert_eq!(core(&one, None), core(&other, None));
        let [sums, rows] = usage_sums(&other, None);
        prop_assert_eq!(sums, rows);
    }
}
