"""Mann-Kendall and Theil-Sen of many short series: Shortfall's kernels, pymannkendall, and the same statistics in DuckDB's SQL.

    pip install -r requirements.txt
    python kernels.py --shortfall ../../target/release/deps/kernels-HASH     # `cargo bench --bench kernels --no-run` names it

Series of 36 months: half AR(1) with 0.4, half whole numbers with many ties. The answers are compared before anything is timed: S exactly,
slopes within 1e-9. Each engine then answers from values in memory, five times; the median counts. pymannkendall answers a sample (`original_test`:
S, p, slope), as a million would take ten minutes. DuckDB lists all pairs by a join: S and the median slope, no p and no interval; in chunks of
`--chunk` series, because the pairs of all do not fit in memory.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pymannkendall
from run import process

MONTHS = 36
RUNS = 5
SQL = """
    SELECT a.id, CAST(sum(sign(b.y - a.y)) AS BIGINT) AS s, median((b.y - a.y) / (b.x - a.x)) AS slope
    FROM point AS a JOIN point AS b ON a.id = b.id AND a.x < b.x GROUP BY a.id ORDER BY a.id"""


def generate(count: int) -> np.ndarray:
    rng = np.random.default_rng(20_261_122)
    y = np.empty((count, MONTHS))
    y[:, 0] = rng.standard_normal(count) / np.sqrt(1 - 0.4**2)
    for month in range(1, MONTHS):
        y[:, month] = 0.4 * y[:, month - 1] + rng.standard_normal(count)
    y[1::2] = np.round(20 + 3 * y[1::2])
    return y


def timed(work) -> tuple[float, object]:
    started = time.perf_counter()
    answer = work()
    return time.perf_counter() - started, answer


def shortfall(binary: Path, y: np.ndarray, threads: int) -> tuple[list[float], np.ndarray, int]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "series.f64"
        y.astype("<f8").tofile(file)
        variables = [f"SHORTFALL_KERNEL_SERIES={file}", f"RAYON_NUM_THREADS={threads}"]
        _, _, peak, text, _ = process(["env", *variables, str(binary), str(file)])
        return json.loads(text)["seconds"], np.fromfile(f"{file}.answers", "<f8").reshape(-1, 5), peak


def in_sql(connection, y: np.ndarray, chunk: int) -> tuple[float, np.ndarray]:
    """Seconds of the queries alone: the points lie in a table before each."""
    seconds, parts = 0.0, []
    for start in range(0, len(y), chunk):
        values = y[start : start + chunk]
        points = {"id": np.repeat(np.arange(len(values)), MONTHS), "x": np.tile(np.arange(MONTHS), len(values)), "y": values.ravel()}
        connection.register("given", points)
        connection.execute("CREATE OR REPLACE TEMP TABLE point AS FROM given")
        took, answer = timed(lambda: connection.execute(SQL).fetchnumpy())
        seconds += took
        parts.append(np.column_stack([answer["s"], answer["slope"]]))
    return seconds, np.vstack(parts)


def same(peer: str, theirs: np.ndarray, ours: np.ndarray) -> None:
    if not (np.array_equal(theirs[:, 0], ours[:, 0]) and np.allclose(theirs[:, 1], ours[:, 2], rtol=1e-9, atol=1e-9)):
        sys.exit(f"shortfall and {peer} differ")
    print(f"  shortfall = {peer}: S exactly, slopes within 1e-9, {len(theirs):,} series")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shortfall", type=Path, required=True, help="the compiled bench `kernels`")
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--sql-series", type=int, default=1_000_000, help="how many of them DuckDB answers")
    parser.add_argument("--chunk", type=int, default=50_000)
    parser.add_argument("--sample", type=int, default=2_000, help="how many pymannkendall answers")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    y = generate(arguments.series)
    connection = duckdb.connect()
    connection.execute(f"SET threads = {arguments.threads}; SET enable_progress_bar = false")

    def by_python():
        tests = [pymannkendall.original_test(series) for series in y[: arguments.sample]]
        return np.array([[test.s, test.slope] for test in tests])

    per_series = {}
    seconds, ours, peak = shortfall(arguments.shortfall, y, arguments.threads)
    per_series["shortfall"] = statistics.median(seconds) / len(y)
    runs = [timed(by_python) for _ in range(RUNS)]
    same("pymannkendall", runs[0][1], ours[: arguments.sample])
    per_series["pymannkendall"] = statistics.median(run[0] for run in runs) / arguments.sample
    sql_y = y[: arguments.sql_series]
    runs = [in_sql(connection, sql_y, arguments.chunk) for _ in range(RUNS)]
    same("duckdb", runs[0][1], ours[: len(sql_y)])
    per_series["duckdb"] = statistics.median(run[0] for run in runs) / len(sql_y)

    for engine, took in per_series.items():
        print(f"{engine:<14} {1e6 * took:>9.3f} us a series {took / per_series['shortfall']:>8.0f} x shortfall's time")
    print(f"peak MiB: shortfall {peak / 1024:,.0f}, this process with both peers {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f}")
    print(f"shortfall's runs, s: {seconds}")
    print(f"duckdb {duckdb.__version__}, pymannkendall 1.4.3, numpy {np.__version__}, {arguments.threads} threads, median of {RUNS}")


if __name__ == "__main__":
    main()
