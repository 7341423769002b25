"""One analysis on this machine alone, and on clusters of one, two, three executors; what they publish is compared first.

    pip install -r ../peers/requirements.txt
    python run.py                         # 1,000,000 rows
    python run.py --rows 10000000 --runs 3

The rows are those of `../peers/generate.py`. Scheduler, executors and client are processes of their own on the loopback interface, over one lake in one folder. Every executor runs `--threads` tasks
at a time (1), so that a second executor brings a second thread; the machine alone is measured with that many threads and with `--local-threads`. On one machine all of them share its cores, caches and disk: what this shows is what
the way over processes costs, and what a second executor saves; not what a second machine does.

`--kill` kills an executor (SIGKILL) in the middle of an analysis with three, and compares again.

Seconds are those of the client's process, from start to end; CPU seconds and peak memory are the client's own, and those of all executors together, sampled.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "peers"))

from generate import months  # noqa: E402
from run import machine  # noqa: E402
from run import process  # noqa: E402

QUARTER = "2026Q4"
# What an analysis of usage alone publishes, and what it would if there were more.
MARTS = ["fact_monthly", "coverage", "scorecard", "gap_bridge", "finding"]
TICKS = os.sysconf("SC_CLK_TCK")


def build_lake(arguments: argparse.Namespace) -> Path:
    data, lake = arguments.work / "data", arguments.work / f"lake-{arguments.rows}"
    if lake.exists():
        return lake
    shutil.rmtree(data, ignore_errors=True)
    (data / "usage").mkdir(parents=True)
    for file, _ in months(arguments.rows, data, arguments.seed):
        process([str(arguments.shortfall), "ingest", str(file), "--lake", str(lake)])
        file.unlink()
    process([str(arguments.shortfall), "ingest", str(data), "--lake", str(lake)])
    shutil.rmtree(data)
    return lake


def start(arguments: argparse.Namespace, *words: str) -> tuple[subprocess.Popen, dict]:
    """A part of a cluster, and what it says of itself."""
    child = subprocess.Popen(
        [str(arguments.shortfall), *words, "--output", "json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    text = ""
    while line := child.stdout.readline():
        text += line
        try:
            return child, json.loads(text)
        except json.JSONDecodeError:
            continue
    sys.exit(f"did not start: {' '.join(words)}")


@contextmanager
def cluster(arguments: argparse.Namespace, executors: int):
    """A scheduler with that many executors: its URL, and their processes."""
    children = []
    try:
        scheduler, said = start(arguments, "cluster", "scheduler", "--listen", "127.0.0.1:0", "--executor-timeout", "10")
        children.append(scheduler)
        url = said["url"]
        for _ in range(executors):
            words = ["--threads", str(arguments.threads), "cluster", "executor", "--scheduler", url]
            words += ["--listen", "127.0.0.1:0", "--work-dir", str(arguments.work)]
            children.append(start(arguments, *words)[0])
        ready = 0
        while ready < executors:
            time.sleep(0.1)
            try:
                answer = urllib.request.urlopen(f"{url}/readyz", timeout=5).read().decode()
                ready = int(re.search(r"(\d+) executors", answer)[1])
            except urllib.error.HTTPError:
                continue
        yield url, children[1:]
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()


def used(children: list[subprocess.Popen]) -> tuple[float, float]:
    """CPU seconds and peak memory in MiB of running processes, together."""
    cpu = memory = 0.0
    for child in children:
        try:
            fields = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
            status = Path(f"/proc/{child.pid}/status").read_text()
        except FileNotFoundError:
            continue
        cpu += (int(fields[11]) + int(fields[12])) / TICKS
        peak = re.search(r"VmHWM:\s*(\d+)", status)
        memory += int(peak[1]) / 1024 if peak else 0
    return cpu, memory


def published(arguments: argparse.Namespace, lake: Path) -> dict[str, tuple[int, str]]:
    """Rows of each mart and a hash of them, which no order matters to."""

    def of(mart: str) -> tuple[int, str]:
        rows = sorted(process([str(arguments.shortfall), "sql", "--lake", str(lake), "--csv", f"SELECT * FROM marts.{mart}"])[3].splitlines())
        return len(rows) - 1, hashlib.sha256("\n".join(rows).encode()).hexdigest()

    return {mart: of(mart) for mart in MARTS}


def analyze(arguments: argparse.Namespace, lake: Path, *words: str) -> list[str]:
    # An analysis that was made before is only shown again: its marts go first.
    shutil.rmtree(lake / "marts", ignore_errors=True)
    return [str(arguments.shortfall), "analyze", "--quarter", QUARTER, "--lake", str(lake), *words]


def there(url: str, threads: int, executors: int, arguments: argparse.Namespace) -> list[str]:
    partitions = str(arguments.partitions or 2 * threads * executors)
    return ["--cluster", url, "--cluster-partitions", partitions, "--cluster-from", arguments.cluster_from]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3, help="analyses of each kind; the median counts")
    parser.add_argument("--executors", default="1,2", help="clusters to measure, with commas")
    parser.add_argument("--threads", type=int, default=1, help="tasks of an executor at a time")
    parser.add_argument("--local-threads", type=int, default=2)
    parser.add_argument("--partitions", type=int, help="twice the executors' threads by default")
    parser.add_argument("--cluster-from", default="0B", help="what reads less is computed by the client")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "shortfall-cluster")
    parser.add_argument("--shortfall", type=Path, default=HERE / "../../target/release/shortfall", help="the release binary")
    arguments = parser.parse_args()
    if not arguments.shortfall.exists():
        sys.exit(f"{arguments.shortfall} is missing; `cargo build --release`, or name it with --shortfall")
    arguments.work.mkdir(parents=True, exist_ok=True)
    lake = build_lake(arguments)
    print("| where | threads | seconds | client CPU s | client peak MiB | executors CPU s | executors peak MiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    expected = None

    def compare(what: str) -> None:
        nonlocal expected
        found = published(arguments, lake)
        if expected is None:
            expected = found
        elif found != expected:
            sys.exit(f"{what}: not what one machine publishes: {expected} became {found}")

    for threads in sorted({arguments.threads, arguments.local_threads}):
        runs = [process(analyze(arguments, lake, "--threads", str(threads))) for _ in range(arguments.runs)]
        compare(f"{threads} threads")
        seconds, cpu = (statistics.median(run[at] for run in runs) for at in (0, 1))
        print(f"| this process alone | {threads} | {seconds:.2f} | {cpu:.1f} | {max(run[2] for run in runs) / 1024:,.0f} | | |", flush=True)
    last = 0.0
    for executors in map(int, arguments.executors.split(",")):
        with cluster(arguments, executors) as (url, children):
            runs = []
            before = used(children)[0]
            for _ in range(arguments.runs):
                runs.append(process(analyze(arguments, lake, *there(url, arguments.threads, executors, arguments))))
                compare(f"{executors} executors")
            cpu_there, memory_there = used(children)
        seconds, cpu = (statistics.median(run[at] for run in runs) for at in (0, 1))
        threads, last = f"{executors} x {arguments.threads}", seconds
        memory = max(run[2] for run in runs) / 1024
        spent = (cpu_there - before) / arguments.runs
        print(f"| {executors} executors | {threads} | {seconds:.2f} | {cpu:.1f} | {memory:,.0f} | {spent:.1f} | {memory_there:,.0f} |", flush=True)
    if arguments.kill:
        with cluster(arguments, 3) as (url, children):
            client = subprocess.Popen(
                analyze(arguments, lake, *there(url, arguments.threads, 3, arguments)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            started = time.perf_counter()
            time.sleep(last / 2)
            if client.poll() is not None:
                sys.exit("the analysis was over before an executor could be killed: more rows")
            children[0].kill()
            if client.wait() != 0:
                sys.exit(client.stderr.read().decode())
            seconds = time.perf_counter() - started
            compare("an executor killed")
        print(f"| 3 executors, one killed halfway | 3 x {arguments.threads} | {seconds:.2f} | | | | |")
    print(f"\n{arguments.rows:,} rows; {machine()}; median of {arguments.runs}; compared: {', '.join(f'{rows:,} rows of {mart}' for mart, (rows, _) in expected.items())}.")


if __name__ == "__main__":
    main()
