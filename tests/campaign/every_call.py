#!/usr/bin/env python3
"""Every k-th call fails, or the power at the k-th write: k = 1, 2, 3, … until a run gets through without reaching it.

  every_call.py BUILD SOURCE [--kinds open write …] [--programs train convert …] [--most 200] [--growth 1.05]

Each failure must end with a documented exit code and a message (or be survived), never with a signal, an internal error or a
hang; after it the same command line must succeed and leave what the undisturbed one leaves.
"""
import argparse
import errno
import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

KINDS = {"open": errno.EMFILE, "write": errno.ENOSPC, "fsync": errno.EIO, "rename": errno.EACCES, "close": errno.EIO,
         "mmap": errno.ENOMEM, "thread": errno.EAGAIN, "malloc": errno.ENOMEM, "power": 0}
DOCUMENTED = {0, 2, 65, 66, 69, 71, 74, 75}
VOLATILE = {"status.json", "env.json", "metrics.csv", "metrics.jsonl", "command.txt", "lock", "progress.png", "report.html"}


def small_data(source, folder):
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
        for file in sorted((source / "data/hippocampus" / part).iterdir())[:5]:
            shutil.copy(file, folder / part)
    notes = json.loads((source / "data/hippocampus/dataset.json").read_text())
    for key in ("numTraining", "training", "test"):
        notes.pop(key, None)
    (folder / "dataset.json").write_text(json.dumps(notes))


def commands(bin, data, ready, out):
    """Name -> command whose results go into `out`; `ready` is a run that has ended well."""
    settings = {"network.width": 2, "train.steps": 4, "train.batch": 2, "train.restarts": 0, "evaluation.checkpoint_every": 2,
                "evaluation.every": 2, "data.test": 1, "data.validation": 1}
    chosen = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    checkpoint = sorted((ready / "checkpoints").iterdir())[-1] if ready.exists() else "none"
    cpu = ["--device", "cpu", "--threads", "2"]
    return {
        "train": [bin / "sagcl-train", "--preset", "hippocampus", "--data", data, "--labelled", "2", "--out", out, "--resume", *cpu, *chosen],
        "check": [bin / "sagcl-data", "check", data],
        "convert": [bin / "sagcl-data", "convert", data, "--to", out],
        "split": [bin / "sagcl-data", "split", data, "--out", out / "split.json", "--test", "1"],
        "predict": [bin / "sagcl-predict", "--checkpoint", checkpoint, "--input", data / "imagesTr", "--output", out, "--skip-existing", *cpu],
        "eval": [bin / "sagcl-eval", "--pred", data / "labelsTr", "--ref", data / "labelsTr", "--json", out / "eval.json"],
        "export": [bin / "sagcl-export", "onnx", checkpoint, "--out", out / "network.onnx", "--overwrite"],
        "report": [bin / "sagcl-report", out],  # of a copy of the run
        "inspect": [bin / "sagcl-inspect", "grads", ready, *cpu],
    }


def empty(out, name, ready):
    shutil.rmtree(out, ignore_errors=True)
    if name == "report":
        shutil.copytree(ready, out)
    elif name != "convert":  # which wants to make its folder
        out.mkdir()


def name_of(command):
    return Path(command[0]).name


def run(command, environment, seconds=120):
    try:
        done = subprocess.run(list(map(str, command)), env={**os.environ, **environment}, capture_output=True, text=True, errors="surrogateescape",
                              timeout=seconds)
        return done.returncode, done.stdout * (name_of(command) == "sagcl-data") + done.stderr  # whose check prints what it found
    except subprocess.TimeoutExpired:
        return "hang", ""


def steps(metrics):
    """What a run wrote down: its steps by phase, those that were taken twice once."""
    lines = [json.loads(line) for line in metrics.read_text().splitlines() if line.endswith("}")]
    return sorted({(line["phase"], line["step"]) for line in lines if line["phase"] != "note"})


