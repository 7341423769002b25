"""Runs the `recompute.sql` of evidence packs in DuckDB and prints every figure: pack, figure, stated, recomputed, whether they agree.

    shortfall explain --lake LAKE FINDING_ID --pack PACK
    pip install -r tests/oracle/requirements.txt
    python tests/oracle/check_pack.py PACK...

Exit code 1 if a figure does not agree or a statement fails. `cargo test --test analysis pack` runs it on a finding of every signal.
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
    try:
        for statement in statements:
            answer = connection.execute(statement)
        figures = answer.fetchall()
    except duckdb.Error as error:
        print(folder, error, sep=": ", file=sys.stderr)
        differing += 1
        continue
    for figure, stated, recomputed, agrees in figures:
        print(folder, figure, stated, recomputed, "agrees" if agrees else "DIFFERS", sep="\t")
        differing += agrees is not True
sys.exit(1 if differing else 0)
