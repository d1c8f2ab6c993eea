#!/usr/bin/env python3
"""Writes golden/RECIPE.json from the run.json of a finished run, and its part of golden/revisions.json beside it.

    repro reproduce --recipe mini --work work/mini; golden/make.py work/mini
    repro reproduce --recipe demo --work work/demo; golden/make.py work/demo

A stage that gives another result for the same inputs and settings needs a new revision in StageKind.swift, one above the
last: without it this refuses to write. Stages whose inputs have changed cannot be judged, so change the results of one kind of
stage at a time. The commit says which hashes changed and why.
"""
import json
import pathlib
import sys

golden = pathlib.Path(__file__).parent


def main(work):
    record = json.loads(pathlib.Path(work, "run.json").read_text())
    recipe, stages = record["recipe"]["name"], record["stages"]
    path = golden / f"{recipe}.json"
    before = json.loads(path.read_text()) if path.exists() else {"about": f"repro reproduce --recipe {recipe}", "stages": {}}
    # Stages keep their places, so that a commit shows what has changed and nothing else.
    order = [name for name in before["stages"] if name in stages]
    order += [name for name in stages if name not in order]
    ledger = golden / "revisions.json"
    known = json.loads(ledger.read_text()) if ledger.exists() else {}
    found = {
        name: {key: stage[key] for key in ("revision", "inputs", "settings", "hash")} for name, stage in stages.items()
    }
    check(known.get(recipe, {}), found)
    known[recipe] = found
    write(ledger, known)
    write(path, {"about": before["about"], "stages": {name: stages[name]["hash"] for name in order}})


def check(known, found):
    """Refuses results that differ from those of the same revision, and revisions that are not the next."""
    raised = set()
    for name, stage in found.items():
        before = known.get(name, stage)
        same = all(before[key] == stage[key] for key in ("revision", "inputs", "settings"))
        if same and before["hash"] != stage["hash"]:
            sys.exit(f"{name}: another result with the same revision {stage['revision']}: raise it in StageKind.swift")
        if stage["revision"] not in (before["revision"], before["revision"] + 1):
            sys.exit(f"{name}: revision {stage['revision']} after {before['revision']}: expected the next one")
        if stage["revision"] != before["revision"]:
            raised.add(name.split("/")[0])
    if len(raised) > 1:
        sys.exit(f"{', '.join(sorted(raised))}: change one kind of stage at a time, or what the others do cannot be judged")


def write(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    print(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
