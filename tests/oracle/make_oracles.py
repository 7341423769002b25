"""Writes the oracle CSVs beside this file from packages that know nothing of Shortfall.

Run: python make_oracles.py     (numpy 2.4.6, scipy 1.17.1, pymannkendall 1.4.3, ruptures 1.1.10; checked below)

Lists inside a cell are separated by spaces. Every file opens with a comment line: source and the relative tolerance to
which `tests/kernels.rs` compares. Inputs are fixed series (statistics.md, edge cases) and seeded random ones.
"""

import csv
import itertools
import pathlib
from importlib.metadata import version

import numpy as np
import pymannkendall
import ruptures
from scipy import stats

PINNED = {"numpy": "2.4.6", "scipy": "1.17.1", "pymannkendall": "1.4.3", "ruptures": "1.1.10"}
for package, expected in PINNED.items():
    assert version(package) == expected, f"{package} {version(package)} installed, oracle made with {expected}"

HERE = pathlib.Path(__file__).parent
RANDOM = np.random.default_rng(20261122)
STATISTICS_MD = [12.0, 11.5, 13.1, 12.7, 14.2, 13.9, 15.0, 14.1, 16.3, 15.8, 17.0, 16.2]


def listed(values):
    return " ".join(repr(float(v)) for v in values)


def write(name, comment, header, rows):
    with open(HERE / name, "w", newline="") as file:
        file.write(f"# {comment}\n")
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def series():
    """name -> (months, values)"""
    fixed = {
        "statistics_md": STATISTICS_MD,
        "statistics_md_ties": [1, 1, 1, 1, 2, 2, 3, 3],
        "two": [1.0, 4.0],
        "falling": [9, 8, 7, 6, 5, 4, 3, 2, 1],
        "constant": [5.0] * 8,
        "one_step": [10.0] * 7 + [8.0] * 5,
        "negative_and_zero": [-3.0, 0.0, -1.0, 2.0, -2.0, 0.0, 1.0, 3.0],
        "large_level": [1e9 + v for v in STATISTICS_MD],
    }
    made = {name: (list(range(len(y))), y) for name, y in fixed.items()}
    for n in (6, 13, 24, 36, 120):
        made[f"normal_{n}"] = (list(range(n)), RANDOM.normal(size=n).round(6).tolist())
        made[f"poisson_{n}"] = (list(range(n)), RANDOM.poisson(3, size=n).tolist())
        months = np.sort(RANDOM.choice(2 * n, size=n, replace=False)) + 24_000
        made[f"gaps_{n}"] = (months.tolist(), (RANDOM.normal(size=n).cumsum() + 50).round(3).tolist())
    return made


