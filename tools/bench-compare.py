#!/usr/bin/env python3
"""Times a training step of PyTorch and of sagcl in turn and prints medians and ratios.

  bench-compare.py --torch PATH/step_time.py --net vnet --shape 64,64,48 --threads 1 2 [--pairs 5] [--json FILE]

The PyTorch script must understand NET --shape --batch --threads --steps and print one line of JSON with step_median and
peak_MiB. It runs twice per pair: with its BLAS told the processor (OPENBLAS_CORETYPE=SKYLAKEX, which Debian's OpenBLAS may
not recognise), and once more with glibc told to keep large blocks, so that a difference is not one between allocators.
The two programs take turns, so that a change in the machine's load meets both; quote the ratio of medians.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

TUNED_MALLOC = "glibc.malloc.mmap_threshold=8589934592:glibc.malloc.trim_threshold=17179869184:glibc.malloc.top_pad=67108864"


def last_json(command, extra_environment):
    """Runs a command and returns the JSON object on the last line of its output that holds one."""
    done = subprocess.run(command, env={**os.environ, **extra_environment}, capture_output=True, text=True)
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    sys.exit(f"{' '.join(map(str, command))} failed with code {done.returncode}:\n{done.stderr[-2000:]}")


def compare(options, threads, pin):
    step = ["--shape", options.shape, "--batch", str(options.batch), "--threads", str(threads), "--steps", str(options.steps)]
    pinned = ["taskset", "-c", ",".join(map(str, range(threads)))] if pin else []
    torch = pinned + [options.python, options.torch, options.net] + step
    runs = {
        "PyTorch": (torch, {"OPENBLAS_CORETYPE": options.coretype}),
        "PyTorch, malloc tuned": (torch, {"OPENBLAS_CORETYPE": options.coretype, "GLIBC_TUNABLES": TUNED_MALLOC}),
        "sagcl": (pinned + [options.sagcl, "step", "--device", "cpu", "--net", options.net] + step, {}),
    }
    times, peaks = {name: [] for name in runs}, {name: [] for name in runs}
    for pair in range(options.pairs):
        for name, (command, environment) in runs.items():
            row = last_json(command, environment)
            times[name].append(row["step_median"])
            peaks[name].append(row["peak_MiB"])
            print(f"  pair {pair + 1}, {name}: {row['step_median']:.4f} s, {row['peak_MiB']} MiB", file=sys.stderr)
    return times, peaks


def table(times, peaks):
    ours, ours_mib = statistics.median(times["sagcl"]), statistics.median(peaks["sagcl"])
    lines = [f"| | step, median of {len(times['sagcl'])} (s) | range | peak MiB | sagcl / it: time | memory |", "|---|---|---|---|---|---|"]
    for name in times:
        t, m = statistics.median(times[name]), statistics.median(peaks[name])
        lines.append(f"| {name} | {t:.3f} | {min(times[name]):.3f} to {max(times[name]):.3f} | {m:.0f} | {ours / t:.2f} | {ours_mib / m:.2f} |")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--torch", required=True, help="the PyTorch script")
    p.add_argument("--python", default=sys.executable, help="the interpreter that has PyTorch, e.g. /usr/bin/python3")
    p.add_argument("--sagcl", default=str(pathlib.Path(__file__).resolve().parent.parent / "build" / "bin" / "sagcl-bench"))
    p.add_argument("--net", choices=["vnet", "unet"], default="vnet")
    p.add_argument("--shape", default="64,64,48")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--coretype", default="SKYLAKEX", help="OPENBLAS_CORETYPE for PyTorch")
    p.add_argument("--no-pin", action="store_true", help="do not pin the programs to the first processors")
    p.add_argument("--json", help="write every measurement to this file")
    options = p.parse_args()
    results = []
    for threads in options.threads:
        times, peaks = compare(options, threads, not options.no_pin)
        print(f"\n{options.net} {options.shape}, batch {options.batch}, {threads} thread{'s' if threads > 1 else ''}\n\n{table(times, peaks)}")
        results.append({"net": options.net, "shape": options.shape, "batch": options.batch, "threads": threads, "step_median": times, "peak_MiB": peaks})
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
