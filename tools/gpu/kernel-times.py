#!/usr/bin/env python3
"""kernel-times.py FILE.csv [LINES]: sums the kernel durations in the CSV that Nsight Compute wrote (ncu --csv --metrics
gpu__time_duration.sum), by kernel, longest first: calls, total milliseconds, share of the total, name."""
import collections, csv, re, sys

rows = [line for line in open(sys.argv[1], errors="replace") if line.startswith('"')]
total, calls = collections.Counter(), collections.Counter()
for row in csv.DictReader(rows):
    if row.get("Metric Name") != "gpu__time_duration.sum":
        continue
    scale = {"ns": 1e-6, "nsecond": 1e-6, "us": 1e-3, "usecond": 1e-3, "ms": 1.0, "msecond": 1.0}[row["Metric Unit"]]
    name = re.sub(r"\(.*", "", row["Kernel Name"]) or row["Kernel Name"]
    functor = re.search(r"kernels::(\w+)", row["Kernel Name"])
    name = name + (" " + functor.group(1) if functor and "sagcl" in row["Kernel Name"] and functor.group(1) not in name else "")
    total[name] += float(row["Metric Value"].replace(",", "")) * scale
    calls[name] += 1
everything = sum(total.values())
print(f"{sum(calls.values())} kernels, {everything:.3f} ms")
for name, ms in total.most_common(int(sys.argv[2]) if len(sys.argv) > 2 else None):
    print(f"{calls[name]:6d} {ms:10.3f} ms {100 * ms / everything:5.1f} %  {name[:110]}")
