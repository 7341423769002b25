"""What one more month costs: an analysis of 60 months, the 61st ingested, the analysis again; and which of its steps the cost lies in.

    python run.py                        # 300 customers: some minutes
    python run.py --lake L --quarter Q   # only the steps of one analysis, of a lake that is there (its marts are made anew, in a copy)

The book is `shortfall synth`'s, 61 months of it. Files whose name holds the last month are held back, the rest is ingested and analysed; then they
are ingested, and the same quarter is analysed again. CPU seconds (user and system) are those of the process, from start to end.

Steps are read off the progress line that `analyze` shows on a terminal, with the CPU seconds of the process at each change; with one
thread one step runs at a time. What a step can save is told by what it reads (`KINDS`, and why in src/decisions/0019):

    month    rows of a month follow from that month's rows alone: 60 of 61 months could be kept
    year     looks at the year up to the quarter, however long the history is
    window   looks at the 24 months of the trend window
    whole    everything else: sums and neighbours over all months, invoices, signals, marts

`bound` is what is left of an analysis if the 60 kept months of `month` cost nothing at all, neither to find nor to read.
"""

import argparse
import os
import pty
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
FIRST, MONTHS, LAST, QUARTER = "2021-09", 61, "2026-09", "2026Q3"
KINDS = {
    "month": "usage_native usage_keyed usage_month delivered_month cost_month contract_month terms_month billed_month fx_month fact_monthly",
    "year": "usage_report usage_version billing_cutoff late_month",
    "window": "trend_input trend_baseline trend_test",
}
STEP = re.compile(r"analysing \d+/\d+ ([a-z_]+(?: [a-z]+)*)")


def cpu_now(pid: int) -> float:
    """CPU seconds of a process that runs; nothing is known of one that has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(command: list[str]) -> tuple[float, Counter]:
    """Runs a command on a terminal of its own; CPU seconds in all and by step."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(COLUMNS="200", TERM="xterm")
        os.execvp(command[0], command)
    steps, step, since, shown = Counter(), "start", 0.0, ""
    while True:
        try:
            read = os.read(terminal, 1 << 16)
        except OSError:  # what Linux says when the other side has closed
            break
        if not read:
            break
        shown = (shown + read.decode(errors="replace"))[-4096:]
        found = STEP.findall(shown)
        if found and found[-1] != step:
            now = cpu_now(pid)
            steps[step] += now - since
            step, since = found[-1], now
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"failed: {' '.join(command)}\n{shown}")
    total = usage.ru_utime + usage.ru_stime
    steps[step] += total - since
    return total, steps


def kind(step: str) -> str:
    return next((name for name, steps in KINDS.items() if step in steps.split()), "whole")


def say(total: float, steps: Counter) -> None:
    kinds = Counter()
    for step, seconds in steps.items():
        kinds[kind(step)] += seconds
    print("\n| step | reads | CPU s | share |\n| --- | --- | ---: | ---: |")
    for step, seconds in steps.most_common(15):
        print(f"| {step} | {kind(step)} | {seconds:.2f} | {seconds / total:.1%} |")
    print("\n| reads | CPU s | share |\n| --- | ---: | ---: |")
    for name in [*KINDS, "whole"]:
        print(f"| {name} | {kinds[name]:.2f} | {kinds[name] / total:.1%} |")
    left = 1 - kinds["month"] / total * (MONTHS - 1) / MONTHS
    print(f"\nanalyze: {total:.1f} CPU s; bound: {left:.0%} of it is left if kept months cost nothing (the issue asks for 5 %)", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lake", type=Path, help="a lake that is there, instead of a book")
    parser.add_argument("--quarter", default=QUARTER)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "shortfall-incremental", help="folder for files and lakes")
    parser.add_argument("--shortfall", type=Path, default=HERE / "../../target/release/shortfall", help="the release binary")
    arguments = parser.parse_args()
    if not arguments.shortfall.exists():
        sys.exit(f"{arguments.shortfall} is missing; `cargo build --release`, or name it with --shortfall")
    binary, work = [str(arguments.shortfall), "--threads", "1"], arguments.work
    shutil.rmtree(work, ignore_errors=True)
    data, later, lake = work / "data", work / "later", work / "lake"
    analyze = [*binary, "analyze", "--quarter", arguments.quarter, "--lake", str(lake)]
    if arguments.lake:
        # Marts of an earlier run are only shown again.
        shutil.copytree(arguments.lake, lake, ignore=lambda folder, _: ["marts", "files"] if Path(folder) == arguments.lake else [])
        say(*run(analyze))
        return
    synth = ["--customers", str(arguments.customers), "--seed", str(arguments.seed), "--first-month", FIRST, "--months", str(MONTHS)]
    run([*binary, "synth", "--out", str(data), *synth])
    held_back = [file for file in sorted(data.rglob("*")) if file.is_file() and LAST in file.name]
    for file in held_back:
        target = later / file.relative_to(data / "exports")
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    run([*binary, "ingest", str(data / "exports"), "--lake", str(lake)])
    before, _ = run(analyze)
    print(f"{MONTHS - 1} months: analyze {before:.1f} CPU s", flush=True)
    ingest, _ = run([*binary, "ingest", str(later), "--lake", str(lake)])
    after, steps = run(analyze)
    shutil.rmtree(lake / "marts")
    full, _ = run(analyze)
    print(f"one more month ({len(held_back)} files): ingest {ingest:.1f}, analyze {after:.1f} CPU s; in full {full:.1f}; ratio {after / full:.2f}")
    say(after, steps)


if __name__ == "__main__":
    main()
