#!/usr/bin/env python3
"""The inputs side beside other tools, in turn on one machine, as ratios (higher is better for the kit).

    apt-get install libarchive-tools; pip install pydicom pandas
    make build && Benchmarks/inputs.py [--patients 60] [--copies 4] [--rounds 3] [--threads 2] [--scale 4000,10000,50000] [--slices 10000] [--folder DIR]

- unpack (with SHA-256 of every member) beside `bsdtar -xf`, and that the bytes are the same;
- fingerprint beside `find | xargs -P THREADS sha256sum`;
- catalog, all of it, beside what the original's first script does (pydicom, THREADS processes, a table of the records) on so many slices that
  starting, which is part of both, counts for little, and its time and peak memory at several sizes (links to the same pixels);
- catalog export of 750,000 rows (a catalog whose rows are copied under new IDs).

Slices are the synthetic competition's at 512 pixels, in the archives several times so that starting counts for nothing. Medians of wall-clock
time and of the ratios of a round; a folder in memory (the default, 8 GB) leaves the disk out.
"""
import argparse
import glob
import multiprocessing
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

TYPES = ["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"]
HERE = os.path.dirname(os.path.abspath(__file__))
REPRO = os.path.join(HERE, "..", ".build", "release", "repro")


def run(*command, shell=False):
    """Seconds, peak memory in MB, seconds of processor."""
    before = time.time()
    process = subprocess.Popen(command[0] if shell else command, shell=shell, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command}: {errors}")
    return time.time() - before, usage.ru_maxrss / 1000, usage.ru_utime + usage.ru_stime


