"""A backfill of thousands of files that is killed again and again, beside one that nobody disturbs.

    python3 benches/backfill/kill.py --shortfall target/release/shortfall --work /tmp/backfill

Writes some MSPs' exports (`synth`, five years each) and ingests them undisturbed; then into another lake, killed (`kill -9`) as often as asked, each time
followed by the same command again, until it comes to its end by itself. Where a run is killed is drawn at random, in files of the history, not in seconds: the k-th
kill falls into the k-th of so many equal stretches of it, once so many files are committed or a random moment later. So every kill falls into the run,
however fast the machine is; a run that ends before is said, and the bench fails.

Compares the two lakes: every visible row of every ingested table and all rejects, by counts and sums of hashes that no order matters to (DuckDB reads the tables'
own files, with those that `core.batch` names by batch and attempt as the visible ones); the calendar views; and whether a file stands twice. `shortfall check` has to find both
whole. Ends with 1 if anything differs. Needs the Python package `duckdb`. Progress goes to standard error.
"""

import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import time

import duckdb

VIEWS = ["source_month", "watermark", "calendar_gap"]
BEGAN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGAN:8.1f} s] {text}", file=sys.stderr, flush=True)


def run(asked, *arguments):
    return subprocess.run([asked.shortfall, *arguments], capture_output=True, text=True)


def live_files(table):
    """The files of the newest version of a Delta table: what its log adds and does not remove (JSON commits, no checkpoint needed). By path, each with the
    batches and attempts whose rows it holds."""
    live = {}
    log = table / "_delta_log"
    checkpoints = sorted(log.glob("*.checkpoint.parquet"))
    first = 0
    if checkpoints:
        rows = duckdb.sql(f"SELECT add.path, add.tags FROM read_parquet('{checkpoints[-1]}') WHERE add IS NOT NULL").fetchall()
        live = {path: parts(path, tags) for path, tags in rows}
        first = int(checkpoints[-1].name.split(".")[0]) + 1
    for commit in sorted(log.glob("*.json")):
        if not commit.stem.isdigit() or int(commit.stem) < first:
            continue
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                live[action["add"]["path"]] = parts(action["add"]["path"], action["add"].get("tags"))
            elif "remove" in action:
                live.pop(action["remove"]["path"], None)
    return {str(table / path.replace("%20", " ").replace("%3A", ":")): live[path] for path in sorted(live)}


def parts(path, tags):
    """Files are named `part-<batch>-<attempt>-...`; of merged ones the log says what they were made of (`src/lake/part.rs`)."""
    merged = dict(tags or {}).get("shortfall.parts")
    if merged is None:
        return {tuple(pathlib.Path(path).name.split("-")[1:3])}
    cells = [part.split(",") for part in merged.split(";")]
    return {(part[0], part[6] if len(part) > 6 else "") for part in cells}


def relation(files):
    files = list(files)
    return f"read_parquet({json.dumps(files).replace(chr(34), chr(39))}, union_by_name = true, hive_partitioning = true, hive_types_autocast = false)"


def said(lake, table):
    """Number of visible rows, and the sum of their hashes over all columns: the same in any order, whichever files they lie in."""
    files = live_files(lake / "core" / table)
    if not files:
        return 0, 0
    if table != "batch":
        # Rows of an attempt that was killed are in the table, and count for nothing.
        batches = relation(live_files(lake / "core" / "batch"))
        attempts = {tuple(row) for row in duckdb.sql(f"SELECT batch_id, attempt FROM {batches}").fetchall()}
        files = {file: held for file, held in files.items() if held & attempts}
        if not files:
            return 0, 0
    rows = relation(files)
    if table != "batch" and any(held - attempts for held in files.values()):
        partly = [file for file, held in files.items() if held - attempts]
        hidden = ", ".join(f"'{batch}'" for file in partly for batch, _ in files[file] - attempts)
        kept = f"SELECT * FROM {relation(partly)} WHERE batch_id NOT IN ({hidden})"
        whole = [file for file in files if file not in partly]
        rows = f"(SELECT * FROM {relation(whole)} UNION ALL BY NAME {kept})" if whole else f"({kept})"
    # Attempts are named by lot.
    columns = sorted({column[0] for column in duckdb.sql(f"DESCRIBE SELECT * FROM {rows}").fetchall()} - {"attempt"})
    hashed = ", ".join(f'CAST("{column}" AS VARCHAR)' for column in columns)
    return duckdb.sql(f"SELECT count(*), sum(CAST(hash({hashed}) AS HUGEINT)) FROM {rows}").fetchall()[0]


def viewed(asked, lake, view):
    done = run(asked, "sql", "--lake", str(lake), "--csv", f"SELECT * FROM core.{view}")
    if done.returncode != 0:
        sys.exit(f"{view}: {done.stderr}")
    return sorted(done.stdout.splitlines()[1:])


