"""A backfill of thousands of files that is killed again and again, beside one that nobody disturbs.

    python3 benches/backfill/kill.py --shortfall target/release/shortfall --work /tmp/backfill

Writes some MSPs' exports (`synth`, five years each), ingests them undisturbed, then into another lake with `kill -9` at random moments, each followed by the
same command again. Prints files, kills, what was done again, the time of both, and whether the two lakes say the same; exits with 1 if they differ.
Neither run knows where the other one was killed: a moment is drawn from the time that the undisturbed run took.
"""

import argparse
import hashlib
import json
import pathlib
import random
import shutil
import subprocess
import sys
import time

TABLES = ["vendor_usage", "invoice_line", "contract_line", "lifecycle_event", "customer", "service", "change", "reject"]


def run(asked, *arguments):
    return subprocess.run([asked.shortfall, *arguments], capture_output=True, text=True)


def said(asked, lake, table):
    """Number of rows, and a hash of all of them in an order of their own; what names a run of ingest is left out."""
    done = run(asked, "sql", "--lake", lake, "--format", "csv", f"SELECT * FROM core.{table}")
    if done.returncode != 0:
        sys.exit(f"{table}: {done.stderr}")
    rows = sorted(done.stdout.splitlines()[1:])
    return len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()


def count(asked, lake, what):
    done = run(asked, "sql", "--lake", lake, "--output", "json", f"SELECT {what} AS n FROM core.batch")
    return json.loads(done.stdout)[0]["n"] if done.returncode == 0 else 0


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
    exports = work / "exports"
    for book in range(asked.books):
        made = run(asked, "synth", "--seed", str(1000 + book), "--customers", str(asked.customers), "--months", str(asked.months), "--out", str(work / "book"))
        if made.returncode != 0:
            sys.exit(made.stderr)
        exports.mkdir(exist_ok=True)
        shutil.move(str(work / "book" / "exports"), str(exports / f"book{book}"))
        shutil.rmtree(work / "book")
    files = sum(1 for path in exports.rglob("*") if path.is_file())
    began = time.monotonic()
    whole = run(asked, "ingest", "--lake", str(work / "whole"), str(exports))
    undisturbed = time.monotonic() - began
    if whole.returncode > 1:
        sys.exit(whole.stderr)

    draw = random.Random(asked.seed)
    killed, lake, began, landed = 0, str(work / "killed"), time.monotonic(), []
    while True:
        ingest = subprocess.Popen([asked.shortfall, "ingest", "--lake", lake, str(exports)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # Runs that are killed bring about half of the way; the rest is for the last one.
            code = ingest.wait(draw.uniform(0.02, 1) * undisturbed / asked.kills if killed < asked.kills else None)
            break
        except subprocess.TimeoutExpired:
            ingest.kill()
            ingest.wait()
            killed += 1
            landed.append(count(asked, lake, "count(*)"))
    disturbed = time.monotonic() - began
    print(f"{files} files in {undisturbed:.1f} s; killed {killed} times and resumed: {disturbed:.1f} s with the questions in between, ended with {code}")
    print("files that stood in the lake after each kill: " + " ".join(map(str, landed)))
    wrong = 0
    for table in TABLES:
        (rows, first), (again, second) = said(asked, str(work / "whole"), table), said(asked, lake, table)
        wrong += first != second
        print(f"core.{table}: {rows} and {again} rows, {'the same' if first == second else 'NOT THE SAME'}")
    batches, distinct = count(asked, lake, "count(*)"), count(asked, lake, "count(DISTINCT batch_id)")
    print(f"core.batch: {batches} rows, {distinct} of them distinct")
    sys.exit(1 if wrong or batches != distinct else 0)


if __name__ == "__main__":
    main()
