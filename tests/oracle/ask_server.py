"""Asks a running `shortfall serve` as psycopg does, and prints what it was answered, as JSON.

ask_server.py JOB CONNINFO: JOB is one of the functions below; the password, where there is one, comes from PGPASSWORD.
"""

import json
import sys
import threading
import time
from decimal import Decimal

import psycopg

HOSTILE = """
COPY (SELECT 1) TO '/tmp/shortfall_stolen.csv'
COPY (SELECT 1) TO '/tmp/shortfall_stolen.csv' STORED AS CSV
COPY marts.finding TO '/tmp/shortfall_stolen.parquet' STORED AS PARQUET
COPY marts.finding FROM '/etc/passwd'
COPY marts.finding TO STDOUT
COPY marts.finding FROM STDIN
COPY (SELECT 1) TO PROGRAM 'id'
CREATE EXTERNAL TABLE stolen STORED AS CSV LOCATION '/etc/passwd'
CREATE EXTERNAL TABLE stolen STORED AS PARQUET LOCATION 's3://bucket/file'
CREATE EXTERNAL TABLE stolen STORED AS CSV LOCATION 'http://127.0.0.1:1/file'
CREATE TABLE stolen AS SELECT 1
CREATE TABLE stolen (a INT)
CREATE TEMP TABLE stolen AS SELECT 1
CREATE VIEW stolen AS SELECT 1
CREATE SCHEMA stolen
CREATE DATABASE stolen
CREATE FUNCTION stolen(a INT) RETURNS INT RETURN a + 1
CREATE ROLE stolen SUPERUSER
SELECT * INTO stolen FROM marts.finding
WITH s AS (SELECT 1) SELECT * INTO stolen FROM s
INSERT INTO marts.finding SELECT * FROM marts.finding
INSERT INTO marts.mute VALUES ('x')
WITH gone AS (DELETE FROM marts.finding RETURNING *) SELECT * FROM gone
UPDATE marts.finding SET leakage = 0
DELETE FROM marts.finding
TRUNCATE marts.finding
MERGE INTO marts.finding USING marts.mute ON true WHEN MATCHED THEN DELETE
DROP TABLE marts.finding
DROP VIEW core.customer
DROP SCHEMA marts CASCADE
ALTER TABLE marts.finding RENAME TO other
GRANT ALL ON marts.finding TO public
SELECT * FROM '/etc/passwd'
SELECT * FROM "/etc/passwd"
SELECT * FROM '../../../etc/passwd'
SELECT * FROM 'file:///etc/passwd'
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_parquet('/etc/passwd')
SELECT * FROM parquet_metadata('/etc/passwd')
SELECT pg_read_file('/etc/passwd')
SELECT pg_ls_dir('/etc')
SELECT lo_import('/etc/passwd')
SELECT * FROM dblink('host=127.0.0.1', 'SELECT 1') AS t (a INT)
SET datafusion.execution.target_partitions = 1
SET datafusion.catalog.information_schema = false
SET GLOBAL datafusion.execution.batch_size = 1
SET ROLE postgres
SET SESSION AUTHORIZATION postgres
RESET ALL
PREPARE stolen AS SELECT 1
EXECUTE stolen
EXPLAIN ANALYZE INSERT INTO marts.mute SELECT * FROM marts.mute
EXPLAIN COPY (SELECT 1) TO '/tmp/shortfall_stolen.csv'
LOAD 'stolen.so'
LISTEN stolen
NOTIFY stolen
LOCK TABLE marts.finding
VACUUM
ANALYZE marts.finding
CALL stolen()
DO 'BEGIN END'
DECLARE c CURSOR FOR INSERT INTO marts.mute SELECT * FROM marts.mute
SELECT 1; DROP TABLE marts.finding
"""


def rows(connection, query, parameters=None):
    return connection.execute(query, parameters).fetchall()


