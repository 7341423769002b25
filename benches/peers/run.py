"""The same two jobs in Shortfall, DuckDB and Polars: first whether they say the same, then how long they take.

    pip install -r requirements.txt
    python run.py                                 # 200,000 rows: anywhere, a minute
    python run.py --rows 20000000 --work /big     # what the figures in the README come from; 25 GB of disk

`lake`:  31 columns of FOCUS CSV to Parquet by service month, zstd, quantities and costs as DECIMAL(38,18).
         Shortfall also hashes and archives the originals, checks every cell, keeps file and row of each row, sorts, and commits to a
         Delta table; the peers do not.
`facts`: usage joined with the crosswalks, summed to customer x service x month x currency without gaps, then per pair the Theil-Sen
         slope of ln(quantity) and Mann-Kendall's S. For Shortfall twice: `fact_monthly`, the slopes and every fact that they read (`analyze
         --timings`), and the whole of `analyze` with all signals and marts. Usage is summed by month when it lands (`core/usage_sum`), which is
         part of `lake`; `rows` is the same without these files, from the rows themselves.
`decode`: what reading costs at least: the columns that the facts need, decoded by pyarrow from Shortfall's lake and thrown away.

`--over LAKE` does `facts` and `decode` alone, over the rows of a lake that is there (such as `../growth/run.py --keep` leaves): peers read
Shortfall's own Parquet. `--rows` and `--seed` say what was generated; only the crosswalks are written again.

Every run is a process of its own with warm files. Peers do not count their start and imports, Shortfall's processes count from start to end.
CPU seconds (user and system) tell what a busy machine hides. Memory is the peak resident set of the process.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from generate import crosswalks, generate, sku_table, world

HERE = Path(__file__).parent
PEERS = ["duckdb", "polars"]
QUARTER = "2026Q4"
# The job that the peers do; `analyze` builds more.
COMPARED = ["fact_monthly", "peer_slope"]
# Of fewer than four months Shortfall says no S, so these are not compared.
SLOPES = """
    SELECT customer_key, service_key, currency, theil_sen(x, y)['slope'] AS slope, mann_kendall(x, y)['s'] AS s
    FROM (SELECT customer_key, service_key, currency, CAST(date_part('year', month) * 12 + date_part('month', month) AS BIGINT) AS x,
                 ln(CAST(delivered_quantity AS DOUBLE)) AS y
          FROM marts.fact_monthly WHERE delivered_quantity > 0)
    GROUP BY customer_key, service_key, currency
    HAVING count(*) >= 4"""


@dataclass
class Timing:
    """The runs of one job in one engine."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak_kib: int = 0

    def add(self, seconds: float, cpu: float | None, peak_kib: int) -> None:
        self.seconds.append(seconds)
        self.cpu += [] if cpu is None else [cpu]
        self.peak_kib = max(self.peak_kib, peak_kib)


