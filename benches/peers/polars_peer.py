"""The same two jobs in Polars. Quantities and costs are Decimal(38, 18), as in Shortfall's lake."""

import os
import sys

# Read once, when Polars is imported.
os.environ["POLARS_MAX_THREADS"] = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv else "2"

from pathlib import Path

import peer
import polars as pl

MONEY = pl.Decimal(38, 18)
# Instants are read as text: the CSV reader has no format of its own for them.
TYPES = {peer.TEXT: pl.String, peer.DECIMAL: MONEY, peer.INSTANT: pl.String}


def lake(data: Path, out: Path, threads: int) -> None:
    del threads
    schema = {name: TYPES[kind] for name, kind in peer.SOURCE.items()}
    column = pl.col
    instant = lambda name: column(name).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us")  # noqa: E731
    pl.scan_csv(data / "usage" / "*.csv", schema=schema, null_values=["NULL"]).select(
        provider="ProviderName",
        customer_native_id="SubAccountId",
        customer_native_name="SubAccountName",
        native_sku=pl.coalesce("SkuId", "ServiceName"),
        native_name="ServiceName",
        subject_id="ResourceId",
        line_key="SkuPriceId",
        category=column("ChargeCategory").str.to_lowercase(),
        measure=pl.lit("flow"),
        quantity=pl.coalesce("ConsumedQuantity", "PricingQuantity"),
        unit=pl.coalesce("ConsumedUnit", "PricingUnit"),
        unit_cost="ContractedUnitPrice",
        cost="BilledCost",
        currency="BillingCurrency",
        period_start=instant("ChargePeriodStart"),
        period_end=instant("ChargePeriodEnd"),
        is_correction=column("ChargeClass").eq_missing("Correction"),
        service_month=instant("ChargePeriodStart").dt.truncate("1mo").dt.date(),
    ).sink_parquet(
        pl.PartitionBy(out, key="service_month", include_key=False), compression="zstd", mkdir=True, maintain_order=False
    )


def facts(data: Path, source: Path, result: Path, threads: int) -> None:
    del threads
    result.mkdir(parents=True, exist_ok=True)
    pair = ["customer_key", "service_key", "currency"]
    # Shortfall's own lake, with `--over`, has a folder for each system above the months.
    folders = {"service_month": pl.Date} | ({"system": pl.String} if "system=" in str(source) else {})
    usage = pl.scan_parquet(source / "**" / "*.parquet", hive_partitioning=True, hive_schema=folders)
    text = {"infer_schema": False}
    customers = pl.scan_csv(data / "customers.csv", **text).select("native_id", "customer_key")
    services = pl.scan_csv(data / "services.csv", **text).select("native_sku", "service_key", pl.col("unit_factor").cast(MONEY))
    fact = (
        usage.group_by("customer_native_id", "native_sku", "service_month", "currency")
        .agg(quantity=pl.col("quantity").filter(pl.col("category") == "usage").sum(), cost=pl.col("cost").sum())
        .join(customers, left_on="customer_native_id", right_on="native_id")
        .join(services, on="native_sku")
        .group_by("customer_key", "service_key", "currency", month="service_month")
        # The factors here are whole; decimals of scale 18 multiply with theirs.
        .agg((pl.col("quantity") * pl.col("unit_factor").cast(pl.Int32)).sum().alias("quantity"), pl.col("cost").sum())
        .collect(engine="streaming")
    )
    spine = (
        fact.group_by(pair).agg(first=pl.col("month").min(), last=pl.col("month").max())
        .with_columns(month=pl.date_ranges("first", "last", "1mo")).explode("month").drop("first", "last")
    )
    fact = spine.join(fact, on=[*pair, "month"], how="left")
    point = fact.lazy().filter(pl.col("quantity") > 0).select(
        *pair, x=pl.col("month").dt.year() * 12 + pl.col("month").dt.month(), y=pl.col("quantity").cast(pl.Float64).log()
    )
    # Theil-Sen: the median slope of all pairs of months; Mann-Kendall's S: the sum of their signs.
    slopes = (
        point.join(point, on=pair, suffix="_b").filter(pl.col("x") < pl.col("x_b")).group_by(pair)
        .agg(
            slope=((pl.col("y_b") - pl.col("y")) / (pl.col("x_b") - pl.col("x"))).median(),
            s=(pl.col("y_b") - pl.col("y")).sign().sum().cast(pl.Int64),
        ).collect(engine="streaming")
    )
    fact.write_parquet(result / "fact_monthly.parquet", compression="zstd")
    slopes.write_parquet(result / "slopes.parquet", compression="zstd")


if __name__ == "__main__":
    peer.run("polars_peer.py", lake, facts)
