#!/usr/bin/env python3
"""Times a training step of PyTorch and of sagcl in turn and prints medians and ratios.

  compare.py --torch PATH/step_time.py --net vnet --shape 64,64,48 --threads 1 2 [--pairs 5] [--json FILE]
  compare.py --torch PATH/train.py --data data/hippocampus --torch-args "--method semiagcl" [--sagcl-args "…"]

Without --data one step of a network: the PyTorch script must understand NET --shape --batch --threads --steps and print one
line of JSON with step_median and peak_MiB. With --data steps of a whole method: it must understand --time_only N --threads T
and print step_med and peak_rss_mb.

PyTorch runs twice per pair: with its BLAS told the processor (OPENBLAS_CORETYPE=SKYLAKEX, which Debian's OpenBLAS may not
recognise), and once more with glibc told to keep large blocks, so that a difference is not one between allocators.
The two programs take turns, so that a change in the machine's load meets both; quote the ratio of medians.
"""
import argparse
import json
import os
import pathlib
import shlex
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
    pinned = ["taskset", "-c", ",".join(map(str, range(threads)))] if pin else []
    if options.data:
        torch = [options.torch, "--time_only", str(options.steps + 2), "--threads", str(threads)]
        ours = ["method", "--data", options.data, "--threads", str(threads), "--steps", str(options.steps)]
    else:
        step = ["--shape", options.shape, "--batch", str(options.batch), "--threads", str(threads), "--steps", str(options.steps)]
        torch, ours = [options.torch, options.net] + step, ["step", "--net", options.net] + step
    torch = pinned + [options.python] + torch + shlex.split(options.torch_args)
    runs = {
        "PyTorch": (torch, {"OPENBLAS_CORETYPE": options.coretype}),
        "PyTorch, malloc tuned": (torch, {"OPENBLAS_CORETYPE": options.coretype, "GLIBC_TUNABLES": TUNED_MALLOC}),
        "sagcl": (pinned + [options.sagcl] + ours + ["--device", "cpu"] + shlex.split(options.sagcl_args), {}),
    }
    times, peaks = {name: [] for name in runs}, {name: [] for name in runs}
    for pair in range(options.pairs):
        for name, (command, environment) in runs.items():
            row = last_json(command, environment)
            times[name].append(row.get("step_median", row.get("step_med")))
            peaks[name].append(row.get("peak_MiB", row.get("peak_rss_mb")))
            print(f"  pair {pair + 1}, {name}: {times[name][-1]:.4f} s, {peaks[name][-1]} MiB", file=sys.stderr)
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
    p.add_argument("--sagcl", default=str(pathlib.Path(__file__).resolve().parents[2] / "build" / "bin" / "sagcl-bench"))
    p.add_argument("--net", choices=["vnet", "unet"], default="vnet")
    p.add_argument("--shape", default="64,64,48")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--pairs", type=int, default=5)
    p.add_argument("--data", help="a data set: compare steps of a whole method instead of a network's")
    p.add_argument("--torch-args", default="", help="further arguments of the PyTorch script, in one string")
    p.add_argument("--sagcl-args", default="", help="further arguments of sagcl-bench, in one string")
    p.add_argument("--coretype", default="SKYLAKEX", help="OPENBLAS_CORETYPE for PyTorch")
    p.add_argument("--no-pin", action="store_true", help="do not pin the programs to the first processors")
    p.add_argument("--json", help="write every measurement to this file")
    options = p.parse_args()
    results = []
    for threads in options.threads:
        times, peaks = compare(options, threads, not options.no_pin)
        what = f"whole method on {options.data}" if options.data else f"{options.net} {options.shape}, batch {options.batch}"
        print(f"\n{what}, {threads} thread{'s' if threads > 1 else ''}\n\n{table(times, peaks)}")
        results.append({"what": what, "threads": threads, "step_median": times, "peak_MiB": peaks})
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
