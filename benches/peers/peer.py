"""What both peers share: arguments, the clock, and the columns."""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

TEXT, DECIMAL, INSTANT = "text", "decimal", "instant"

# Source column -> type. All 31 are in the file; those without a name in the lake are not kept.
SOURCE = {
    "BilledCost": DECIMAL, "BillingAccountId": TEXT, "BillingAccountName": TEXT, "BillingCurrency": TEXT,
    "BillingPeriodEnd": TEXT, "BillingPeriodStart": TEXT, "ChargeCategory": TEXT, "ChargeClass": TEXT,
    "ChargeDescription": TEXT, "ChargeFrequency": TEXT, "ChargePeriodEnd": INSTANT, "ChargePeriodStart": INSTANT,
    "ConsumedQuantity": DECIMAL, "ConsumedUnit": TEXT, "ContractedCost": TEXT, "ContractedUnitPrice": DECIMAL,
    "EffectiveCost": TEXT, "InvoiceIssuerName": TEXT, "ListCost": TEXT, "PricingQuantity": DECIMAL, "PricingUnit": TEXT,
    "ProviderName": TEXT, "PublisherName": TEXT, "RegionId": TEXT, "ResourceId": TEXT, "ServiceCategory": TEXT,
    "ServiceName": TEXT, "SkuId": TEXT, "SkuPriceId": TEXT, "SubAccountId": TEXT, "SubAccountName": TEXT,
}


def run(name: str, lake: Callable[[Path, Path, int], None], facts: Callable[[Path, Path, Path, int], None]) -> None:
    """`NAME lake DATA LAKE` or `NAME facts DATA LAKE RESULT`; prints seconds, CPU seconds (imports not counted) and peak memory."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("job", choices=["lake", "facts"])
    parser.add_argument("data", type=Path)
    parser.add_argument("lake", type=Path)
    parser.add_argument("result", type=Path, nargs="?")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.job == "lake":
        report(lambda: lake(arguments.data, arguments.lake, arguments.threads))
    else:
        report(lambda: facts(arguments.data, arguments.lake, arguments.result, arguments.threads))


def run_one(name: str, job: Callable[[Path, int], None]) -> None:
    """`NAME LAKE`, for a job that only reads."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("lake", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    report(lambda: job(arguments.lake, arguments.threads))


def report(job: Callable[[], None]) -> None:
    started, used = time.perf_counter(), time.process_time()
    job()
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    json.dump({"seconds": seconds, "cpu": cpu, "peak_kib": peak}, sys.stdout)