def committed(lake):
    """Files that stand in `core.batch`; none before the first commit."""
    table = lake / "core" / "batch"
    if not (table / "_delta_log").is_dir():
        return 0
    files = live_files(table)
    return duckdb.sql(f"SELECT count(*) FROM {relation(files)}").fetchall()[0][0] if files else 0


def commits(lake):
    log = lake / "core" / "batch" / "_delta_log"
    return sum(1 for _ in log.glob("*.json")) if log.is_dir() else 0


def make_exports(asked, work):
    exports = work / "exports"
    for book in range(asked.books):
        made = run(asked, "synth", "--seed", str(1000 + book), "--customers", str(asked.customers), "--months", str(asked.months), "--out", str(work / "book"))
        if made.returncode != 0:
            sys.exit(made.stderr)
        exports.mkdir(exist_ok=True)
        shutil.move(str(work / "book" / "exports"), str(exports / f"book{book}"))
        shutil.rmtree(work / "book")
        say(f"wrote book {book + 1} of {asked.books}")
    return exports


def killed_runs(asked, lake, exports, files, undisturbed):
    """Runs until one ends by itself; returns where each kill fell, in committed files, and the code of the last run."""
    draw = random.Random(asked.seed)
    fell = []
    # The seconds of a commit, to draw a moment within one.
    moment = undisturbed / max(files / 64, 1)
    log = open(lake.parent / "killed.log", "w")
    while True:
        ingest = subprocess.Popen([asked.shortfall, "ingest", "--lake", str(lake), str(exports)], stdout=log, stderr=log)
        if len(fell) >= asked.kills:
            return fell, ingest.wait()
        # The k-th kill falls into the k-th stretch, unless a commit that is larger than a stretch overtakes it: then a moment after the next one.
        target = files * (len(fell) + draw.random() * 0.9) / (asked.kills + 1)
        before, counted = commits(lake), committed(lake)
        while ingest.poll() is None and counted < target:
            time.sleep(0.01)
            if commits(lake) != before:
                before, counted = commits(lake), committed(lake)
        time.sleep(draw.random() * moment)
        if ingest.poll() is not None:
            return fell, ingest.returncode
        ingest.kill()
        ingest.wait()
        fell.append(committed(lake))
        say(f"kill {len(fell)} of {asked.kills}: {fell[-1]} of {files} files were committed")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--shortfall", required=True)
    options.add_argument("--work", required=True)
    options.add_argument("--books", type=int, default=5)
    options.add_argument("--customers", type=int, default=20)
    options.add_argument("--months", type=int, default=60)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    work = pathlib.Path(asked.work)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    exports = make_exports(asked, work)
    plan = run(asked, "ingest", "--lake", str(work / "whole"), "--dry-run", "--output", "json", str(exports))
    if plan.returncode > 1:
        sys.exit(plan.stdout + plan.stderr)
    files = json.loads(plan.stdout)["new"]
    say(f"{files} files are to be landed")

    began = time.monotonic()
    whole = run(asked, "ingest", "--lake", str(work / "whole"), str(exports))
    undisturbed = time.monotonic() - began
    if whole.returncode > 1:
        sys.exit(whole.stderr)
    say(f"undisturbed: {undisturbed:.1f} s")

    began = time.monotonic()
    fell, code = killed_runs(asked, work / "killed", exports, files, undisturbed)
    disturbed = time.monotonic() - began
    print(f"{files} files in {undisturbed:.1f} s; killed {len(fell)} times and resumed: {disturbed:.1f} s, the last run ended with {code} (undisturbed: {whole.returncode})")
    print("files that were committed at each kill: " + " ".join(map(str, fell)))
    wrong = 0
    if len(fell) < asked.kills:
        wrong += 1
        print(f"NOT KILLED OFTEN ENOUGH: a run came to its end after {len(fell)} of {asked.kills} kills")
    wrong += code != whole.returncode

    tables = sorted(path.name for path in (work / "whole" / "core").iterdir() if (path / "_delta_log").is_dir())
    for table in tables:
        (rows, first), (again, second) = said(work / "whole", table), said(work / "killed", table)
        same = (rows, first) == (again, second)
        wrong += not same
        print(f"core/{table}: {rows} and {again} visible rows, {'the same' if same else 'NOT THE SAME'}", flush=True)
    for view in VIEWS:
        same = viewed(asked, work / "whole", view) == viewed(asked, work / "killed", view)
        wrong += not same
        print(f"core.{view}: {'the same' if same else 'NOT THE SAME'}", flush=True)
    batches, distinct = duckdb.sql(
        f"SELECT count(*), count(DISTINCT batch_id) FROM {relation(live_files(work / 'killed' / 'core' / 'batch'))}"
    ).fetchall()[0]
    wrong += batches != distinct or batches != files
    print(f"core/batch: {batches} rows, {distinct} of them distinct, {files} were planned")
    for lake in ["whole", "killed"]:
        checked = run(asked, "check", "--lake", str(work / lake))
        wrong += checked.returncode != 0
        print(f"check of the {lake} lake: {'whole' if checked.returncode == 0 else checked.stdout}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