def differences(a, b):
    """Files that only one of two folders has, or whose bytes differ; times and logs aside."""
    names = lambda folder: {str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file()}
    one, other = names(a), names(b)
    logs = lambda name: "events.out" in name  # every start of a training has one of its own
    wrong = [f"{name}: in one alone" for name in sorted(one ^ other) if not logs(name)]
    for name in sorted(one & other):
        if Path(name).name == "metrics.jsonl" and steps(a / name) != steps(b / name):
            wrong.append(f"{name}: {steps(a / name)} and {steps(b / name)}")
        if Path(name).name not in VOLATILE and not logs(name) and not filecmp.cmp(a / name, b / name, shallow=False):
            wrong.append(f"{name}: other bytes")
    return wrong


def campaign(o, folder):
    bin, data, ready = Path(o.build) / "bin", folder / "data", folder / "ready"
    small_data(Path(o.source), data)
    library = folder / "libfaults.so"
    subprocess.run(["g++", "-std=c++20", "-O1", "-shared", "-fPIC", Path(__file__).with_name("faults.cpp"), "-o", library, "-ldl"], check=True)
    code, text = run(commands(bin, data, ready, ready)["train"], {})
    assert code == 0, text
    found, total = [], 0
    for name in o.programs or commands(bin, data, ready, folder):
        whole = folder / f"whole-{name}"
        empty(whole, name, ready)
        code, text = run(commands(bin, data, ready, whole)[name], {})
        assert code == 0, f"{name}: {text}"
        for kind in o.kinds:
            outcomes, k, tried, reached = {}, 1, 0, True
            while reached and k <= o.most:
                out, log = folder / "out", folder / "reached"
                empty(out, name, ready)
                log.unlink(missing_ok=True)
                command = commands(bin, data, ready, out)[name]
                code, text = run(command, {"LD_PRELOAD": str(library), "SAGCL_FAULT": f"{kind}:{k}:{KINDS[kind]}",
                                           "SAGCL_FAULT_ROOT": str(folder), "SAGCL_FAULT_LOG": str(log)})
                reached = log.exists()
                if not reached:
                    break
                total += 1
                outcomes[code] = outcomes.get(code, 0) + 1
                complaint = None
                if code not in DOCUMENTED and (kind, code) != ("power", -signal.SIGKILL):
                    complaint = f"ended with {code}"
                elif code != 0 and kind != "power" and "error" not in text:
                    complaint = f"ended with {code} without a message"
                elif code != 0:
                    if name == "convert":  # it never writes into what is there
                        shutil.rmtree(out, ignore_errors=True)
                    again, more = run(command, {})
                    wrong = differences(whole, out) if again == 0 else [f"again: {again} {more.splitlines()[-1:]}"]
                    complaint = "; ".join(wrong[:3]) or None
                else:
                    complaint = "; ".join(differences(whole, out)[:3]) or None
                if complaint:
                    last = text.strip().splitlines()[-1:] or [""]
                    found.append(f"{name} {kind}:{k}: {complaint}: {last[0][:200]}")
                    print("  " + found[-1], flush=True)
                k = max(k + 1, int(k * o.growth))
                tried += 1
            end = "to the first run that got through" if not reached else f"to call {o.most}"
            print(f"{name}, {kind}: {tried} calls {end}; exit codes {outcomes}", flush=True)
    print(f"{total} faults, {len(found)} complaints")
    return 1 if found else 0


def parser(text):
    """Of a campaign's command line: where the programs and the sources are."""
    p = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("build")
    p.add_argument("source")
    return p


def start(campaign, options):
    """Ends the program with what the campaign returns; it has a folder that goes with it."""
    with tempfile.TemporaryDirectory() as name:
        sys.exit(campaign(options, Path(name)))


def main():
    p = parser(__doc__)
    p.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    p.add_argument("--programs", nargs="+")
    p.add_argument("--most", type=int, default=200, help="calls of a kind and program at most")
    p.add_argument("--growth", type=float, default=1, help="the next call is so many times as late, e.g. 1.05; 1: every call")
    start(campaign, p.parse_args())


if __name__ == "__main__":
    main()
