"""Decodes the columns of usage that monthly facts need, and throws them away: the least that reading them costs."""

from pathlib import Path

import peer
import pyarrow
import pyarrow.dataset

COLUMNS = ["customer_native_id", "native_sku", "currency", "measure", "category", "period_start", "period_end", "quantity", "cost"]


def decode(lake: Path, threads: int) -> None:
    pyarrow.set_cpu_count(threads)
    dataset = pyarrow.dataset.dataset(str(lake), format="parquet", partitioning="hive", exclude_invalid_files=True)
    for batch in dataset.scanner(columns=COLUMNS, use_threads=True).to_batches():
        assert batch.num_columns == len(COLUMNS)


if __name__ == "__main__":
    peer.run_one("decode.py", decode)
