"""Whether the cost of a row stays the same as a lake grows: ingest and analysis at several sizes, a table, a plot, and what a billion rows come to.

    pip install -r ../peers/requirements.txt -r requirements.txt
    python run.py                                             # 100,000 and 1,000,000 rows: some minutes
    python run.py --rows 1000000,10000000,100000000 --readme  # the table and plot in the README
    python run.py --rows 100000000 --peers duckdb,polars      # what DuckDB and Polars take for the same files

The rows are those of `../peers/generate.py`: 36 months of a cloud bill by day, a file a month; more rows are more customers. Files are
written until they fill `--disk`, ingested by one process, and deleted: a hundred million rows are 40 GB of CSV. Seconds, CPU seconds (user and system)
and peak memory are those of the processes of `shortfall`, from start to end.

`--peers` gives every load of files to the peers as well (job `lake` of `../peers/run.py`), compares rows, quantity and cost of each month, and deletes what
they wrote.

Projection: seconds per row of the largest size, times a billion. It holds if what the table shows goes on: that the cost of a row is flat.
Memory is not projected for ingest, whose buffers are bounded; that of an analysis grows with its cells (customer, service, month), and
`--memory-limit` bounds it.
"""

import argparse
import re
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "peers"))

from generate import months  # noqa: E402
from run import ask_peer  # noqa: E402
from run import machine  # noqa: E402
from run import process as run_process  # noqa: E402

QUARTER = "2026Q4"
README = HERE / "../../README.md"
PLOT = HERE / "growth.svg"
BILLION = 1_000_000_000


@dataclass
class Cost:
    """Of one or more processes: seconds and CPU seconds add up, memory is the most."""

    seconds: float = 0
    cpu: float = 0
    peak_mib: float = 0

    def plus(self, other: "Cost") -> "Cost":
        return Cost(self.seconds + other.seconds, self.cpu + other.cpu, max(self.peak_mib, other.peak_mib))


@dataclass
class Size:
    """What one size of lake cost."""

    rows: int
    cells: int
    ingest: Cost
    analyze: Cost
    lake_bytes: int
    archive_bytes: int
    peers: dict[str, Cost] = field(default_factory=dict)


def process(command: list[str]) -> tuple[Cost, str]:
    seconds, cpu, peak_kib, out, _ = run_process(command)
    return Cost(seconds, cpu, peak_kib / 1024), out


def bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def land_by_peer(peer: str, data: Path, lake: Path, arguments: argparse.Namespace) -> Cost:
    """The same files as Parquet, by a peer; compared with the lake and deleted. Its start and imports are not counted."""
    import duckdb

    out = arguments.work / f"lake-{peer}"
    shutil.rmtree(out, ignore_errors=True)
    seconds, cpu, peak_kib = ask_peer(peer, "lake", [data, out], arguments.threads)
    sums = """SELECT service_month, count(*), sum(quantity), sum(cost)
              FROM read_parquet('{}', hive_partitioning = true, hive_types = {{'service_month': DATE}}) GROUP BY ALL"""
    ours, theirs = (set(duckdb.sql(sums.format(files)).fetchall()) for files in (lake / "core/vendor_usage/*/*/*.parquet", out / "*/*.parquet"))
    if not theirs or theirs - ours:
        sys.exit(f"{peer} says otherwise than shortfall of {len(theirs - ours)} of {len(theirs)} months: {sorted(theirs - ours)[:3]}")
    shutil.rmtree(out)
    return Cost(seconds, cpu, peak_kib / 1024)


def measure(rows: int, arguments: argparse.Namespace) -> Size:
    data, lake = arguments.work / f"data-{rows}", arguments.work / f"lake-{rows}"
    for folder in (data, lake):
        shutil.rmtree(folder, ignore_errors=True)
    (data / "usage").mkdir(parents=True)
    base = [str(arguments.shortfall), "--threads", str(arguments.threads)]
    ingest, written, waiting = Cost(), 0, []
    peers = {peer: Cost() for peer in arguments.peers}

    def land() -> None:
        nonlocal ingest
        ingest = ingest.plus(process([*base, "ingest", str(data), "--lake", str(lake)])[0])
        for peer in peers:
            peers[peer] = peers[peer].plus(land_by_peer(peer, data, lake, arguments))
        for file in waiting:
            file.unlink()
        waiting.clear()

    for file, height in months(rows, data, arguments.seed):
        written += height
        waiting.append(file)
        if sum(file.stat().st_size for file in waiting) >= arguments.disk << 30:
            land()
    if waiting:
        land()
    runs = []
    for _ in range(arguments.runs):
        # An analysis that was made before is only shown again: its marts go first.
        shutil.rmtree(lake / "marts", ignore_errors=True)
        runs.append(process([*base, "analyze", "--quarter", QUARTER, "--lake", str(lake), *arguments.analyze])[0])
    analyze = Cost(
        statistics.median(run.seconds for run in runs), statistics.median(run.cpu for run in runs), max(run.peak_mib for run in runs)
    )
    said = process([*base, "sql", "SELECT count(*) AS cells FROM marts.fact_monthly", "--csv", "--lake", str(lake)])[1]
    size = Size(written, int(re.findall(r"\d+", said)[-1]), ingest, analyze, bytes_below(lake / "core"), bytes_below(lake / "files"), peers)
    shutil.rmtree(data)
    if not arguments.keep:
        shutil.rmtree(lake)
    return size


