"""The same names matched by rapidfuzz, splink and Shortfall.

    SHORTFALL_IDENTITY_SEEDS=101,102,103 SHORTFALL_PAIRS=data/out/pairs cargo test --release --test analysis identity::measured
    pip install -r benches/peers/identity_requirements.txt
    python benches/peers/identity.py data/out/pairs

Reads `customers_<seed>.csv`, `tenants_<seed>.csv` and `shortfall_<seed>.csv` as the test writes them, and prints for each seed and
matcher: the share of tenants with a true customer that has it among the first three; the largest share of them that some threshold (and
margin over the runner-up) accepts with a precision of at least 0.99, chosen with the truth in hand, which favours the peers; seconds.

Peers get what they are documented to want: rapidfuzz its default processor and the best of names and domains, splink its own term
frequencies and an unsupervised training on names, words and domains.
"""

import csv
import re
import sys
import time
from pathlib import Path

TOP = 3
PRECISION = 0.99
MARGINS = [0, 1, 2, 3, 5, 8, 10, 15]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rapidfuzz_matcher(scorer_name: str):
    from rapidfuzz import fuzz, process, utils

    scorer = getattr(fuzz, scorer_name)

    def match(customers, tenants):
        names = [utils.default_process(row["name"]) for row in customers]
        by_domain: dict[str, list[int]] = {}
        for at, row in enumerate(customers):
            if row["domain"]:
                by_domain.setdefault(row["domain"], []).append(at)
        found = {}
        for row in tenants:
            best = process.extract(utils.default_process(row["name"]), names, scorer=scorer, limit=TOP + 1)
            scores = {at: score for _, score, at in best}
            for at in by_domain.get(row["domain"], []):
                scores[at] = 101
            ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
            found[row["native_id"]] = [(customers[at]["customer_key"], score) for at, score in ranked]
        return found

    return match


FORMS = {"ltd", "limited", "llc", "inc", "gmbh", "pty", "bv", "sa", "sarl", "ab", "as", "aps", "llp", "corp", "corporation", "co", "srl", "plc", "oy",
         "kg", "pllc", "the", "and", "sp", "zoo", "l", "c", "b", "v", "s", "r", "a", "z", "o"}


def splink_matcher(customers, tenants):
    """Names without legal forms; their words sorted; the rarest word with its term frequency; words as a set; domain."""
    import unicodedata

    import pyarrow
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on
    import splink.comparison_library as library

    def words_of(name):
        plain = "".join(c for c in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(c))
        words = re.sub(r"[^\w ]+", " ", plain).split()
        return [word for word in words if word not in FORMS] or words

    frequency: dict[str, int] = {}
    for row in [*customers, *tenants]:
        for word in set(words_of(row["name"])):
            frequency[word] = frequency.get(word, 0) + 1

    def table(rows, key):
        words = [words_of(row["name"]) for row in rows]
        rare = [sorted(set(own), key=lambda word: (frequency[word], word)) for own in words]
        return pyarrow.table({
            "unique_id": [row[key] for row in rows],
            "name": [" ".join(sorted(own)) or None for own in words],
            "words": [sorted(set(own)) for own in words],
            "rarest": [own[0] if own else None for own in rare],
            "domain": [row["domain"] or None for row in rows],
        })

    api = DuckDBAPI()
    left = api.register(table(tenants, "native_id"), dataset_display_name="tenants")
    right = api.register(table(customers, "customer_key"), dataset_display_name="customers")
    blocking = [block_on("words", arrays_to_explode=["words"]), block_on("domain"), block_on("substr(rarest, 1, 3)")]
    settings = SettingsCreator(
        link_type="link_only",
        comparisons=[
            library.JaroWinklerAtThresholds("name", [0.97, 0.92, 0.88, 0.8]).configure(term_frequency_adjustments=True),
            library.JaroWinklerAtThresholds("rarest", [0.92, 0.85]).configure(term_frequency_adjustments=True),
            library.ArrayIntersectAtSizes("words", [4, 3, 2, 1]),
            library.ExactMatch("domain").configure(term_frequency_adjustments=True),
        ],
        blocking_rules_to_generate_predictions=blocking,
        retain_intermediate_calculation_columns=False,
    )
    linker = Linker([left, right], settings)
    linker.training.estimate_probability_two_random_records_match([block_on("name"), block_on("domain")], recall=0.6)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("rarest"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("domain"))
    pairs = linker.inference.predict(threshold_match_weight=-20)
    found: dict[str, list[tuple[str, float]]] = {}
    for row in pairs.as_record_list():
        ids = {row["source_dataset_l"]: row["unique_id_l"], row["source_dataset_r"]: row["unique_id_r"]}
        found.setdefault(ids["tenants"], []).append((ids["customers"], row["match_weight"]))
    for candidates in found.values():
        candidates.sort(key=lambda pair: (-pair[1], pair[0]))
    return found