def read(conninfo):
    """Types, parameters, a cursor and the catalogue, as a driver asks for them."""
    with psycopg.connect(conninfo) as connection:
        leakage = rows(connection, "SELECT sum(leakage) FROM marts.finding WHERE quarter = %s", ["2026Q2"])[0][0]
        by_customer = rows(
            connection,
            "SELECT c.customer_name, f.quarter_start, f.leakage FROM bi.fact_finding AS f JOIN bi.dim_customer AS c ON f.customer_key = c.customer_key "
            "WHERE f.leakage > %s ORDER BY f.quarter_start",
            [Decimal("10.5")],
        )
        simple = psycopg.ClientCursor(connection)
        simple.execute("DECLARE walk CURSOR FOR SELECT month FROM bi.fact_monthly")
        walked = 0
        while simple.execute("FETCH 5 FROM walk").rowcount > 0:
            walked += len(simple.fetchall())
        schemas = rows(connection, "SELECT DISTINCT table_schema FROM information_schema.tables ORDER BY 1")
        classes = rows(
            connection,
            "SELECT n.nspname, count(*) FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE n.nspname IN ('bi', 'marts', 'core') GROUP BY 1 ORDER BY 1",
        )
    with psycopg.connect(conninfo) as connection:
        try:
            named = len(connection.cursor(name="walk").execute("SELECT month FROM bi.fact_monthly").fetchall())
        except psycopg.Error as error:
            named = error.sqlstate
    return {
        "named": named,
        "leakage": str(leakage),
        "is_decimal": isinstance(leakage, Decimal),
        "by_customer": [[name, str(day), str(money)] for name, day, money in by_customer],
        "walked": walked,
        "schemas": [name for (name,) in schemas],
        "classes": dict(classes),
    }


def hostile(conninfo):
    """Each statement alone, by the simple and by the extended protocol; then whether the server still answers."""
    accepted = []
    statements = [line for line in HOSTILE.strip().splitlines()]
    for statement in statements:
        for prepare in (False, True):
            with psycopg.connect(conninfo, autocommit=True) as connection:
                try:
                    if prepare:
                        connection.execute(statement, [], prepare=True)
                    else:
                        psycopg.ClientCursor(connection).execute(statement)
                    accepted.append(["extended" if prepare else "simple", statement])
                except psycopg.Error:
                    pass
    with psycopg.connect(conninfo) as connection:
        alive = rows(connection, "SELECT count(*) FROM marts.finding")[0][0]
    return {"statements": len(statements), "accepted": accepted, "findings": alive}


def limits(conninfo):
    """Queries that want too much fail with a reason; one beside them is answered."""
    said = {}
    wanted = {
        "time": "SELECT count(*) FROM bi.dim_date a, bi.dim_date b, bi.dim_date c, bi.dim_date d",
        "rows": "SELECT a.date FROM bi.dim_date a, bi.dim_date b",
        "memory": "SELECT array_agg(a.month_name || b.month_name || c.quarter) FROM bi.dim_date a, bi.dim_date b, bi.dim_date c",
    }
    with psycopg.connect(conninfo, autocommit=True) as beside:
        for name, query in wanted.items():
            with psycopg.connect(conninfo, autocommit=True) as connection:
                began = time.monotonic()
                try:
                    rows(connection, query)
                    said[name] = "answered"
                except psycopg.Error as error:
                    said[name] = str(error)
                said[name + "_seconds"] = round(time.monotonic() - began, 1)
            said[name + "_beside"] = rows(beside, "SELECT count(*) FROM marts.finding")[0][0]
    return said


