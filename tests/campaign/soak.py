#!/usr/bin/env python3
"""One long training, with validation, checkpoints, looks and event files under way: memory, open files and threads stay flat.

  soak.py BUILD SOURCE [--minutes 720] [--method semi-agcl]

Samples the process every second and compares the last third of the time with the second one: the first is that of caches.
"""
import os
import subprocess
import sys
import time
from pathlib import Path

from every_call import commands, parser, small_data, start


def sample(pid):
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {"memory, KiB": int(status["VmRSS"].split()[0]), "threads": int(status["Threads"]), "open files": len(os.listdir(f"/proc/{pid}/fd"))}


def campaign(o, folder):
    small_data(Path(o.source), folder / "data")
    command = [*commands(Path(o.build) / "bin", folder / "data", folder / "none", folder / "run")["train"], "--method", o.method,
               "--set", "train.steps=100000000", "--set", "evaluation.every=50", "--set", "evaluation.checkpoint_every=50",
               "--set", "debug.grads_every=25"]
    with open(folder / "log", "w") as log:
        training = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log)
    samples, end = [], time.monotonic() + 60 * o.minutes
    while time.monotonic() < end and training.poll() is None:
        time.sleep(1)
        samples.append(sample(training.pid))
    if training.poll() is not None:
        sys.exit(f"the training ended early with {training.poll()}: {(folder / 'log').read_text()[-500:]}")
    steps = sum('"train"' in line for line in open(folder / "run/metrics.jsonl"))
    training.terminate()
    code = training.wait(60)
    third, wrong = len(samples) // 3, code != 143 or steps == 0
    print(f"{o.method}: {steps} steps in {o.minutes:g} minutes, {len(samples)} samples; ended with {code} when told to")
    for what in samples[0]:
        middle, last = (max(s[what] for s in part) for part in (samples[third : 2 * third], samples[2 * third :]))
        wrong |= last > middle * 1.02
        print(f"{what}: at most {middle} in the second third, {last} in the last")
    return 1 if wrong else 0


def main():
    p = parser(__doc__)
    p.add_argument("--minutes", type=float, default=720)
    p.add_argument("--method", default="semi-agcl")
    start(campaign, p.parse_args())


if __name__ == "__main__":
    main()
