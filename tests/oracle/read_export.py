"""Reads an export and its lake with other people's engines and prints what they see, as JSON.

read_export.py EXPORT LAKE: DuckDB reads every table of the dictionary; Polars counts the same rows; deltalake and DuckDB read the lake's
finding table. Every difference is an entry of "wrong".
"""

import glob
import json
import os
import sys

import duckdb
import polars
from deltalake import DeltaTable

folder, lake = sys.argv[1:3]
dictionary = json.load(open(os.path.join(folder, "dictionary.json")))["tables"]
db = duckdb.connect()
wrong, rows, sums = [], {}, {}
for table in dictionary:
    name = table["table"]
    is_fact = table["period"] is not None
    path = f"{folder}/{name}/*/data.parquet" if is_fact else f"{folder}/{name}.parquet"
    db.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}', hive_partitioning={'true' if is_fact else 'false'})")
    types = {row[0]: row[1] for row in db.execute(f"DESCRIBE {name}").fetchall()}
    types.pop("period", None)
    stated = {column["name"]: column["type"].replace(", ", ",") for column in table["columns"]}
    if types != stated:
        wrong.append(f"{name}: {types} instead of {stated}")
    rows[name] = db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
    polars_rows = sum(polars.read_parquet(file, hive_partitioning=False).height for file in glob.glob(path))
    if polars_rows != rows[name]:
        wrong.append(f"{name}: Polars sees {polars_rows} rows, DuckDB {rows[name]}")
    key = ", ".join(f'"{column}"' for column in table["key"])
    if db.execute(f"SELECT count(*) FROM (SELECT {key} FROM {name} GROUP BY {key} HAVING count(*) > 1)").fetchone()[0]:
        wrong.append(f"{name}: the key is not unique")
    if is_fact and db.execute(f"SELECT count(*) FROM {name} WHERE strftime({table['period']}, '%Y-%m') <> period").fetchone()[0]:
        wrong.append(f"{name}: rows in the folder of another month")
for table in dictionary:
    for column in table["columns"]:
        if column["refers_to"]:
            dimension, key = column["refers_to"].split(".")
            orphans = f'SELECT count(*) FROM {table["table"]} AS f ANTI JOIN {dimension} AS d ON f."{column["name"]}" = d."{key}"'
            if db.execute(orphans).fetchone()[0]:
                wrong.append(f'{table["table"]}.{column["name"]}: keys that {dimension} does not have')
days = db.execute("SELECT count(*), date_diff('day', min(date), max(date)) + 1, strftime(min(date), '%m-%d'), strftime(max(date), '%m-%d') FROM dim_date").fetchone()
if days[0] != days[1]:
    wrong.append(f"dim_date has gaps: {days}")
for name, column in [("fact_finding", "leakage"), ("fact_finding_month", "counted"), ("fact_gap", "gap"), ("fact_gap_cause", "amount"), ("fact_monthly", "revenue")]:
    sums[f"{name}.{column}"] = str(db.execute(f"SELECT CAST(coalesce(sum({column}), 0) AS DECIMAL(20, 2)) FROM {name}").fetchone()[0])
findings = DeltaTable(os.path.join(lake, "marts/finding"))
seen = [findings.to_pyarrow_table().num_rows, polars.read_delta(os.path.join(lake, "marts/finding")).height]
if seen != [rows["fact_finding"]] * 2:
    wrong.append(f"marts/finding: deltalake and Polars see {seen} rows, the export has {rows['fact_finding']}")
print(json.dumps({"wrong": wrong, "rows": rows, "sums": sums, "calendar": list(days[2:])}))
