#!/usr/bin/env python3
"""What PyTorch needs for the steps that sagcl-bench times: one line of JSON with seconds per step and peak memory.

  torch_peer.py step --net vnet --shape 64,64,48 [--batch 1] [--width 16]        as sagcl-bench step
  torch_peer.py method --method mixed --net vnet --shape 32,48,32 --width 8 --classes 3 --batch 4 --grid 2,2,2

A step is forward, cross-entropy, backward and Adam on random values; a step of a method is torch_methods.py's on blobs, half
of the batch labelled. compare.py runs this in turn with sagcl-bench.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from torch.nn import functional as F

from torch_methods import Method
from torch_networks import UNet, VNet


def resident_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def step_of_network(o, shape, network, layout):
    x = torch.randn(o.batch, 1, *shape).to(memory_format=layout)
    y = torch.randint(0, o.classes, (o.batch, *shape))
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)

    def step():
        loss = F.cross_entropy(network(x), y)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return step


def step_of_method(o, shape, network, layout):
    smooth = F.interpolate(torch.randn(o.batch, o.classes, *(max(2, n // 8) for n in shape)), size=shape)
    truth, x = smooth.argmax(1), (smooth[:, :1] + 0.3 * torch.randn(o.batch, 1, *shape)).to(memory_format=layout)
    mask = torch.ones(o.batch // 2, *shape)
    mask[(slice(None), *(slice(n // 6, n // 6 + 2 * n // 3) for n in shape))] = 0
    batch = {"weak": x, "strong": 1.1 * x + 0.1 * torch.randn_like(x), "truth": truth[:o.batch // 2], "mask": mask}
    method = Method(o.method, network, o.width, o.classes, [int(n) for n in o.grid.split(",")])
    return lambda: method.step(batch)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["step", "method"])
    p.add_argument("--method", choices=["semi-agcl", "mixed", "bcp"], default="semi-agcl")
    p.add_argument("--net", choices=["vnet", "unet"], default="vnet")
    p.add_argument("--shape", default="64,64,48")
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--width", type=int, default=16)
    p.add_argument("--classes", type=int, help="default: 2 for vnet, 4 for unet")
    p.add_argument("--grid", default="2,2,2", help="patches of an image")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--warm", type=int, default=3)
    p.add_argument("--channels-last", action="store_true")
    p.add_argument("--compile", action="store_true")
    o = p.parse_args()
    imported = resident_mib()
    torch.manual_seed(0)
    torch.set_num_threads(o.threads)
    torch.set_flush_denormal(True)
    shape = [int(n) for n in o.shape.split(",")]
    o.classes = o.classes or (2 if o.net == "vnet" else 4)
    flat = o.net == "unet"
    last = torch.channels_last if flat else torch.channels_last_3d
    layout = last if o.channels_last else torch.contiguous_format
    network = (UNet if flat else VNet)(1, o.classes, o.width).to(memory_format=layout)
    if o.compile:
        network.compile()
    step = (step_of_network if o.what == "step" else step_of_method)(o, shape, network, layout)
    for _ in range(o.warm):
        step()
    seconds = []
    for _ in range(o.steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"torch": torch.__version__, **vars(o), "step_median": round(statistics.median(seconds), 5),
                      "step_min": round(min(seconds), 5), "peak_MiB": resident_mib(), "import_MiB": imported}))


if __name__ == "__main__":
    main()