def table(sizes: list[Size]) -> list[str]:
    lines = [
        "| rows | cells | ingest s | us a row | CPU us a row | peak MiB | analyze s | us a row | CPU us a row | peak MiB | lake, bytes a row | originals, bytes a row |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for size in sizes:
        costs = "".join(
            f" {cost.seconds:,.1f} | {1e6 * cost.seconds / size.rows:.2f} | {1e6 * cost.cpu / size.rows:.2f} | {cost.peak_mib:,.0f} |"
            for cost in (size.ingest, size.analyze)
        )
        lines.append(f"| {size.rows:,} | {size.cells:,} |{costs} {size.lake_bytes / size.rows:.1f} | {size.archive_bytes / size.rows:.1f} |")
    last = sizes[-1]
    hours, minutes = (BILLION * cost.seconds / last.rows for cost in (last.ingest, last.analyze))
    spread = {
        name: max(per_row) / min(per_row) - 1
        for name, of in (("ingest", lambda size: size.ingest), ("analyze", lambda size: size.analyze))
        for per_row in [[of(size).seconds / size.rows for size in sizes]]
    }
    lines += [
        "",
        f"Largest over smallest cost of a row: ingest {100 * spread['ingest']:.0f} % more, analyze {100 * spread['analyze']:.0f} %. "
        f"A billion rows at the cost of a row in the last line: ingest {hours / 3600:.1f} h, analyze {minutes / 60:.0f} min, "
        f"lake {BILLION * last.lake_bytes / last.rows / 2**30:.0f} GiB, originals {BILLION * last.archive_bytes / last.rows / 2**30:.0f} GiB.",
    ]
    if last.peers:
        names = list(last.peers)
        lines += ["", "".join(f"| {head} " for head in ["rows to Parquet", "Shortfall", *names, "to the fastest peer"]) + "|", "| ---: " * (len(names) + 3) + "|"]
        for size in sizes:
            costs = "".join(f" {cost.seconds:,.1f} s, {cost.peak_mib:,.0f} MiB |" for cost in [size.ingest, *size.peers.values()])
            fastest = min(cost.seconds for cost in size.peers.values())
            lines.append(f"| {size.rows:,} |{costs} {size.ingest.seconds / fastest:.1f} times |")
    return lines


def plot(sizes: list[Size], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    # The same figures give the same bytes.
    matplotlib.rcParams["svg.hashsalt"] = "shortfall"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.5))
    for name, of in (("ingest", lambda size: size.ingest), ("analyze", lambda size: size.analyze)):
        axes.plot([size.rows for size in sizes], [1e6 * of(size).seconds / size.rows for size in sizes], marker="o", label=name)
    axes.set(xscale="log", xlabel="rows of usage", ylabel="microseconds a row", title="Cost of a row as the lake grows", ylim=(0, None))
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})


def into_readme(lines: list[str]) -> None:
    text = README.read_text()
    begin, end = "<!-- growth: begin -->", "<!-- growth: end -->"
    if begin not in text or end not in text:
        sys.exit(f"{README} has no place for the table: {begin} ... {end}")
    head, rest = text.split(begin, 1)
    README.write_text(head + "\n".join([begin, *lines, "", "![Cost of a row as the lake grows](benches/growth/growth.svg)", end]) + rest.split(end, 1)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="100000,1000000", help="sizes, with commas")
    parser.add_argument("--runs", type=int, default=3, help="analyses of each size; the median counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "shortfall-growth", help="folder for files and lakes")
    parser.add_argument("--shortfall", type=Path, default=HERE / "../../target/release/shortfall", help="the release binary")
    parser.add_argument("--disk", type=int, default=8, help="GiB of files that lie on the disk at a time")
    parser.add_argument("--keep", action="store_true", help="leave the lakes in the work folder")
    parser.add_argument("--readme", action="store_true", help="write the table and the plot into the README")
    parser.add_argument("--peers", type=lambda names: names.split(","), default=[], help="`duckdb,polars`: the same files by these")
    parser.add_argument("analyze", nargs="*", help="options for `analyze`, after `--`")
    arguments = parser.parse_args()
    if not arguments.shortfall.exists():
        sys.exit(f"{arguments.shortfall} is missing; `cargo build --release`, or name it with --shortfall")
    sizes = []
    for rows in map(int, arguments.rows.split(",")):
        sizes.append(measure(rows, arguments))
        print("\n".join(table(sizes)), flush=True)
    lines = table(sizes) + ["", f"{machine()}; {arguments.threads} threads; `analyze`: median of {arguments.runs}."]
    print("\n".join(lines))
    if arguments.readme:
        plot(sizes, PLOT)
        into_readme(lines)


if __name__ == "__main__":
    main()