def judge(tenants, found):
    """Recall among the first three, and the best (accepted right share, precision, threshold, margin) that is precise enough."""
    truth = {row["native_id"]: row["truth"] for row in tenants}
    with_truth = sum(1 for key in truth.values() if key)
    hits = sum(1 for key, true in truth.items() if true and true in [name for name, _ in found.get(key, [])[:TOP]])
    best = (0, 0.0, None, None)
    for margin in MARGINS:
        accepted = []
        for key, candidates in found.items():
            if candidates and (len(candidates) < 2 or candidates[0][1] - candidates[1][1] >= margin):
                accepted.append((candidates[0][1], candidates[0][0] == truth[key]))
        accepted.sort(key=lambda pair: -pair[0])
        right = 0
        for at, (score, is_right) in enumerate(accepted, start=1):
            right += is_right
            is_last_of_its_score = at == len(accepted) or accepted[at][0] < score
            if is_last_of_its_score and right / at >= PRECISION and right > best[0]:
                best = (right, right / at, score, margin)
    return hits / with_truth, best, with_truth


def main() -> None:
    folder = Path(sys.argv[1])
    seeds = sorted(path.stem.removeprefix("customers_") for path in folder.glob("customers_*.csv"))
    matchers = {
        "rapidfuzz WRatio": rapidfuzz_matcher("WRatio"),
        "rapidfuzz token_set_ratio": rapidfuzz_matcher("token_set_ratio"),
        "rapidfuzz token_sort_ratio": rapidfuzz_matcher("token_sort_ratio"),
        "splink": splink_matcher,
    }
    print("| seed | matcher | recall in three | accepted and right | precision | seconds |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seed in seeds:
        customers, tenants = read(folder / f"customers_{seed}.csv"), read(folder / f"tenants_{seed}.csv")
        own = read(folder / f"shortfall_{seed}.csv")
        truth = {row["native_id"]: row["truth"] for row in tenants}
        with_truth = sum(1 for key in truth.values() if key)
        hits = sum(1 for row in own if truth[row["native_id"]] and truth[row["native_id"]] in (row["first"], row["second"], row["third"]))
        accepted = [row for row in own if row["accepted"] == "1"]
        right = sum(1 for row in accepted if row["first"] == truth[row["native_id"]])
        print(f"| {seed} | Shortfall, its fixed threshold | {hits / with_truth:.4f} | {right / with_truth:.1%} | "
              f"{right / len(accepted):.4f} | {float(own[0]['seconds']):.1f} |", flush=True)
        for name, match in matchers.items():
            started = time.perf_counter()
            found = match(customers, tenants)
            seconds = time.perf_counter() - started
            recall, (right, precision, threshold, margin), with_truth = judge(tenants, found)
            at = f"score >= {threshold:.1f}, margin {margin}" if threshold is not None else "no threshold reaches 0.99"
            print(f"| {seed} | {name} ({at}) | {recall:.4f} | {right / with_truth:.1%} | {precision:.4f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
