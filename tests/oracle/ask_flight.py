"""Asks a running `shortfall serve --flight` as ADBC's driver does, and, for what no driver would send, call by call; prints JSON.

ask_flight.py JOB URI [CERTIFICATE]: JOB is one of the functions below; the password, where there is one, comes from SHORTFALL_PASSWORD.
"""

import json
import os
import sys
import time
from decimal import Decimal

import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pyarrow.flight as flight
from adbc_driver_flightsql import DatabaseOptions
from ask_server import HOSTILE


def options(certificate=None, **more):
    found = {}
    if certificate:
        with open(certificate) as pem:
            found[DatabaseOptions.TLS_ROOT_CERTS.value] = pem.read()
    if password := os.environ.get("SHORTFALL_PASSWORD"):
        found[DatabaseOptions.AUTHORIZATION_HEADER.value] = "Bearer " + password
    return found | more


def connect(uri, certificate=None, **more):
    return adbc.connect(uri, db_kwargs=options(certificate, **more), autocommit=True)


def rows(connection, query, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def read(uri, certificate):
    """Types, a prepared query with parameters, Arrow tables, and the catalogue, as a driver asks for them."""
    with connect(uri) as connection:
        leakage = rows(connection, "SELECT sum(leakage) FROM marts.finding WHERE quarter = $1", ("2026Q2",))[0][0]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT customer_name, quarter_start, leakage FROM bi.fact_finding f JOIN bi.dim_customer c ON f.customer_key = c.customer_key ORDER BY 2"
            )
            table = cursor.fetch_arrow_table()
        listed = connection.adbc_get_objects(depth="all", db_schema_filter="bi").read_all().to_pylist()
        tables = {
            table["table_name"]: [column["column_name"] for column in table["table_columns"]]
            for catalog in listed
            for schema in catalog["catalog_db_schemas"]
            for table in schema["db_schema_tables"]
        }
        info = connection.adbc_get_info()
        schema = connection.adbc_get_table_schema("fact_finding", db_schema_filter="bi")
        empty = rows(connection, "SELECT * FROM bi.fact_finding WHERE false")
        explained = rows(connection, "EXPLAIN SELECT 1")
        two = rows(connection, "SELECT $2, $1 WHERE $1 = 'a'", ("a", "b"))
    return {
        "leakage": str(leakage),
        "is_decimal": isinstance(leakage, Decimal),
        "by_customer": [[row["customer_name"], str(row["quarter_start"]), str(row["leakage"])] for row in table.to_pylist()],
        "tables": sorted(tables),
        "columns": tables.get("fact_finding"),
        "types": {name: str(schema.field(name).type) for name in ("leakage", "signal", "quarter_start")},
        "vendor": info["vendor_name"],
        "empty": empty,
        "explained": len(explained),
        "two": two,
    }


def hostile(uri, certificate):
    """Each statement, plain and prepared; then whether the server still answers."""
    accepted = []
    statements = HOSTILE.strip().splitlines()
    for statement in statements:
        for prepare in (False, True):
            with connect(uri) as connection, connection.cursor() as cursor:
                try:
                    if prepare:
                        cursor.adbc_prepare(statement)
                    cursor.execute(statement)
                    cursor.fetchall()
                    accepted.append(["prepared" if prepare else "plain", statement])
                except adbc.Error:
                    pass
    with connect(uri) as connection:
        alive = rows(connection, "SELECT count(*) FROM marts.finding")[0][0]
    return {"statements": len(statements), "accepted": accepted, "findings": alive}


def field(number, content):
    """A length-delimited field of a protocol buffer."""
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def command(name, content=b""):
    return field(1, b"type.googleapis.com/arrow.flight.protocol.sql." + name.encode()) + field(2, content)


