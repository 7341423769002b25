"""Runs a command and says what it took: `python measured.py RESULT COMMAND...` writes seconds, CPU seconds and peak KiB to a file, as JSON.

Between a bench and what it measures there must be a small process: Linux counts the memory of who starts a program as the program's own peak (what lay in
the old image when `exec` replaced it), and a bench that has just made a gigabyte of CSV is large.
"""

import json
import os
import subprocess
import sys
import time

result, *command = sys.argv[1:]
started = time.perf_counter()
child = subprocess.Popen(command)
_, status, usage = os.wait4(child.pid, 0)
said = {"seconds": time.perf_counter() - started, "cpu": usage.ru_utime + usage.ru_stime, "peak_kib": usage.ru_maxrss}
with open(result, "w", encoding="utf-8") as out:
    json.dump(said, out)
sys.exit(1 if status else 0)
