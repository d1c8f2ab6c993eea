"""Speed and memory of score, blend and verify, beside polars and pandas + scikit-learn, at the competition's full size.

    python3 -m venv /tmp/tables && /tmp/tables/bin/pip install polars pandas scikit-learn
    make build && /tmp/tables/bin/python Benchmarks/tables.py [--rounds 5] [--pandas]

The tables are made once, in a folder of their own: labels of 752,807 slices (4,516,842 rows) with out-of-fold predictions in the
same and in another order, the labels in a third one, and a sample submission of 121,232 slices (727,392 rows) with 15 predictions,
every other one in another order of rows. Each program runs as a process of its own, reads warm files and does the whole task; the best of the rounds counts.
The polars sides join by ID, score (or average) and print (or write) the result; they check nothing of what the kit checks.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import textwrap
import time

TYPES = ["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"]

POLARS_SCORE = """
    import polars as pl, sys
    p = pl.scan_csv(sys.argv[1], schema={"ID": pl.String, "Label": pl.Float64})
    t = pl.scan_csv(sys.argv[2], schema={"ID": pl.String, "Label": pl.Float64})
    x = pl.col("Label").clip(1e-15, 1 - 1e-15)
    loss = pl.when(pl.col("truth") == 1).then(-x.log()).otherwise(-(1 - x).log())
    s = (p.join(t.rename({"Label": "truth"}), on="ID")
         .select(pl.col("ID").str.slice(13).alias("type"), loss.alias("loss"))
         .group_by("type").agg(pl.col("loss").mean(), pl.len())).collect()
    w = s.with_columns(pl.when(pl.col("type") == "any").then(2.0).otherwise(1.0).alias("w"))
    print(s, (w["loss"] * w["w"]).sum() / 7)
"""

PANDAS_SCORE = """
    import pandas as pd, sys
    from sklearn.metrics import log_loss
    p = pd.read_csv(sys.argv[1]); t = pd.read_csv(sys.argv[2])
    m = p.merge(t, on="ID", suffixes=("", "_truth"))
    m["type"] = m["ID"].str.rsplit("_", n=1).str[1]
    s = {k: log_loss(g["Label_truth"], g["Label"].clip(1e-15, 1 - 1e-15), labels=[0, 1]) for k, g in m.groupby("type")}
    print(s, sum(v * (2 if k == "any" else 1) for k, v in s.items()) / 7)
"""

POLARS_BLEND = """
    import polars as pl, sys
    out, files = sys.argv[1], sys.argv[2:]
    schema = {"ID": pl.String, "Label": pl.Float64}
    b = pl.scan_csv(files[0], schema=schema)
    for i, f in enumerate(files[1:]):
        b = b.join(pl.scan_csv(f, schema=schema).rename({"Label": f"l{i}"}), on="ID", how="left", maintain_order="left")
    b.select("ID", pl.mean_horizontal(pl.exclude("ID")).clip(1e-6, 1 - 1e-6).alias("Label")).collect().write_csv(out)
"""

PANDAS_BLEND = """
    import pandas as pd, sys
    out, files = sys.argv[1], sys.argv[2:]
    b = pd.concat([pd.read_csv(f, index_col="ID")["Label"] for f in files], axis=1)
    b.mean(axis=1).clip(1e-6, 1 - 1e-6).rename("Label").to_csv(out)
"""


def make(folder):
    """Writes the tables, with numbers as Python prints them."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(2019)

    def table(name, ids, values, shuffle=False, seed=7):
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            frame = pl.DataFrame({"ID": ids, "Label": values})
            if shuffle:
                frame = frame.sample(fraction=1, shuffle=True, seed=seed)
            frame.write_csv(path + ".new")
            os.rename(path + ".new", path)
        return path

    def rows(slices):
        numbers = random.choice(1 << 30, slices, replace=False).astype(np.int64) * 64 + random.integers(0, 64, slices)
        return [f"ID_{n:09x}_{t}" for n in numbers.tolist() for t in TYPES]

    def predictions(count):
        return 1 / (1 + np.exp(-random.normal(-3, 2.5, count)))

    train, test = rows(752_807), rows(121_232)
    labels = (random.random(len(train)) < 0.07).astype(np.int64)
    made = {
        "truth": table("train.csv", train, labels),
        "truth, shuffled": table("train-shuffled.csv", train, labels, shuffle=True, seed=8),
        "oof": table("oof.csv", train, predictions(len(train))),
        "shuffled": table("oof-shuffled.csv", train, predictions(len(train)), shuffle=True),
        "sample": table("sample.csv", test, np.full(len(test), 0.5)),
        "folds": [table(f"fold{k}.csv", test, predictions(len(test)), shuffle=k % 2 == 1) for k in range(15)],
    }
    return made


def measure(command, rounds):
    """The best wall time in seconds and the largest peak memory in bytes."""
    best, peak = float("inf"), 0
    for _ in range(rounds):
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            sys.exit(f"failed: {' '.join(command[:6])} ...")
        best = min(best, time.perf_counter() - start)
        peak = max(peak, usage.ru_maxrss * 1024)
    return best, peak


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repro", default=".build/release/repro")
    options.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "repro-tables"))
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--pandas", action="store_true", help="also run pandas and scikit-learn, which take a minute")
    options = options.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    # In a process of its own: a child's peak memory is at least what its parent holds when it starts.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        t = pool.apply(make, (options.folder,))
    out = os.path.join(options.folder, "out.csv")

    def python(code, *arguments):
        return [sys.executable, "-c", textwrap.dedent(code), *arguments]

    repro = options.repro
    tasks = [
        ("score, same order", [repro, "score", t["oof"], "--truth", t["truth"]],
         python(POLARS_SCORE, t["oof"], t["truth"]), python(PANDAS_SCORE, t["oof"], t["truth"]), [t["oof"]]),
        ("score, shuffled", [repro, "score", t["shuffled"], "--truth", t["truth"]],
         python(POLARS_SCORE, t["shuffled"], t["truth"]), python(PANDAS_SCORE, t["shuffled"], t["truth"]), [t["shuffled"]]),
        ("score, both shuffled", [repro, "score", t["shuffled"], "--truth", t["truth, shuffled"]],
         python(POLARS_SCORE, t["shuffled"], t["truth, shuffled"]),
         python(PANDAS_SCORE, t["shuffled"], t["truth, shuffled"]), [t["shuffled"]]),
        ("blend of 15", [repro, "blend", *t["folds"], "--clip", "1e-6", "--out", out],
         python(POLARS_BLEND, out, *t["folds"]), python(PANDAS_BLEND, out, *t["folds"]), t["folds"]),
        ("verify", [repro, "verify", t["folds"][0], "--sample", t["sample"]], None, None, [t["folds"][0]]),
    ]
    print(f"{'task':<20} {'repro s':>8} {'polars s':>9} {'ratio':>6} {'pandas s':>9} {'ratio':>6} {'peak MB':>8} {'x input':>8}")
    for name, ours, polars, pandas, inputs in tasks:
        seconds, peak = measure(ours, options.rounds)
        cells = []
        for other in (polars, pandas if options.pandas else None):
            theirs = measure(other, options.rounds if other is polars else 1)[0] if other else None
            cells += [f"{theirs:9.3f} {theirs / seconds:6.1f}" if theirs else f"{'':>9} {'':>6}"]
        largest = max(os.path.getsize(path) for path in inputs)
        print(f"{name:<20} {seconds:8.3f} {cells[0]} {cells[1]} {peak / 1e6:8.0f} {peak / largest:8.2f}", flush=True)


if __name__ == "__main__":
    main()
