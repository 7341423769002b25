"""Runs the `recompute.sql` of evidence packs in DuckDB and says whether every figure agrees.

    shortfall explain --lake LAKE FINDING_ID --pack PACK
    pip install -r benches/peers/requirements.txt
    python tests/oracle/check_pack.py PACK...

Exit code 1 if a figure does not. Last run: DuckDB 2.0.1, every finding of the worked example.
"""

import os
import sys

import duckdb

differing = 0
start = os.getcwd()
for folder in sys.argv[1:]:
    os.chdir(os.path.join(start, folder))
    connection = duckdb.connect()
    with open("recompute.sql", encoding="utf-8") as file:
        statements = connection.extract_statements(file.read())
    for statement in statements:
        answer = connection.execute(statement)
    for figure, stated, recomputed, agrees in answer.fetchall():
        print(folder, figure, stated, recomputed, "agrees" if agrees else "DIFFERS", sep="\t")
        differing += agrees is not True
sys.exit(1 if differing else 0)
