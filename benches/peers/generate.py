"""Writes usage as a cloud vendor exports it: FOCUS 1.2 CSV, one file per month, and the two crosswalks.

    python generate.py --rows 1000000 --out DIR

The same rows and seed give the same bytes. Per month one row per day and pair of customer and SKU, in the order of days, then
customers. One pair in twenty begins late, one in twenty ends early, one in fifty pauses for two months (so that the month spine has
something to fill); one customer in twenty has two tenants, sixty SKUs are forty services, one customer in ten is billed in EUR.
"""

import argparse
import calendar
import datetime
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

FIRST_YEAR, MONTHS = 2024, 36
SKUS, SERVICES, SKUS_PER_CUSTOMER = 60, 40, 3
SERVICE_NAMES = ["Amazon Elastic Compute Cloud", "Amazon Simple Storage Service", "Amazon Relational Database Service", "AWS Lambda"]
CATEGORIES = ["Compute", "Storage", "Databases", "Compute"]
UNITS = ["Hours", "GB-Mo", "Hours", "GB-Second"]
REGIONS = ["eu-central-1", "us-east-1", "eu-west-1", "us-west-2", "ap-southeast-2"]
DAYS = (datetime.date(FIRST_YEAR + MONTHS // 12, 1, 1) - datetime.date(FIRST_YEAR, 1, 1)).days
SHARE_ALIVE = 0.97  # what late starts, early ends and pauses leave of pairs x days, roughly


def month_of(index: int) -> tuple[int, int]:
    return FIRST_YEAR + index // 12, index % 12 + 1


def world(rows: int, seed: int) -> pl.DataFrame:
    """One line per pair, in the order of customers."""
    rng = np.random.default_rng([seed, 0])
    pairs = max(SKUS_PER_CUSTOMER, round(rows / (DAYS * SHARE_ALIVE)))
    customers = -(-pairs // SKUS_PER_CUSTOMER)
    accounts = np.sort(rng.choice(899_999_999_999, customers, replace=False) + 100_000_000_000)
    customer = np.arange(pairs) // SKUS_PER_CUSTOMER
    # Three different SKUs each: steps that never meet on a circle of sixty.
    sku = (rng.integers(0, SKUS, customers)[customer] + (np.arange(pairs) % SKUS_PER_CUSTOMER) * 17) % SKUS
    first = np.where(rng.random(pairs) < 0.05, rng.integers(1, 24, pairs), 0)
    last = np.where(rng.random(pairs) < 0.05, rng.integers(24, MONTHS - 1, pairs), MONTHS - 1)
    pause = np.where(rng.random(pairs) < 0.02, rng.integers(24, 34, pairs), -9)
    # A pause never is a pair's end: that would be an end.
    pause = np.where(pause + 2 < last, pause, -9)
    frame = pl.DataFrame({
        "customer": customer,
        "account": accounts[customer].astype(str),
        "sku": sku,
        "resource": rng.integers(1 << 60, (1 << 62) - 1, pairs),
        "region": rng.integers(0, len(REGIONS), pairs),
        "first": first, "last": last, "pause": pause,
        "level": rng.lognormal(3.0, 1.2, pairs),
        "growth": rng.normal(0.003, 0.012, pairs),
        "price": rng.integers(20, 40_000, pairs),  # in 1/10,000
        "currency": np.where(customer % 10 == 3, "EUR", "USD"),
    })
    text = pl.col("resource").map_elements(lambda n: f"i-0{n:016x}", return_dtype=pl.String)
    return frame.with_columns(resource=text).with_row_index("pair")


def sku_table() -> pl.DataFrame:
    index = np.arange(SKUS)
    return pl.DataFrame({
        "sku": index,
        "sku_id": [f"{(n * 2_654_435_761) % 36**6:08X}{n:02d}SKU"[-12:] for n in index],
        "service_name": [SERVICE_NAMES[n % 4] for n in index],
        "category": [CATEGORIES[n % 4] for n in index],
        "unit": [UNITS[n % 4] for n in index],
        "service_key": [f"service-{n % SERVICES:02d}" for n in index],
    })


def trimmed(scaled: pl.Expr, digits: int) -> pl.Expr:
    """An integer in units of 10^-digits as the shortest decimal text."""
    whole = (scaled // 10**digits).cast(pl.String)
    part = (scaled % 10**digits).cast(pl.String).str.zfill(digits).str.strip_chars_end("0")
    return pl.when(part == "").then(whole).otherwise(whole + "." + part)


def month_frame(pairs: pl.DataFrame, index: int, seed: int) -> pl.DataFrame:
    year, month = month_of(index)
    days = calendar.monthrange(year, month)[1]
    alive = pairs.filter(
        (pl.col("first") <= index) & (pl.col("last") >= index) & ~pl.lit(index).is_between(pl.col("pause"), pl.col("pause") + 1)
    )
    count = alive.height
    rng = np.random.default_rng([seed, 1, index])
    day = np.repeat(np.arange(days), count)
    weekday = (datetime.date(year, month, 1).weekday() + day) % 7
    level = np.tile(alive["level"].to_numpy() * np.exp(alive["growth"].to_numpy() * index), days)
    quantity = level * np.where(weekday >= 5, 0.7, 1.0) * np.exp(rng.normal(0, 0.15, count * days))
    micros = np.maximum(np.rint(quantity * 1e6), 1).astype(np.int64)
    price = np.tile(alive["price"].to_numpy(), days)
    date = np.datetime64(f"{year}-{month:02d}-01") + day
    start = f"{year}-{month:02d}-01T00:00:00Z"
    after = month_of(index + 1)
    repeated = pl.concat([alive.select("account", "customer", "resource", "region", "currency", "sku_id", "service_name", "category", "unit")] * days)
    cost = trimmed(pl.col("cost"), 10)
    amount = trimmed(pl.col("micros"), 6)
    unit_price = trimmed(pl.col("price"), 4)
    stamp = lambda column: pl.col(column).dt.strftime("%Y-%m-%dT00:00:00Z")  # noqa: E731
    region = pl.col("region").replace_strict(dict(enumerate(REGIONS)), return_dtype=pl.String)
    return repeated.with_columns(
        micros=pl.Series(micros), price=pl.Series(price), cost=pl.Series(micros * price),
        date=pl.Series(date), next=pl.Series(date + 1),
    ).select(
        BilledCost=cost,
        BillingAccountId=pl.lit("100000000001"),
        BillingAccountName=pl.lit("Northwind Managed Services"),
        BillingCurrency="currency",
        BillingPeriodEnd=pl.lit(f"{after[0]}-{after[1]:02d}-01T00:00:00Z"),
        BillingPeriodStart=pl.lit(start),
        ChargeCategory=pl.lit("Usage"),
        ChargeClass=pl.lit(None, dtype=pl.String),
        ChargeDescription=unit_price + " per " + pl.col("unit"),
        ChargeFrequency=pl.lit("Usage-Based"),
        ChargePeriodEnd=stamp("next"),
        ChargePeriodStart=stamp("date"),
        ConsumedQuantity=amount,
        ConsumedUnit="unit",
        ContractedCost=cost,
        ContractedUnitPrice=unit_price,
        EffectiveCost=cost,
        InvoiceIssuerName=pl.lit("Amazon Web Services, Inc."),
        ListCost=cost,
        PricingQuantity=amount,
        PricingUnit="unit",
        ProviderName=pl.lit("AWS"),
        PublisherName=pl.lit("AWS"),
        RegionId=region,
        ResourceId="resource",
        ServiceCategory="category",
        ServiceName="service_name",
        SkuId="sku_id",
        SkuPriceId=pl.col("sku_id") + ".JRTCKXETXF",
        SubAccountId="account",
        SubAccountName="Tenant " + pl.col("customer").cast(pl.String),
    )


def crosswalks(pairs: pl.DataFrame, skus: pl.DataFrame, out: Path) -> None:
    # The second tenant of a customer: every twentieth account belongs to the one before it.
    owner = pl.when(pl.col("customer") % 20 == 19).then(pl.col("customer") - 1).otherwise(pl.col("customer"))
    pairs.unique("customer", maintain_order=True).select(
        system=pl.lit("focus"), native_id="account", native_name="Tenant " + pl.col("customer").cast(pl.String),
        customer_key="customer-" + owner.cast(pl.String).str.zfill(6), customer_name="Customer " + owner.cast(pl.String),
        valid_from=pl.lit(None, dtype=pl.String), valid_to=pl.lit(None, dtype=pl.String),
    ).write_csv(out / "customers.csv")
    skus.select(
        system=pl.lit("focus"), native_sku="sku_id", native_name="service_name", service_key="service_key",
        service_name="service_key", unit="unit", unit_factor=pl.lit("1"), valid_from=pl.lit(None, dtype=pl.String), valid_to=pl.lit(None, dtype=pl.String),
    ).write_csv(out / "services.csv")


def months(rows: int, out: Path, seed: int) -> Iterator[tuple[Path, int]]:
    """Writes the crosswalks, then month by month a file of usage; yields it and its rows."""
    skus = sku_table()
    pairs = world(rows, seed).join(skus, on="sku", maintain_order="left")
    crosswalks(pairs, skus, out)
    for index in range(MONTHS):
        year, month = month_of(index)
        frame = month_frame(pairs, index, seed)
        file = out / "usage" / f"focus_{year}-{month:02d}.csv"
        frame.write_csv(file)
        yield file, frame.height


def generate(rows: int, out: Path, seed: int) -> int:
    """Returns how many rows were written. A finished folder with the same parameters is left alone."""
    mark = out.with_name(out.name + ".txt")  # beside, as the folder is ingested whole
    wanted = f"rows={rows} seed={seed} format=1\n"
    if mark.exists() and mark.read_text().startswith(wanted):
        return int(mark.read_text().splitlines()[1])
    mark.unlink(missing_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    (out / "usage").mkdir(parents=True)
    written = sum(height for _, height in months(rows, out, seed))
    mark.write_text(f"{wanted}{written}\n")
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{generate(arguments.rows, arguments.out, arguments.seed)} rows")


if __name__ == "__main__":
    main()
