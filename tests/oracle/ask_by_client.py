"""Asks a running `shortfall serve` by clients that read its catalogue first, and prints what they were answered, as JSON.

ask_by_client.py CLIENT PORT: CLIENT is `odbc` (needs Debian's odbc-postgresql and unixodbc), `psycopg2` or `psycopg` (both through SQLAlchemy).
"""

import datetime
import decimal
import glob
import json
import sys

# One of every type that the star has, exact where it is money.
TYPES = (
    "SELECT CAST('-79228162514.264337593543950335' AS numeric(38,18)) AS money, CAST('2024-02-29' AS date) AS day, "
    "CAST('2026-03-01 12:34:56.789012' AS timestamp) AS instant, true AS flag, 'O''Brien' AS word, CAST(NULL AS text) AS nothing"
)


def plain(value):
    """A value with its type, where JSON would lose it."""
    if isinstance(value, (decimal.Decimal, datetime.date, datetime.datetime)):
        return f"{type(value).__name__} {value}"
    return value


def odbc(port):
    """Microsoft Access, Excel, Tableau and Power BI by ODBC ask like this."""
    import pyodbc

    drivers = glob.glob("/usr/lib/*/odbc/psqlodbcw.so")
    if not drivers:
        raise SystemExit("PostgreSQL's ODBC driver is missing: apt-get install odbc-postgresql unixodbc")
    said = {}
    for declare in (0, 1):
        text = f"Driver={drivers[0]};Server=127.0.0.1;Port={port};Database=shortfall;UID=analyst;UseDeclareFetch={declare};Fetch=5;BoolsAsChar=0"
        connection = pyodbc.connect(text)
        cursor = connection.cursor()
        one = {}
        one["dbms"] = connection.getinfo(pyodbc.SQL_DBMS_NAME)
        one["database"] = connection.getinfo(pyodbc.SQL_DATABASE_NAME)
        one["tables"] = sorted([row.table_schem, row.table_name, row.table_type] for row in cursor.tables(schema="bi", table="fact_f%"))
        one["remarks"] = [row.remarks for row in cursor.tables(schema="bi", table="dim_customer")]
        one["schemas"] = sorted(row[1] for row in cursor.tables(schema="%", catalog="", table=""))
        one["columns"] = [[row.column_name, row.type_name] for row in cursor.columns(schema="bi", table="fact_finding")]
        one["primary_keys"] = [row.column_name for row in cursor.primaryKeys(schema="bi", table="dim_customer")]
        one["foreign_keys"] = sorted([row.fkcolumn_name, row.pktable_name] for row in cursor.foreignKeys(foreignSchema="bi", foreignTable="fact_finding"))
        one["statistics"] = [row.index_name for row in cursor.statistics(schema="bi", table="fact_finding") if row.index_name]
        one["types"] = len(cursor.getTypeInfo().fetchall()) > 5
        one["values"] = [plain(value) for value in cursor.execute(TYPES).fetchone()]
        one["walked"] = len(cursor.execute("SELECT month FROM bi.fact_monthly").fetchall())
        bound = cursor.execute(
            "SELECT quarter_start, leakage FROM bi.fact_finding WHERE leakage > ? AND quarter_start >= ? AND currency = ? ORDER BY quarter_start",
            decimal.Decimal("10.50"),
            datetime.date(2026, 1, 1),
            "USD",
        )
        one["bound"] = [[plain(value) for value in row] for row in bound.fetchall()]
        try:
            cursor.execute("DELETE FROM bi.fact_finding")
            one["written"] = "accepted"
        except pyodbc.Error as error:
            one["written"] = error.args[0]
        said[f"declare_{declare}"] = one
        connection.close()
    return said


def sqlalchemy(driver, port):
    """Superset, pandas and notebooks ask like this."""
    import sqlalchemy as sa

    engine = sa.create_engine(f"postgresql+{driver}://analyst@127.0.0.1:{port}/shortfall")
    inspector = sa.inspect(engine)
    said = {
        "schemas": sorted(inspector.get_schema_names()),
        "default_schema": inspector.default_schema_name,
        "tables": sorted(inspector.get_table_names("bi")),
        "views": sorted(inspector.get_view_names("bi")),
        "has_table": inspector.has_table("fact_finding", schema="bi"),
        "columns": [[column["name"], str(column["type"])] for column in inspector.get_columns("fact_finding", schema="bi")],
        "column_comments": sum(bool(column["comment"]) for column in inspector.get_columns("fact_finding", schema="bi")),
        "comment": inspector.get_table_comment("fact_finding", schema="bi")["text"],
        "primary_key": inspector.get_pk_constraint("dim_customer", schema="bi")["constrained_columns"],
        "foreign_keys": sorted([key["constrained_columns"][0], key["referred_table"]] for key in inspector.get_foreign_keys("fact_finding", schema="bi")),
        "indexes": inspector.get_indexes("fact_finding", schema="bi"),
        "unique": inspector.get_unique_constraints("fact_finding", schema="bi"),
        "checks": inspector.get_check_constraints("fact_finding", schema="bi"),
    }
    table = sa.Table("fact_finding", sa.MetaData(), schema="bi", autoload_with=engine)
    with engine.connect() as connection:
        said["values"] = [plain(value) for value in connection.execute(sa.text(TYPES)).fetchone()]
        chosen = sa.select(sa.func.sum(table.c.leakage)).where(table.c.leakage > decimal.Decimal("10.50"), table.c.currency == "USD")
        said["leakage"] = plain(connection.execute(chosen).scalar())
        walked = connection.execution_options(stream_results=True, max_row_buffer=5).execute(sa.text("SELECT month FROM bi.fact_monthly"))
        said["walked"] = len(walked.fetchall())
        connection.rollback()
    with engine.connect() as connection, connection.begin_nested():
        said["nested"] = connection.execute(sa.text("SELECT 40 + 2")).scalar()
    return said


if __name__ == "__main__":
    client, port = sys.argv[1], int(sys.argv[2])
    print(json.dumps(odbc(port) if client == "odbc" else sqlalchemy(client, port)))
