#!/usr/bin/env python3
"""Times training steps of sagcl beside PyTorch at its best, in turn, and prints medians and ratios.

  python3 -m venv torch && torch/bin/pip install torch
  compare.py --python torch/bin/python step --net vnet --shape 64,64,48 --threads 1 2
  compare.py --python torch/bin/python method --method mixed --data data/hippocampus

PyTorch (torch_peer.py) runs in four ways: as it comes; with glibc told to keep large blocks, so that a difference is not one
between allocators; then with channels last as well; and compiled instead. All take turns with sagcl, round after round, so
that a change in the machine's load meets every one; ratios are of the medians, to the fastest way and to the one that takes
least memory. For the kernels of processors without AVX-512, where there are some with: --avx2.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TUNED_MALLOC = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=8589934592:glibc.malloc.trim_threshold=17179869184:"
                                  "glibc.malloc.top_pad=67108864"}
WAYS = {"PyTorch as it comes": ([], {}), "malloc tuned": ([], TUNED_MALLOC),
        "channels last, tuned": (["--channels-last"], TUNED_MALLOC), "compiled, tuned": (["--compile"], TUNED_MALLOC)}
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "SAGCL_ISA": "avx2"}


def last_json(command, environment):
    """Runs a command and returns the JSON object on the last line of its output that holds one."""
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("{"):
            return json.loads(line)
    sys.exit(f"{' '.join(map(str, command))} failed with code {done.returncode}:\n{done.stderr[-2000:]}")


def commands(o, threads):
    """Name -> command and environment."""
    pinned = [] if o.no_pin else ["taskset", "-c", ",".join(map(str, range(threads)))]
    sizes = ["--net", o.net, "--shape", o.shape, "--batch", str(o.batch), "--width", str(o.width)]
    common = ["--threads", str(threads), "--steps", str(o.steps), "--warm", str(o.warm)]
    torch, ours = ["step", *sizes], ["step", *sizes, "--device", "cpu"]
    if o.what == "method":
        torch = ["method", *sizes, "--method", o.method, "--classes", str(o.classes), "--grid", o.grid]
        names = {"semi-agcl": ["--method", "semi-agcl", "--set", "method.preset=stable"],
                 "mixed": ["--method", "semi-agcl", "--set", "method.preset=mixed"], "bcp": ["--method", "bcp"]}
        settings = {"network.width": o.width, "train.batch": o.batch, "method.patch_grid": o.grid.replace(",", "x"),
                    "train.patch": [int(n) for n in o.shape.split(",")], "method.warm_up_share": 0}
        ours = ["method", "--preset", o.preset, "--data", o.data, "--device", "cpu", *names[o.method],
                *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))]
    environment = AVX2 if o.avx2 else {}
    all_of_them = {name: (pinned + [o.python, str(HERE / "torch_peer.py"), *torch, *common, *extra], {**environment, **more})
                   for name, (extra, more) in WAYS.items() if name in o.ways}
    return {**all_of_them, "sagcl": (pinned + [o.sagcl, *ours, *common], environment)}


def measure(o, threads):
    rows = {name: [] for name in commands(o, threads)}
    for turn in range(o.rounds):
        for name, (command, environment) in commands(o, threads).items():
            row = last_json(command, environment)
            rows[name].append({"s": row.get("step_median", row.get("step_med")), "MiB": row["peak_MiB"],
                               "less_import": row["peak_MiB"] - row.get("import_MiB", 0)})
            print(f"  round {turn + 1}, {name}: {rows[name][-1]['s']:.4f} s, {row['peak_MiB']:.0f} MiB", file=sys.stderr)
    return rows


def table(rows):
    middle = {name: {key: statistics.median(r[key] for r in of) for key in of[0]} for name, of in rows.items()}
    ours = middle["sagcl"]
    lines = ["| | s per step, median | range | peak MiB | less the import | sagcl / it: time | memory | less the import |",
             "|---|---|---|---|---|---|---|---|"]
    for name, m in middle.items():
        times = [r["s"] for r in rows[name]]
        lines.append(f"| {name} | {m['s']:.3f} | {min(times):.3f} to {max(times):.3f} | {m['MiB']:.0f} | {m['less_import']:.0f} "
                     f"| {ours['s'] / m['s']:.2f} | {ours['MiB'] / m['MiB']:.2f} | {ours['MiB'] / m['less_import']:.2f} |")
    torch = {name: m for name, m in middle.items() if name != "sagcl"}
    best = min(torch, key=lambda name: torch[name]["s"])
    least = min(torch, key=lambda name: torch[name]["MiB"])
    lines.append(f"\nsagcl / PyTorch at its best: time {ours['s'] / torch[best]['s']:.2f} ({best}), memory "
                 f"{ours['MiB'] / torch[least]['MiB']:.2f} ({least}; {ours['MiB'] / torch[least]['less_import']:.2f} less the import)")
    return "\n".join(lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["step", "method"], help="of a network on random values, or of a whole method")
    p.add_argument("--python", required=True, help="the interpreter that has PyTorch")
    p.add_argument("--sagcl", default=str(HERE.parents[1] / "build" / "bin" / "sagcl-bench"))
    p.add_argument("--net", choices=["vnet", "unet"], default="vnet")
    p.add_argument("--shape", help="default: 64,64,48, or 32,48,32 of a method")
    p.add_argument("--batch", type=int, help="default: 1, or 4 of a method, half of them labelled")
    p.add_argument("--width", type=int, help="default: 16, or 8 of a method")
    p.add_argument("--method", choices=["semi-agcl", "mixed", "bcp"], default="semi-agcl")
    p.add_argument("--data", default="data/hippocampus", help="of a method, for sagcl; PyTorch's batches are ready and free")
    p.add_argument("--preset", default="hippocampus", help="of that data")
    p.add_argument("--classes", type=int, default=3, help="of that data, for PyTorch")
    p.add_argument("--grid", default="2,2,2", help="patches of an image")
    p.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--warm", type=int, default=3)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--ways", nargs="+", default=list(WAYS), metavar="WAY", help=f"of PyTorch: {', '.join(WAYS)}")
    p.add_argument("--avx2", action="store_true", help="both without AVX-512")
    p.add_argument("--no-pin", action="store_true", help="do not pin the programs to the first processors")
    p.add_argument("--json", help="write every measurement to this file")
    o = p.parse_args()
    whole = o.what == "method"
    o.shape, o.batch, o.width = o.shape or ("32,48,32" if whole else "64,64,48"), o.batch or (4 if whole else 1), o.width or (8 if whole else 16)
    results = []
    for threads in o.threads:
        rows = measure(o, threads)
        what = f"{o.method if whole else 'step'}, {o.net} {o.shape}, width {o.width}, batch {o.batch}, {threads} thread{'s' * (threads > 1)}"
        print(f"\n{what}{', AVX2' * o.avx2}, {o.rounds} rounds\n\n{table(rows)}", flush=True)
        results.append({"what": what, "machine": platform.processor() or platform.machine(), "rounds": rows})
    if o.json:
        pathlib.Path(o.json).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