def calls(uri, certificate):
    """What no driver sends: plans instead of SQL, uploads, updates, forged and broken tickets. Which of them were not refused, and whether it still answers."""
    client = flight.connect(uri.replace("grpc://", "grpc+tcp://"))
    stolen = pa.table({"a": [1]})
    plan = field(1, field(1, b"\x00"))
    tickets = {
        "INSERT": command("TicketStatementQuery", field(1, field(1, b"INSERT INTO marts.mute SELECT * FROM marts.mute"))),
        "COPY": command("TicketStatementQuery", field(1, field(1, b"COPY (SELECT 1) TO '/tmp/shortfall_stolen.csv'"))),
        "prepared SET": command("CommandPreparedStatementQuery", field(1, field(1, b"SET datafusion.execution.batch_size = 1"))),
        "Substrait": command("CommandStatementSubstraitPlan", plan),
        "no statement": command("TicketStatementQuery", b"\xff\xff\xff"),
        "unknown": command("CommandOfSomebodyElse"),
        "junk": b"\x00\x01\x02" * 1000,
        "empty": b"",
        "keys": command("CommandGetPrimaryKeys"),
    }
    tried = {"ticket: " + name: (lambda ticket=ticket: client.do_get(flight.Ticket(ticket)).read_all()) for name, ticket in tickets.items()}
    for name in ("CommandStatementSubstraitPlan", "CommandStatementUpdate", "CommandStatementIngest"):
        content = plan if "Substrait" in name else field(1, b"INSERT INTO marts.mute SELECT * FROM marts.mute")
        descriptor = flight.FlightDescriptor.for_command(command(name, content))
        tried["descriptor: " + name] = lambda descriptor=descriptor: client.get_flight_info(descriptor)

        def put(descriptor=descriptor):
            writer, _ = client.do_put(descriptor, stolen.schema)
            writer.write_table(stolen)
            writer.close()

        tried["put: " + name] = put
    for name in ("CreatePreparedSubstraitPlan", "BeginTransaction", "BeginSavepoint", "CancelQuery", "DropEverything"):
        tried["action: " + name] = lambda name=name: list(client.do_action(flight.Action(name, command("Action" + name + "Request"))))
    tried["list"] = lambda: list(client.list_flights())
    tried["path"] = lambda: client.get_flight_info(flight.FlightDescriptor.for_path("/etc/passwd"))
    accepted = []
    for name, call in tried.items():
        try:
            call()
            accepted.append(name)
        except (flight.FlightError, pa.ArrowException, NotImplementedError, OSError):
            pass
    with connect(uri) as connection:
        alive = rows(connection, "SELECT count(*) FROM marts.finding")[0][0]
    return {"calls": len(tried), "accepted": accepted, "findings": alive}


def limits(uri, certificate):
    """Queries that want too much fail with a reason; one beside them is answered."""
    said = {}
    wanted = {
        "time": "SELECT count(*) FROM bi.dim_date a, bi.dim_date b, bi.dim_date c, bi.dim_date d",
        "rows": "SELECT a.date FROM bi.dim_date a, bi.dim_date b",
    }
    with connect(uri) as beside:
        for name, query in wanted.items():
            with connect(uri) as connection:
                try:
                    rows(connection, query)
                    said[name] = "answered"
                except (adbc.Error, pa.ArrowException, OSError) as error:
                    said[name] = str(error)
            said[name + "_beside"] = rows(beside, "SELECT count(*) FROM marts.finding")[0][0]
    return said


def connects(uri, certificate):
    """Whether it is let in: with the token, with user and password, with neither."""
    password = os.environ.pop("SHORTFALL_PASSWORD", "")
    ways = {
        "token": {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer " + password},
        "password": {"username": "analyst", "password": password},
        "wrong_token": {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer " + password[:-1]},
        "wrong_password": {"username": "analyst", "password": password + "x"},
        "nothing": {},
    }
    said = {}
    for name, way in ways.items():
        try:
            with connect(uri, certificate, **way) as connection:
                said[name] = rows(connection, "SELECT 40 + 2")[0][0]
        except adbc.Error as error:
            said[name] = "refused" if "UNAUTHENTICATED" in str(error).upper() else str(error)
    for name, (plain, trusted) in {"clear_text": (uri.replace("grpc+tls", "grpc"), None), "untrusted": (uri, None)}.items():
        try:
            with connect(plain, trusted, **ways["token"]) as connection:
                said[name] = rows(connection, "SELECT 40 + 2")[0][0]
        except adbc.Error:
            said[name] = "refused"
    return said


def count(uri, certificate):
    """Findings, again and again until there are other ones: a run becomes visible on an open connection."""
    query = "SELECT count(*), count(DISTINCT run_id) FROM marts.finding"
    with connect(uri) as connection:
        first = rows(connection, query)[0]
        print("ready", flush=True)
        for _ in range(3000):
            seen = rows(connection, query)[0]
            if seen != first:
                return {"first": first, "then": seen}
            time.sleep(0.2)
    return {"first": first, "then": None}


if __name__ == "__main__":
    job = {"read": read, "hostile": hostile, "calls": calls, "limits": limits, "connects": connects, "count": count}[sys.argv[1]]
    print(json.dumps(job(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)))