def beside(name, rounds, ours, theirs):
    """Prints medians of wall-clock seconds, the median of the rounds' ratios and their range, and medians of processor seconds, which
    leave out what else the machine has to do.

    Rounds alternate, so that a slow minute meets both. A first one is not counted: memory that a virtual machine has not used for a
    while has to be given to it again, which can take as long as the copying.
    """
    theirs(), ours()
    results = [(theirs(), ours()) for _ in range(rounds)]
    ratios = sorted(other[0] / kit[0] for other, kit in results)

    def median(side, part):
        return statistics.median(result[side][part] for result in results)

    print(
        f"{name:34} {median(0, 0):8.2f} s  {median(1, 0):8.2f} s  {statistics.median(ratios):6.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        f"  {median(0, 2):8.2f} s  {median(1, 2):8.2f} s", flush=True)


def archives(folder, patients, copies):
    """The demo competition at 512 pixels, its training slices several times, packed in each way."""
    if not os.path.exists(f"{folder}/gzip.tar.gz"):
        run(REPRO, "demo-data", "--out", folder, "--patients", str(patients), "--size", "512")
        os.makedirs(f"{folder}/one")
        run("bsdtar", "-xf", f"{folder}/rsna-intracranial-hemorrhage-detection.zip", "-C", f"{folder}/one")
        for copy in range(copies):
            shutil.copytree(glob.glob(f"{folder}/one/*/stage_2_train")[0], f"{folder}/in/part{copy}")
        run("bsdtar", "--format=zip", "-cf", f"{folder}/deflated.zip", "-C", f"{folder}/in", ".")
        run("bsdtar", "--format=zip", "--options=zip:compression=store", "-cf", f"{folder}/stored.zip", "-C", f"{folder}/in", ".")
        run("bsdtar", "-cf", f"{folder}/plain.tar", "-C", f"{folder}/in", ".")
        run("bsdtar", "-czf", f"{folder}/gzip.tar.gz", "-C", f"{folder}/in", ".")
    return ["deflated.zip", "stored.zip", "plain.tar", "gzip.tar.gz"]


def unpack(folder, rounds, threads, names):
    for name in names:

        def ours():
            shutil.rmtree(f"{folder}/ours", ignore_errors=True)
            return run(REPRO, "unpack", f"{folder}/{name}", "--into", f"{folder}/ours", "--threads", str(threads))

        def theirs():
            shutil.rmtree(f"{folder}/theirs", ignore_errors=True)
            os.makedirs(f"{folder}/theirs")
            return run("bsdtar", "-xf", f"{folder}/{name}", "-C", f"{folder}/theirs")

        beside(f"unpack {name}, bsdtar", rounds, ours, theirs)
        run("diff", "-r", "-x", ".repro-*", "-x", "manifest.sha256", f"{folder}/ours", f"{folder}/theirs")


def original(path):
    """What the original's `dicom_to_dataframe` does with a file."""
    import pydicom

    # The data set's UIDs are none, and saying so takes time.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

    def plain(value):
        return tuple(value) if isinstance(value, pydicom.multival.MultiValue) else value

    def first(value):
        return int(value[0]) if isinstance(value, tuple) else int(value)

    def statistics_of(name, image):
        return {f"{name}_max": image.max(), f"{name}_min": image.min(), f"{name}_mean": image.mean(), f"{name}_diff": image.max() - image.min()}

    def windowed(image, center, width):
        image = image.copy()
        low, high = center - width // 2, center + width // 2
        image[image < low] = low
        image[image > high] = high
        return image

    d = pydicom.dcmread(path)
    record = {name: plain(getattr(d, name)) for name in dir(d) if name[0].isupper() and name != "PixelData"}
    raw = d.pixel_array
    image = raw * float(d.RescaleSlope) + float(d.RescaleIntercept)
    record.update(statistics_of("raw", raw))
    record.update(statistics_of("doctor", windowed(image, first(record["WindowCenter"]), first(record["WindowWidth"]))))
    record.update(statistics_of("custom", windowed(image, 40, 80)))
    return record


def originals(folder, threads):
    import pandas

    paths = sorted(glob.glob(f"{folder}/stage_2_train/*.dcm"))
    with multiprocessing.Pool(threads) as pool:
        records = list(pool.imap_unordered(original, paths))
        pool.close()
        pool.join()
    pandas.DataFrame(records).sort_values("SOPInstanceUID").reset_index(drop=True)


def many(folder, slices, count):
    """A competition of `count` train slices that are links to a few."""
    base = f"{folder}/many{count}"
    if not os.path.exists(f"{base}/stage_2_train.csv"):
        os.makedirs(f"{base}/stage_2_train", exist_ok=True)
        with open(f"{base}/stage_2_train.csv", "w") as table:
            table.write("ID,Label\n")
            for i in range(count):
                os.link(slices[i % len(slices)], f"{base}/stage_2_train/ID_{i:09x}.dcm")
                labels = [int((i * 7 + k * 13) % 11 == 0) for k in range(5)]
                for name, label in zip(TYPES, labels + [max(labels)]):
                    table.write(f"ID_{i:09x}_{name},{label}\n")
    return base


def catalog(folder, rounds, threads, scale, compared):
    slices = [p for p in sorted(glob.glob(f"{folder}/one/*/stage_2_t*/*.dcm")) if os.path.getsize(p) > 500_000 and "ID_6431af929" not in p]

    def ours(base):
        shutil.rmtree(f"{folder}/work", ignore_errors=True)
        return run(REPRO, "catalog", "--input", base, "--work", f"{folder}/work", "--threads", str(threads))

    for count in scale:
        seconds, memory, processor = ours(many(folder, slices, count))
        print(
            f"catalog of {count} slices: {seconds:.2f} s, {count / seconds:.0f} slices/s, "
            f"{1000 * processor / count:.2f} ms of processor each, {memory:.0f} MB", flush=True)
    base = many(folder, slices, compared)
    # A process of its own each time, as the kit's: a second pool of the same one takes half the time, its allocator being set by then.
    beside(
        f"catalog {compared} slices, pydicom", rounds, lambda: ours(base),
        lambda: run(sys.executable, __file__, "--original", base, "--threads", str(threads)))


def export(folder):
    """Copies the catalog's rows to 750,000 and exports them."""
    database = sqlite3.connect(os.path.join(folder, "work", "catalog.sqlite"))
    columns = [row[1] for row in database.execute("PRAGMA table_info(slice)")]
    (count,) = database.execute("SELECT COUNT(*) FROM slice WHERE isKept").fetchone()
    values = ", ".join("id || '_' || ?" if name == "id" else name for name in columns)
    for copy in range(750_000 // count):
        database.execute(f"INSERT OR IGNORE INTO slice SELECT {values} FROM slice WHERE isKept AND instr(id, '__') = 0 AND length(id) = 12", (copy,))
    database.commit()
    (count,) = database.execute("SELECT COUNT(*) FROM slice WHERE isKept").fetchone()
    seconds, memory, _ = run(REPRO, "catalog", "export", "--work", f"{folder}/work", "--split", "train", "--out", f"{folder}/export.csv")
    print(f"export of {count} rows: {seconds:.2f} s, {memory:.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=60)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scale", default="4000,10000,50000")
    parser.add_argument("--slices", type=int, default=10_000, help="of the catalog beside the original's script")
    parser.add_argument("--folder", default="/dev/shm/repro-inputs")
    parser.add_argument("--original", metavar="FOLDER", help="only run the original's script on a folder's slices")
    options = parser.parse_args()
    if options.original:
        return originals(options.original, options.threads)
    folder, threads = options.folder, options.threads
    os.makedirs(folder, exist_ok=True)
    names = archives(folder, options.patients, options.copies)
    print(f"{'':34} {'other':>10}  {'kit':>10}   ratio (of a round)  processor: other   kit")
    unpack(folder, options.rounds, threads, names)
    beside(
        "fingerprint, xargs sha256sum", options.rounds,
        lambda: run(REPRO, "fingerprint", f"{folder}/in", "--threads", str(threads)),
        lambda: run(f"find {folder}/in -type f -print0 | xargs -0 -P {threads} -n 32 sha256sum", shell=True))
    catalog(folder, options.rounds, threads, [int(n) for n in options.scale.split(",")], options.slices)
    export(folder)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