def main():
    made = series()

    rows = []
    for name, (_, y) in made.items():
        if len(y) < 4:
            continue
        test = pymannkendall.original_test(y)
        rows.append([name, listed(y), test.s, test.var_s, test.z, test.p])
    write(
        "mann_kendall.csv",
        "pymannkendall 1.4.3 original_test; s exact, var_s z p to 1e-9",
        ["name", "y", "s", "var_s", "z", "p"],
        rows,
    )

    rows = []
    for name, (x, y) in made.items():
        line = stats.theilslopes(y, x, alpha=0.95, method="separate")
        rows.append([name, listed(x), listed(y), line.slope, line.intercept, line.low_slope, line.high_slope])
    write(
        "theil_sen.csv",
        "scipy 1.17.1 stats.theilslopes(y, x, alpha=0.95, method='separate'); to 1e-9",
        ["name", "x", "y", "slope", "intercept", "slope_low", "slope_high"],
        [[v if isinstance(v, str) else float(v) for v in row] for row in rows],
    )

    families = {
        "statistics_md": [
            0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216, 0.222, 0.251, 0.269, 0.275, 0.34,
        ],
        "one": [0.03],
        "equal": [0.2] * 5,
        "edges": [0.0, 1.0, 1.0, 0.5],
        "random": RANDOM.uniform(size=200).round(9).tolist(),
        "tiny": (10.0 ** -RANDOM.uniform(0, 12, size=50)).tolist(),
    }
    rows = [
        [
            name,
            listed(p),
            listed(stats.false_discovery_control(p, method="bh")),
            listed(stats.false_discovery_control(p, method="by")),
        ]
        for name, p in families.items()
    ]
    write("bh_adjust.csv", "scipy 1.17.1 stats.false_discovery_control; to 1e-12", ["name", "p", "bh", "by"], rows)

    rows = [["normal_two_sided", z, 0.0, 2 * stats.norm.sf(z)] for z in (0.1, 0.5, 1, 1.96, 2.8, 2.83, 3.36, 5, 8, 20, 37)]
    rows += [
        ["share_tail", share, freedom, stats.beta.sf(share, 0.5, freedom / 2)]
        for share in (1e-6, 0.01, 0.2, 0.5, 0.8, 0.95, 0.999)
        for freedom in (0.3, 1, 2.5, 4, 7.16, 22, 34, 150)
    ]
    rows += [["fair_coin_below", k, n, stats.binom.cdf(k - 1, n, 0.5)] for n, k in ((6, 1), (12, 3), (36, 12), (500, 228), (3000, 1440))]
    write("tails.csv", "scipy 1.17.1 norm.sf, beta.sf, binom.cdf; to 1e-10", ["function", "a", "b", "value"], rows)

    rows = []
    for n in (5, 6, 9, 12, 20, 36, 77, 500):
        y = np.sort(RANDOM.normal(size=n))
        interval = stats.quantile_test(y, p=0.5).confidence_interval(0.95)
        k = int(stats.binom.ppf(0.025, n, 0.5))
        if n < 6:
            cells = ["", "", ""]
        else:
            assert y[k - 1] == interval.low, (n, k)  # SciPy's own interval has this lower end
            cells = [y[k - 1], y[n - k], 1 - 2 * stats.binom.cdf(k - 1, n, 0.5)]
        rows.append([n, listed(RANDOM.permutation(y)), np.median(y), *cells])
    write(
        "median_interval.csv",
        "scipy 1.17.1 binom.ppf(0.025, n, 0.5), lower end checked against stats.quantile_test; to 1e-10",
        ["n", "y", "median", "low", "high", "coverage"],
        rows,
    )

    rows = []
    for n, split, step in [(6, 3, 5), (12, 4, -3), (24, 12, 0), (36, 33, 4), (36, 20, 1.5)]:
        y = (RANDOM.normal(size=n) + np.where(np.arange(n) >= split, step, 0)).round(4)
        found = ruptures.Dynp(model="l2", min_size=3, jump=1).fit(y).predict(n_bkps=1)[0]
        f = stats.f_oneway(y[:found], y[found:]).statistic
        rows.append([listed(y), found, y[:found].mean(), y[found:].mean(), f / (f + n - 2)])
    write(
        "change_point.csv",
        "ruptures 1.1.10 Dynp(model='l2', min_size=3, jump=1), one cut; share from scipy 1.17.1 f_oneway; to 1e-9",
        ["y", "split", "mean_before", "mean_after", "step_share"],
        rows,
    )

    rows = []
    for name, y, penalty, min_length in [
        ("statistics_md", [0.0] * 8 + [4.0] * 9, 2.0, 2),
        ("two_steps", [5.0] * 6 + [9.0] * 5 + [7.0] * 7, 3.0, 3),
        ("noise", RANDOM.normal(size=30).round(4).tolist(), 2.0, 2),
        ("noisy_steps", (RANDOM.normal(size=36) + np.repeat([0, 3, -2], 12)).round(4).tolist(), 4.0, 3),
        ("no_penalty_to_speak_of", RANDOM.normal(size=24).round(4).tolist(), 0.2, 2),
    ]:
        # Dynp minimises exactly for a given number of cuts; the penalised optimum is the best over that number.
        signal = np.array(y)
        best = (ruptures.costs.CostL2().fit(signal).error(0, len(y)), [len(y)])
        for cuts in range(1, len(y) // min_length):
            ends = ruptures.Dynp(model="l2", min_size=min_length, jump=1).fit(signal).predict(n_bkps=cuts)
            error = sum(((signal[a:b] - signal[a:b].mean()) ** 2).sum() for a, b in zip([0, *ends], ends))
            best = min(best, (error + penalty * cuts, ends), key=lambda pair: pair[0])
        rows.append([name, listed(y), penalty, min_length, " ".join(map(str, best[1]))])
    write(
        "segments.csv",
        "ruptures 1.1.10 Dynp(model='l2', jump=1), best number of cuts under the penalty; exact",
        ["name", "y", "penalty", "min_length", "ends"],
        rows,
    )

    rows = [["at_least", k, n, c, stats.binom.sf(k - 1, n, c)] for n, k, c in ((3, 3, 0.1), (12, 4, 0.2), (36, 1, 0.1), (60, 40, 0.2))]
    write("binomial_tail.csv", "scipy 1.17.1 binom.sf; to 1e-10", ["function", "k", "n", "chance", "value"], rows)

    rows = []
    for name, y in [
        ("typed", [100, 120, 120, 150, 145, 160]),
        ("standing", [50] * 12),
        ("small", [5, 10, 15, 3, 7]),
        ("fractions", [20.5, 30.25, 40.0, 50.0, 61.0]),
        ("uniform", RANDOM.integers(20, 1000, size=36).tolist()),
        ("rounded", (RANDOM.integers(5, 100, size=24) * 10).tolist()),
        ("to_full_500", [1730.5, 1812, 1655.25, 2000, 2500, 2000, 2500, 3000]),
        ("two_full_thousands", [4000, 5000, 4000, 5000, 4000, 4321.5, 6000, 7000]),
        ("rounded_lately", [101, 118.5, 133, 147.25, 160.5, 171, 150, 165, 180, 180, 195, 205]),
    ]:
        judged = {abs(v) for v in y if abs(v) >= 20}
        n, tens, fives = len(judged), sum(v % 10 == 0 for v in judged), sum(v % 5 == 0 for v in judged)
        last = list(itertools.takewhile(lambda v: abs(v) >= 20 and v % 5 == 0, reversed(y)))
        stretch = len(set(last))
        smallest = min(stats.binom.sf(tens - 1, n, 0.1), stats.binom.sf(fives - 1, n, 0.2), stats.binom.pmf(stretch, stretch, 0.2))
        coarse = []
        for k, s in enumerate([10, 50, 100, 500, 1000, 5000], start=1):
            ends = set(itertools.takewhile(lambda v: abs(v) >= max(20, 4 * s) and v % s == 0, reversed(y)))
            if len(ends) >= 2:
                coarse.append((2**k * stats.binom.pmf(len(ends), len(ends), 1 / s), s))
        smallest = min([smallest] + [p for p, _ in coarse])
        scale = min(coarse)[1] if coarse else ""
        rows.append([name, listed(y), n, tens, fives, stretch, len(y) - len(last) if last else "", scale, min(1.0, 4 * smallest) if n >= 3 else ""])
    write(
        "heaping.csv",
        "scipy 1.17.1 binom over distinct values of at least 20; to 1e-10; months count from 0",
        ["name", "y", "n", "tens", "fives", "stretch", "start", "coarse", "p"],
        rows,
    )

    rows = []
    for name, y in [
        ("typed", [42, 44, 45, 45, 45, 45]),
        ("constant", [7.5] * 9),
        ("moving", [1, 2, 1, 2, 3]),
        ("longest_in_the_middle", [1, 2, 2, 2, 2, 3, 3]),
        ("one", [4]),
        ("random", RANDOM.integers(0, 3, size=48).tolist()),
    ]:
        lengths = [len(list(run)) for _, run in itertools.groupby(y)]
        rows.append([name, listed(y), lengths[-1], len(y) - lengths[-1], max(lengths), len(lengths)])
    write(
        "run_length.csv",
        "Python itertools.groupby; exact; months count from 0",
        ["name", "y", "length", "start", "longest", "runs"],
        rows,
    )

    rows = []
    wave = (10 + 0.3 * np.arange(36) + 3 * np.sin(2 * np.pi * np.arange(36) / 12)).tolist()
    seasonal = {
        "statistics_md": wave,
        "wave_without_trend": (5 + 2 * np.sin(2 * np.pi * np.arange(48) / 12)).round(6).tolist(),
        "noise_24": RANDOM.normal(size=24).round(5).tolist(),
        "noise_60": RANDOM.normal(size=60).round(5).tolist(),
        "counts_36": RANDOM.poisson(4, size=36).tolist(),
        "falling_40": (RANDOM.normal(size=40) - 0.1 * np.arange(40) + 4 * (np.arange(40) % 12 == 11)).round(5).tolist(),
    }
    for name, y in seasonal.items():
        test = pymannkendall.seasonal_test(y, period=12)
        rows.append([name, listed(y), test.s, test.var_s, test.z, test.p, test.slope])
    write(
        "seasonal_mann_kendall.csv",
        "pymannkendall 1.4.3 seasonal_test(y, period=12); s exact, var_s z p slope (per year) to 1e-9",
        ["name", "y", "s", "var_s", "z", "p", "slope"],
        rows,
    )


main()
