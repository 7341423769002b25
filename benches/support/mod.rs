//! A small, fixed book of usage as FOCUS CSV with its crosswalks, written anew for each bench: no download, no seed to agree on.

use shortfall::ingest::{Options, Outcome, Silent, ingest, plan};
use shortfall::lake::Lake;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Threads of every bench: the figures in the README are for two.
pub const THREADS: usize = 2;
const PAIRS: u64 = 548;
const SKUS: u64 = 40;
const DAYS_OF_MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// A runtime like that of the command.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_stack_size(shortfall::STACK)
        .enable_all()
        .build()
        .expect("threads can be started")
}

/// Exports in a folder that goes with this value.
pub struct Exports {
    folder: TempDir,
    /// Usage rows in them.
    pub rows: u64,
}

impl Exports {
    /// 200,020 rows of 2025: one per day and pair of customer and SKU, in the order of days.
    pub fn write() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut rows = 0;
        for (month, days) in (1_u64..).zip(DAYS_OF_MONTHS) {
            let mut text = String::from(
                "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ChargeClass,ProviderName,\
                 SubAccountId,SubAccountName,SkuId,SkuPriceId,ServiceName,ResourceId,ConsumedQuantity,ConsumedUnit,ContractedUnitPrice,\
                 InvoiceIssuerName\n",
            );
            for day in 1..=days {
                for pair in 0..PAIRS {
                    line(&mut text, month, day, days, pair);
                    rows += 1;
                }
            }
            save(folder.path(), &format!("focus_2025-{month:02}.csv"), &text);
        }
        let mut customers = String::from("system,native_id,customer_key,customer_name\n");
        for customer in 0..PAIRS.div_ceil(3) {
            let _ = writeln!(customers, "focus,{},customer-{customer:04},Customer {customer}", account(customer));
        }
        save(folder.path(), "customers.csv", &customers);
        let mut services = String::from("system,native_sku,service_key,service_name,unit,unit_factor\n");
        for sku in 0..SKUS {
            let _ = writeln!(services, "focus,SKU{sku:09},service-{sku:02},Service {sku},Hours,1");
        }
        save(folder.path(), "services.csv", &services);
        Self { folder, rows }
    }

    /// The files in a fixed order.
    pub fn files(&self) -> Vec<PathBuf> {
        plan::files(&[self.folder.path().to_owned()]).expect("the files just written")
    }

    /// Lands everything in a new lake at `root`.
    pub fn ingest(&self, root: &Path, runtime: &Runtime) -> Lake {
        let lake = Lake::create(root).expect("a new lake");
        let options = Options { system: None, recorded_at: None, threads: THREADS, queries: None };
        let outcomes = ingest(&lake, &self.files(), &options, runtime.handle(), &Silent).expect("an ingest without faults");
        assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Landed(batch) if batch.rows_rejected == 0)));
        lake
    }
}

fn save(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a writable temporary folder");
}

fn account(customer: u64) -> u64 {
    100_000_000_000 + customer * 4_819_739_141 % 900_000_000_000
}

fn line(text: &mut String, month: u64, day: u64, days: u64, pair: u64) {
    let customer = pair / 3;
    let sku = (customer * 7 + pair % 3 * 17) % SKUS;
    // Millionths of a unit and ten-thousandths of a currency: their product has ten decimals, as real costs do.
    let noise = (pair * 2_654_435_761 + month * 40_503 + day * 97) % 200_003;
    let quantity = (pair + 1) * 100_000 + month * (pair % 11) * 3_000 + noise;
    let price = 20 + pair * 7_919 % 40_000;
    let cost = quantity * price;
    let (next_month, next_day) = if day == days { (month + 1, 1) } else { (month, day + 1) };
    let (next_year, next_month) = if next_month > 12 { (2026, 1) } else { (2025, next_month) };
    let cost = format!("{}.{:010}", cost / 10_000_000_000, cost % 10_000_000_000);
    let _ = writeln!(
        text,
        "{cost},{cost},USD,2025-{month:02}-{day:02}T00:00:00Z,{next_year}-{next_month:02}-{next_day:02}T00:00:00Z,Usage,,AWS,\
         {},Tenant {customer},SKU{sku:09},SKU{sku:09}.JRTCKXETXF,Amazon Elastic Compute Cloud,i-0{:016x},{}.{:06},Hours,{}.{:04},\
         \"Amazon Web Services, Inc.\"",
        account(customer),
        pair.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        quantity / 1_000_000,
        quantity % 1_000_000,
        price / 10_000,
        price % 10_000,
    );
}
