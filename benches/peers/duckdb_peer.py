"""The same two jobs in DuckDB. Quantities and costs are DECIMAL(38, 18), as in Shortfall's lake."""

from pathlib import Path

import duckdb
import peer

TYPES = {peer.TEXT: "VARCHAR", peer.DECIMAL: "DECIMAL(38,18)", peer.INSTANT: "TIMESTAMP"}


def connect(threads: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET enable_progress_bar = false")
    return connection


def lake(data: Path, out: Path, threads: int) -> None:
    columns = ", ".join(f"'{name}': '{TYPES[kind]}'" for name, kind in peer.SOURCE.items())
    connect(threads).execute(f"""
        COPY (
          SELECT ProviderName AS provider, SubAccountId AS customer_native_id, SubAccountName AS customer_native_name,
                 coalesce(SkuId, ServiceName) AS native_sku, ServiceName AS native_name, ResourceId AS subject_id,
                 SkuPriceId AS line_key, lower(ChargeCategory) AS category, 'flow' AS measure,
                 coalesce(ConsumedQuantity, PricingQuantity) AS quantity, coalesce(ConsumedUnit, PricingUnit) AS unit,
                 ContractedUnitPrice AS unit_cost, BilledCost AS cost, BillingCurrency AS currency,
                 ChargePeriodStart AS period_start, ChargePeriodEnd AS period_end,
                 coalesce(ChargeClass, '') = 'Correction' AS is_correction,
                 CAST(date_trunc('month', ChargePeriodStart) AS DATE) AS service_month
          FROM read_csv('{data}/usage/*.csv', header = true, columns = {{{columns}}}, nullstr = ['', 'NULL'])
        ) TO '{out}' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (service_month))""")


def facts(data: Path, source: Path, result: Path, threads: int) -> None:
    result.mkdir(parents=True, exist_ok=True)
    connection = connect(threads)
    connection.execute(f"""
        CREATE TEMP TABLE fact_monthly AS
        WITH native AS (
          -- Summed before the join: the one pass over the largest table.
          SELECT customer_native_id, native_sku, service_month, currency,
                 sum(CASE WHEN category = 'usage' THEN quantity END) AS quantity, sum(cost) AS cost
          FROM read_parquet('{source}/*/*.parquet', hive_partitioning = true, hive_types = {{'service_month': DATE}})
          GROUP BY ALL
        ),
        fact AS (
          SELECT customer_key, service_key, service_month AS month, currency,
                 sum(quantity * CAST(unit_factor AS INTEGER)) AS quantity, sum(cost) AS cost
          FROM native
          JOIN read_csv('{data}/customers.csv', all_varchar = true) AS customer ON customer_native_id = native_id
          JOIN read_csv('{data}/services.csv', all_varchar = true) AS service USING (native_sku)
          GROUP BY ALL
        ),
        spine AS (
          SELECT customer_key, service_key, currency, CAST(unnest(generate_series(first, last, INTERVAL 1 MONTH)) AS DATE) AS month
          FROM (SELECT customer_key, service_key, currency, min(month) AS first, max(month) AS last FROM fact GROUP BY ALL)
        )
        SELECT customer_key, service_key, month, currency, quantity, cost
        FROM spine LEFT JOIN fact USING (customer_key, service_key, month, currency)""")
    # Theil-Sen: the median slope of all pairs of months; Mann-Kendall's S: the sum of their signs.
    connection.execute("""
        CREATE TEMP TABLE slopes AS
        WITH point AS (
          SELECT customer_key, service_key, currency, year(month) * 12 + month(month) AS x, ln(CAST(quantity AS DOUBLE)) AS y
          FROM fact_monthly WHERE quantity > 0
        )
        SELECT customer_key, service_key, currency, median((b.y - a.y) / (b.x - a.x)) AS slope,
               CAST(sum(sign(b.y - a.y)) AS BIGINT) AS s
        FROM point AS a JOIN point AS b USING (customer_key, service_key, currency)
        WHERE a.x < b.x
        GROUP BY ALL""")
    for table in ["fact_monthly", "slopes"]:
        connection.execute(f"COPY {table} TO '{result}/{table}.parquet' (FORMAT parquet, COMPRESSION zstd)")


if __name__ == "__main__":
    peer.run("duckdb_peer.py", lake, facts)