def turns(conninfo):
    """Many queries that want too much, many cursors that nobody reads on, and small queries beside them: how each ended, and how long all took."""
    heavy = "SELECT count(*) FROM bi.dim_date a, bi.dim_date b, bi.dim_date c, bi.dim_date d"
    ends, small, open_cursors = [], [], []
    for _ in range(24):
        connection = psycopg.connect(conninfo)
        cursor = connection.cursor(name="idle")
        cursor.execute("SELECT a.date FROM bi.dim_date a")
        open_cursors.append((connection, cursor.fetchmany(1)))

    # All come in before the first of them asks.
    together = threading.Barrier(8 + 4)

    def ask(query, said):
        with psycopg.connect(conninfo, autocommit=True) as connection:
            together.wait()
            began = time.monotonic()
            try:
                answer = rows(connection, query)[0][0]
            except psycopg.Error as error:
                answer = str(error).strip()
            said.append((answer, began, time.monotonic()))

    threads = [threading.Thread(target=ask, args=(heavy, ends)) for _ in range(8)]
    threads += [threading.Thread(target=ask, args=("SELECT count(*) FROM marts.finding", small)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection, _ in open_cursors:
        connection.close()
    return {
        "ends": sorted({answer for answer, _, _ in ends}),
        "small": [answer for answer, _, _ in small],
        "seconds": max(ended for _, _, ended in ends) - min(began for _, began, _ in ends),
        "fetched": sum(len(first) for _, first in open_cursors),
    }


def connects(conninfo):
    """Whether it is let in, and what it is told if not."""
    try:
        with psycopg.connect(conninfo, connect_timeout=10) as connection:
            return {"answer": rows(connection, "SELECT 40 + 2")[0][0]}
    except psycopg.Error as error:
        return {"refused": str(error)}


def count(conninfo):
    """Findings, again and again until there are other ones: a run becomes visible on an open connection."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        first = rows(connection, "SELECT count(*), count(DISTINCT run_id) FROM marts.finding")[0]
        print("ready", flush=True)
        for _ in range(3000):
            seen = rows(connection, "SELECT count(*), count(DISTINCT run_id) FROM marts.finding")[0]
            if seen != first:
                return {"first": list(first), "then": list(seen)}
            time.sleep(0.2)
    return {"first": list(first), "then": None}


def transcript(conninfo, path):
    """The catalogue queries that a client sends: columns and rows of each answer, or the error. `{bi.table}` is the table's number."""
    blocks = [block for block in open(path).read().split("\n\n") if block.strip()]
    said = []
    with psycopg.connect(conninfo, autocommit=True) as connection:
        oids = dict(rows(connection, "SELECT 'bi.' || relname, oid FROM pg_catalog.pg_class WHERE relnamespace = 'bi'::regnamespace AND relkind <> 'i'"))
        for block in blocks[1:]:
            heading, query = block.strip().split("\n", 1)
            for name, oid in oids.items():
                query = query.replace("{" + name + "}", str(oid))
            cursor = psycopg.ClientCursor(connection)
            try:
                cursor.execute(query)
                columns = [column.name for column in cursor.description or []]
                answer = [[str(value) for value in row] for row in cursor.fetchall()] if columns else []
                said.append({"heading": heading[3:], "columns": columns, "rows": answer[:400]})
            except psycopg.Error as error:
                said.append({"heading": heading[3:], "error": str(error), "query": query})
    return said


def states(conninfo):
    """SQLSTATE of what goes wrong, and that a transaction behaves as drivers expect."""
    said = {}
    wrong = {
        "column": "SELECT no_such_column FROM bi.fact_finding",
        "table": "SELECT * FROM bi.no_such_table",
        "function": "SELECT no_such_function(1)",
        "syntax": "SELEC 1",
        "division": "SELECT 1 / (count(*) - count(*)) FROM bi.fact_finding",
        "cast": "SELECT CAST(currency AS int) FROM bi.fact_finding",
        "setting": "SHOW no_such_setting",
        "write": "DELETE FROM bi.fact_finding",
    }
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for name, query in wrong.items():
            for kind, cursor in (("extended", connection.cursor()), ("simple", psycopg.ClientCursor(connection))):
                try:
                    cursor.execute(query)
                    said[f"{name}_{kind}"] = "answered"
                except psycopg.Error as error:
                    said[f"{name}_{kind}"] = error.sqlstate
    with psycopg.connect(conninfo) as connection:
        connection.read_only = True
        rows(connection, "SELECT 1")
        try:
            with connection.transaction():
                rows(connection, "SELECT no_such_column FROM bi.fact_finding")
        except psycopg.Error as error:
            said["nested"] = error.sqlstate
        said["after_savepoint"] = rows(connection, "SELECT 40 + 2")[0][0]
        try:
            rows(connection, "SELEC 1")
        except psycopg.Error:
            pass
        try:
            rows(connection, "SELECT 1")
        except psycopg.Error as error:
            said["in_failed"] = error.sqlstate
        connection.rollback()
        # Ten days of a small fleet's money in a currency of small units: more digits than the wire's library carries.
        try:
            said["wide"] = str(rows(connection, "SELECT CAST(%s AS numeric(38,18))", [Decimal("12345678901234.123456789012345678")])[0][0])
        except psycopg.Error as error:
            said["wide"] = error.sqlstate
        connection.rollback()
        said["shown"] = [rows(connection, f"SHOW {name}")[0][0] for name in ("server_version", "search_path", "transaction isolation level", "TimeZone")]
        said["unqualified"] = rows(connection, "SELECT count(*) FROM fact_finding")[0][0]
        said["named"] = list(rows(connection, "SELECT current_database(), current_schema(), split_part(version(), ' ', 1)")[0])
    return said


def cancel(conninfo):
    """A statement that is cancelled ends with 57014 while its rows are worked out, and the connection goes on."""

    with psycopg.connect(conninfo, autocommit=True) as connection:
        timer = threading.Timer(1, connection.cancel)
        timer.start()
        try:
            rows(connection, "SELECT count(*) FROM bi.dim_date a, bi.dim_date b, bi.dim_date c, bi.dim_date d")
            state = "answered"
        except psycopg.Error as error:
            state = error.sqlstate
        timer.join()
        return {"state": state, "afterwards": rows(connection, "SELECT 40 + 2")[0][0]}


def state(conninfo):
    """Whether it is let in, and the code if not; again while places are being given up."""
    for _ in range(50):
        try:
            with psycopg.connect(conninfo, connect_timeout=30) as connection:
                return {"answer": rows(connection, "SELECT 40 + 2")[0][0]}
        except psycopg.Error as error:
            text = str(error)
            if "too many connections" in text:
                return {"refused": "53300"}
            time.sleep(0.2)
    return {"refused": text}


def replay(conninfo):
    """Both messages of a handshake that succeeded, sent again on a new connection: the server's part differs, so the proof is wrong."""
    import base64
    import hashlib
    import hmac
    import os
    import socket
    import struct

    address = dict(part.split("=") for part in conninfo.split())

    def packet(kind, body):
        return kind + struct.pack(">I", len(body) + 4) + body

    def read(stream):
        head = stream.recv(5, socket.MSG_WAITALL)
        return head[:1], stream.recv(struct.unpack(">I", head[1:])[0] - 4, socket.MSG_WAITALL)

    def connect(first):
        stream = socket.create_connection((address["host"], int(address["port"])))
        body = struct.pack(">I", 196608) + b"user\0analyst\0\0"
        stream.sendall(struct.pack(">I", len(body) + 4) + body)
        read(stream)
        stream.sendall(packet(b"p", b"SCRAM-SHA-256\0" + struct.pack(">I", len(first)) + first))
        return stream, read(stream)[1][4:]

    bare = b"n=,r=" + base64.b64encode(os.urandom(18))
    stream, challenge = connect(b"n,," + bare)
    parts = dict(part.split("=", 1) for part in challenge.decode().split(","))
    salted = hashlib.pbkdf2_hmac("sha256", os.environ["PGPASSWORD"].encode(), base64.b64decode(parts["s"]), int(parts["i"]))
    client = hmac.digest(salted, b"Client Key", "sha256")
    without_proof = b"c=biws,r=" + parts["r"].encode()
    signature = hmac.digest(hashlib.sha256(client).digest(), bare + b"," + challenge + b"," + without_proof, "sha256")
    final = without_proof + b",p=" + base64.b64encode(bytes(a ^ b for a, b in zip(client, signature)))
    stream.sendall(packet(b"p", final))
    first = read(stream)[0].decode()
    stream, _ = connect(b"n,," + bare)
    stream.sendall(packet(b"p", final))
    kind, body = read(stream)
    fields = {field[:1]: field[1:] for field in body.decode().split("\0") if field}
    return {"first": first, "replayed": fields.get("C") if kind == b"E" else kind.decode()}


if __name__ == "__main__":
    jobs = {"transcript": transcript, "states": states, "cancel": cancel, "state": state, "replay": replay}
    if sys.argv[1] in jobs:
        print(json.dumps(jobs[sys.argv[1]](*sys.argv[2:])))
        sys.exit()
    print(json.dumps({"read": read, "hostile": hostile, "limits": limits, "turns": turns, "connects": connects, "count": count}[sys.argv[1]](sys.argv[2])))
