"""`shortfall serve` under load: clients of both protocols ask a mix of queries for some minutes, and some ask for too much.

    python3 -m venv /tmp/load && /tmp/load/bin/pip install -r tests/oracle/requirements.txt
    /tmp/load/bin/python benches/serve/load.py --shortfall target/release/shortfall --lake data/out/demo/lake

Prints, for each kind of query, answers, errors, p50 and p99 in milliseconds; for those that ask for too much, how they ended; and the server's peak memory.
Exits with 1 if a query of the mix failed. Server and clients share the machine: its cores are part of the figure.
"""

import argparse
import collections
import random
import statistics
import subprocess
import sys
import threading
import time

import adbc_driver_flightsql.dbapi as adbc
import psycopg

MIX = {
    "cards": "SELECT currency, count(*), sum(leakage) FROM bi.fact_finding GROUP BY currency",
    "by customer": "SELECT c.customer_name, sum(f.leakage) AS leakage FROM bi.fact_finding f JOIN bi.dim_customer c ON f.customer_key = c.customer_key "
    "GROUP BY 1 ORDER BY 2 DESC LIMIT 20",
    "trend": "SELECT month, currency, sum(revenue), sum(cost), sum(expected_revenue) FROM bi.fact_monthly GROUP BY 1, 2 ORDER BY 1",
    "one customer": "SELECT * FROM bi.fact_monthly WHERE customer_key = 'c0007' ORDER BY month",
    "findings": "SELECT * FROM marts.finding ORDER BY leakage DESC LIMIT 200",
    "catalogue": "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'bi'",
    "whole fact": "SELECT customer_key, service_key, month, revenue FROM bi.fact_monthly",
}
TOO_MUCH = {
    "cross join": "SELECT count(*) FROM bi.fact_monthly a, bi.fact_monthly b, bi.fact_monthly c",
    "cross join, sorted": "SELECT a.customer_key, b.service_key, a.revenue + b.revenue AS r FROM bi.fact_monthly a, bi.fact_monthly b ORDER BY r",
    "all rows twice": "SELECT a.* FROM bi.fact_monthly a, bi.fact_monthly b",
}


def by_wire(port):
    connection = psycopg.connect(host="127.0.0.1", port=port, dbname="shortfall", user="load", autocommit=True)

    def ask(query):
        return len(connection.execute(query).fetchall())

    return ask, connection.close


def by_flight(port):
    connection = adbc.connect(f"grpc://127.0.0.1:{port}", autocommit=True)

    def ask(query):
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetch_arrow_table().num_rows

    return ask, connection.close


def client(number, connect, queries, until, took, failed, pause):
    random_of = random.Random(number)
    ask, close = connect()
    while time.monotonic() < until:
        name = random_of.choice(list(queries))
        began = time.monotonic()
        try:
            ask(queries[name])
            took[name].append(time.monotonic() - began)
        except Exception as error:  # noqa: BLE001 - whatever a driver raises is what the table counts
            failed[name][str(error).strip().splitlines()[0][:120]] += 1
            close()
            ask, close = connect()
        time.sleep(random_of.uniform(0, pause))
    close()


def resident(pid, field):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith(field))


def quantile(values, share):
    return 1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--shortfall", required=True)
    options.add_argument("--lake", required=True)
    options.add_argument("--clients", type=int, default=64)
    options.add_argument("--seconds", type=int, default=300)
    options.add_argument("--pause", type=float, default=0.2, help="a client waits up to so many seconds between two queries")
    options.add_argument("--port", type=int, default=15439)
    asked = options.parse_args()
    server = subprocess.Popen(
        [asked.shortfall, "serve", "--lake", asked.lake, "--pg", f"127.0.0.1:{asked.port}", "--flight", f"127.0.0.1:{asked.port + 1}"]
        + ["--max-memory", "256", "--max-total-memory", "1024", "--max-rows", "1000000", "--max-seconds", "20"],
        stderr=subprocess.DEVNULL,
    )
    wire, flight = (lambda: by_wire(asked.port)), (lambda: by_flight(asked.port + 1))
    for _ in range(600):
        try:
            wire()[1]()
            break
        except psycopg.OperationalError:
            time.sleep(0.1)
    before = resident(server.pid, "VmRSS")
    until = time.monotonic() + asked.seconds
    took, failed = collections.defaultdict(list), collections.defaultdict(collections.Counter)
    cut, ends = collections.defaultdict(list), collections.defaultdict(collections.Counter)
    threads = []
    for number in range(asked.clients):
        threads.append(threading.Thread(target=client, args=(number, flight if number % 4 == 3 else wire, MIX, until, took, failed, asked.pause)))
    for number, connect in enumerate((wire, flight)):
        threads.append(threading.Thread(target=client, args=(1000 + number, connect, TOO_MUCH, until, cut, ends, 10)))
    for thread in threads:
        thread.start()
    seen = []
    while any(thread.is_alive() for thread in threads):
        seen.append(resident(server.pid, "VmRSS"))
        time.sleep(1)
    peak = resident(server.pid, "VmHWM")
    server.terminate()
    code = server.wait(30)
    print(f"| query | answers | errors | p50 ms | p99 ms |\n| --- | --- | --- | --- | --- |")
    for name in MIX:
        values = took[name] or [0.0]
        print(f"| {name} | {len(took[name])} | {sum(failed[name].values())} | {quantile(values, 0.5):.0f} | {quantile(values, 0.99):.0f} |")
    everything = [value for name in MIX for value in took[name]]
    errors = sum(sum(counter.values()) for counter in failed.values())
    print(f"| all | {len(everything)} | {errors} | {quantile(everything, 0.5):.0f} | {quantile(everything, 0.99):.0f} |")
    print(f"\n{len(everything) / asked.seconds:.0f} answers a second to {asked.clients} clients in {asked.seconds} s; "
          f"server: {before} MiB before, {statistics.median(seen):.0f} MiB median, {peak} MiB peak; ended with {code}")
    for name in TOO_MUCH:
        print(f"too much: {name}: answered {len(cut[name])}, " + "; ".join(f"{count} x {text}" for text, count in ends[name].most_common()))
    for name, counter in failed.items():
        for text, count in counter.most_common(3):
            print(f"FAILED: {name}: {count} x {text}")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