def process(command: list[str]) -> tuple[float, float, int, str, str]:
    """Runs a command; seconds, CPU seconds, peak memory in KiB, and what it wrote."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err, tempfile.NamedTemporaryFile("r") as result:
        small = [sys.executable, "-I", "-S", str(HERE / "measured.py"), result.name]
        code = subprocess.call([*small, *command], stdout=out, stderr=err)
        out.seek(0)
        err.seek(0)
        texts = out.read(), err.read()
        if code != 0:
            sys.exit(f"failed: {' '.join(command)}\n{texts[0]}{texts[1]}")
        said = json.load(result)
    return said["seconds"], said["cpu"], said["peak_kib"], *texts


def ask_peer(engine: str, job: str, folders: list[Path], threads: int) -> tuple[float, float, int]:
    """A job of a peer, in a process of its own: seconds, CPU seconds, peak memory in KiB, its start and imports not counted."""
    out = process([sys.executable, str(HERE / f"{engine}_peer.py"), job, *map(str, folders), "--threads", str(threads)])[3]
    said = json.loads(out)
    return said["seconds"], said["cpu"], said["peak_kib"]


def with_what_they_read(facts: list[str]) -> set[str]:
    """These facts, and all those that they read, by the headers of the queries."""
    needed: set[str] = set()
    while facts:
        name = facts.pop()
        if name not in needed:
            needed.add(name)
            file = next(file for folder in (HERE / "queries/facts", HERE / "../../queries/facts") if (file := folder / f"{name}.sql").exists())
            header = re.search(r"^-- reads:.*(?:\n--   .*)*", file.read_text(), re.M)
            facts += re.findall(r"\bfacts\.(\w+)", header[0]) if header else []
    return needed


class Bench:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.data = arguments.work / f"data-{arguments.rows}"
        self.timings: dict[tuple[str, str], Timing] = {}
        self.facts: dict[str, list[float]] = {}
        self.compared = with_what_they_read(list(COMPARED))

    def timing(self, job: str, engine: str) -> Timing:
        return self.timings.setdefault((job, engine), Timing())

    def lake(self, engine: str) -> Path:
        if self.arguments.over:
            return self.arguments.over if engine == "shortfall" else self.arguments.over / "core" / "vendor_usage" / "system=focus"
        return self.arguments.work / f"lake-{engine}"

    def result(self, engine: str) -> Path:
        return self.arguments.work / f"result-{engine}"

    def shortfall(self, *command: str) -> list[str]:
        return [str(self.arguments.shortfall), *command, "--lake", str(self.lake("shortfall")), "--threads", str(self.arguments.threads)]

    def run_lake(self, engine: str) -> None:
        shutil.rmtree(self.lake(engine), ignore_errors=True)
        if engine == "shortfall":
            # The crosswalks lie beside the usage: the folder is what one ingests.
            seconds, cpu, peak, _, _ = process(self.shortfall("ingest", str(self.data)))
            self.timing("lake", engine).add(seconds, cpu, peak)
        else:
            self.run_peer("lake", engine)

    def run_facts(self, engine: str) -> None:
        if engine != "shortfall":
            self.run_peer("facts", engine)
            return
        sums = self.lake(engine) / "core" / "usage_sum"
        aside = sums.with_name("usage_sum.aside")
        sums.rename(aside)
        try:
            self.analyze("shortfall, from rows", "shortfall, whole analyze from rows")
        finally:
            aside.rename(sums)
        # Last, so that its marts are the ones that are compared.
        self.analyze("shortfall", "shortfall, whole analyze")

    def analyze(self, job: str, whole: str) -> None:
        # An analysis of the same lake that is there already would only be shown.
        shutil.rmtree(self.lake("shortfall") / "marts", ignore_errors=True)
        command = self.shortfall("analyze", "--quarter", QUARTER, "--queries", str(HERE / "queries"))
        seconds, cpu, peak, _, trace = process([*command, "--timings"])
        self.timing("facts", whole).add(seconds, cpu, peak)
        times = {name: float(took) for name, took in re.findall(r"^facts\.(\w+): \d+ rows in ([\d.]+) s", trace, re.M)}
        if job == "shortfall":
            for name, took in times.items():
                self.facts.setdefault(name, []).append(took)
        self.timing("facts", job).add(sum(took for name, took in times.items() if name in self.compared), None, peak)

    def run_decode(self) -> None:
        lake = self.lake("shortfall") / "core" / "vendor_usage"
        _, _, _, out, _ = process([sys.executable, str(HERE / "decode.py"), str(lake), "--threads", str(self.arguments.threads)])
        said = json.loads(out)
        self.timing("decode", "pyarrow").add(said["seconds"], said["cpu"], said["peak_kib"])

    def run_peer(self, job: str, engine: str) -> None:
        folders = [self.data, self.lake(engine)] + ([self.result(engine)] if job == "facts" else [])
        self.timing(job, engine).add(*ask_peer(engine, job, folders, self.arguments.threads))

    def compare(self) -> None:
        """Ends the run with what differs, if anything does."""
        slopes = self.result("shortfall") / "slopes.csv"
        slopes.parent.mkdir(parents=True, exist_ok=True)
        slopes.write_text(process([*self.shortfall("sql", SLOPES), "--csv"])[3])
        connection = duckdb.connect()
        connection.execute(f"""
            CREATE VIEW usage_shortfall AS FROM read_parquet(
              '{self.lake("shortfall")}/core/vendor_usage/*/*/*.parquet', hive_partitioning = true, hive_types = {{'service_month': DATE}});
            CREATE VIEW fact_shortfall AS SELECT customer_key, service_key, month, currency, delivered_quantity AS quantity, cost
              FROM read_parquet('{self.lake("shortfall")}/marts/fact_monthly/*.parquet');
            CREATE VIEW slope_shortfall AS FROM read_csv('{slopes}')""")
        for peer in PEERS:
            connection.execute(f"""
                CREATE VIEW usage_{peer} AS FROM read_parquet(
                  '{self.lake(peer)}/*/*.parquet', hive_partitioning = true, hive_types = {{'service_month': DATE}});
                CREATE VIEW fact_{peer} AS FROM '{self.result(peer)}/fact_monthly.parquet';
                CREATE VIEW slope_{peer} AS FROM '{self.result(peer)}/slopes.parquet' SEMI JOIN (
                  SELECT customer_key, service_key, currency FROM fact_{peer} WHERE quantity > 0 GROUP BY ALL HAVING count(*) >= 4
                ) USING (customer_key, service_key, currency)""")
        sums = "SELECT service_month, count(*) AS row_count, sum(quantity) AS quantity, sum(cost) AS cost FROM"
        for peer in PEERS:
            checks = {
                "rows, quantity and cost of each month in the lake":
                    f"({sums} usage_shortfall GROUP BY ALL EXCEPT {sums} usage_{peer} GROUP BY ALL) UNION ALL "
                    f"({sums} usage_{peer} GROUP BY ALL EXCEPT {sums} usage_shortfall GROUP BY ALL)",
                "rows of fact_monthly, quantity and cost to the last digit":
                    f"""FROM fact_shortfall AS a FULL JOIN fact_{peer} AS b USING (customer_key, service_key, month, currency)
                        WHERE coalesce(a.quantity, 0) <> coalesce(b.quantity, 0) OR coalesce(a.cost, 0) <> coalesce(b.cost, 0)
                           OR (a.customer_key IS NULL) <> (b.customer_key IS NULL)""",
                "slopes within 1e-9, S exactly":
                    f"""FROM slope_shortfall AS a FULL JOIN slope_{peer} AS b USING (customer_key, service_key, currency)
                        WHERE (abs(a.slope - b.slope) <= 1e-9 AND a.s = b.s) IS NOT TRUE""",
            }
            for what, sql in checks.items():
                differing = connection.execute(f"SELECT count(*) FROM ({sql})").fetchall()[0][0]
                if differing:
                    connection.sql(sql).show(max_rows=10)
                    sys.exit(f"shortfall and {peer} differ in {differing} rows: {what}")
                print(f"  shortfall = {peer}: {what}")
        counts = [connection.execute(f"SELECT count(*) FROM {t}_shortfall").fetchall()[0][0] for t in ["usage", "fact", "slope"]]
        print("  {:,} usage rows, {:,} fact rows, {:,} slopes".format(*counts))

    def table(self, rows: int) -> list[str]:
        lines = [f"{'job':<6} {'engine':<34} {'seconds':>9} {'ratio':>6} {'CPU s':>8} {'rows/s':>12} {'peak MiB':>9}"]
        for job in sorted({job for job, _ in self.timings}, key=["lake", "facts", "decode"].index):
            others = PEERS if job != "decode" else ["pyarrow"]
            fastest = min(statistics.median(self.timings[job, peer].seconds) for peer in others)
            for (name, engine), timing in self.timings.items():
                if name == job:
                    seconds = statistics.median(timing.seconds)
                    cpu = f"{statistics.median(timing.cpu):.2f}" if timing.cpu else ""
                    lines.append(
                        f"{job:<6} {engine:<34} {seconds:>9.2f} {seconds / fastest:>6.2f} {cpu:>8} {rows / seconds:>12,.0f} {timing.peak_kib / 1024:>9,.0f}"
                    )
        return lines


def machine() -> str:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.*)", info)
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text()) if info else None
    gib = f", {int(memory[1]) / 2**20:.0f} GiB" if memory else ""
    return f"{model[1] if model else platform.processor()}, {os.cpu_count()} cores{gib}, {platform.system()} {platform.release()}"


def check_versions() -> None:
    for line in (HERE / "requirements.txt").read_text().splitlines():
        if "==" in line:
            package, wanted = line.split("==")
            found = importlib.metadata.version(package)
            if found != wanted:
                sys.exit(f"{package} {found} is installed, but the comparison is with {wanted}; `--any-version` goes on regardless")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3, help="how often each job runs; the median counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "shortfall-peers", help="folder for data, lakes and results")
    parser.add_argument("--shortfall", type=Path, default=HERE / "../../target/release/shortfall", help="the release binary")
    parser.add_argument("--over", type=Path, help="a lake of Shortfall's that is there: no `lake` job")
    parser.add_argument("--any-version", action="store_true", help="accept other versions of the peers")
    parser.add_argument("--keep", action="store_true", help="leave lakes and results in the work folder")
    arguments = parser.parse_args()
    if not arguments.any_version:
        check_versions()
    if not arguments.shortfall.exists():
        sys.exit(f"{arguments.shortfall} is missing; `cargo build --release`, or name it with --shortfall")
    bench = Bench(arguments)
    jobs = [bench.run_lake, bench.run_facts]
    if arguments.over:
        jobs = [bench.run_facts]
        bench.data.mkdir(parents=True, exist_ok=True)
        skus = sku_table()
        crosswalks(world(arguments.rows, arguments.seed).join(skus, on="sku", maintain_order="left"), skus, bench.data)
        usage = bench.lake("shortfall") / "core/vendor_usage/*/*/*.parquet"
        rows = duckdb.sql(f"SELECT count(*) FROM read_parquet('{usage}')").fetchall()[0][0]
    else:
        rows = generate(arguments.rows, bench.data, arguments.seed)
    engines = ["shortfall", *PEERS]
    for run in range(arguments.runs):
        for job in jobs:
            for engine in engines:
                job(engine)
        bench.run_decode()
        if run == 0:
            print("results:")
            bench.compare()
    print(f"\n{rows:,} usage rows, {arguments.threads} threads, median of {arguments.runs}; {machine()}")
    print(", ".join(f"{p} {importlib.metadata.version(p)}" for p in PEERS) + "; ratio to the faster peer")
    print("\n".join(bench.table(rows)))
    parts = sorted(((statistics.median(times), name) for name, times in bench.facts.items()), reverse=True)
    print("facts of shortfall: " + ", ".join(f"{name} {took:.3f} s" for took, name in parts[:8]))
    if not arguments.keep:
        for engine in engines:
            if not arguments.over:
                shutil.rmtree(bench.lake(engine), ignore_errors=True)
            shutil.rmtree(bench.result(engine), ignore_errors=True)


if __name__ == "__main__":
    main()
