#!/usr/bin/env python3
"""What PyTorch needs for the training steps that sagcl's GPU benchmark times, on the same card.

  peers.py [--compile] [--json FILE] [--steps N] [--only vnet|unet]

Networks, sizes and work are those of bench_step in tests/gpu: 3D V-Net (additive skips, batch norm, 16..256 channels) and
2D U-Net (bilinear up, LeakyReLU, dropout), one step = forward, cross entropy, backward, Adam; with a teacher also its
forward pass on half the batch and its moving average. Median of the steps by CUDA events, and the peak memory.
"""
import argparse, json, pathlib, statistics, subprocess, sys, time
import torch
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
from torch_networks import UNet, VNet


CASES = {"vnet112": (VNet, 2, (112, 112, 80), 4), "vnet64": (VNet, 2, (64, 64, 48), 4), "unet256": (UNet, 4, (256, 256), 24)}
# name: (TF32 convolutions, bf16 autocast, channels last + cudnn.benchmark, torch.compile mode)
MODES = {"fp32 strict": (0, 0, 0, None), "TF32 (default)": (1, 0, 0, None), "AMP bf16": (1, 1, 0, None),
         "fp32 strict channels-last": (0, 0, 1, None), "TF32 channels-last": (1, 0, 1, None), "AMP bf16 channels-last": (1, 1, 1, None),
         "TF32 compile": (1, 0, 1, "default"), "AMP bf16 compile": (1, 1, 1, "default"),
         "TF32 compile max-autotune": (1, 0, 1, "max-autotune"), "AMP bf16 compile max-autotune": (1, 1, 1, "max-autotune")}


def measure(case, mode, teacher_batch, steps):
    kind, classes, shape, batch = CASES[case]
    tf32, bf16, last, compile_mode = MODES[mode]
    torch.manual_seed(0)
    torch.backends.cudnn.allow_tf32 = bool(tf32)
    torch.backends.cudnn.benchmark = bool(last)
    layout = (torch.channels_last_3d if len(shape) == 3 else torch.channels_last) if last else torch.contiguous_format
    net = kind(1, classes, 16).cuda().to(memory_format=layout)
    teacher = kind(1, classes, 16).cuda().to(memory_format=layout) if teacher_batch else None
    x = torch.randn(batch, 1, *shape, device="cuda").to(memory_format=layout)
    u = torch.randn(max(1, teacher_batch), 1, *shape, device="cuda").to(memory_format=layout)
    y = torch.randint(0, classes, (batch, *shape), device="cuda")
    run = torch.compile(net, mode=compile_mode) if compile_mode else net
    run_teacher = torch.compile(teacher, mode=compile_mode) if compile_mode and teacher else teacher
    optimizer = torch.optim.Adam(net.parameters(), 1e-4)

    def step():
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=bool(bf16)):
            z = run(x)
            if teacher:
                with torch.no_grad():
                    run_teacher(u)
        loss = F.cross_entropy(z.float(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if teacher:
            with torch.no_grad():
                torch._foreach_lerp_(list(teacher.parameters()), list(net.parameters()), 0.01)
        return loss

    start = time.time()
    for _ in range(8):
        loss = step()
    torch.cuda.synchronize()
    warm = time.time() - start
    torch.cuda.reset_peak_memory_stats()
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
    marks[0].record()
    for i in range(steps):
        step()
        marks[i + 1].record()
    torch.cuda.synchronize()
    times = [a.elapsed_time(b) for a, b in zip(marks, marks[1:])]
    return dict(case=case, mode=mode, teacher=teacher_batch, ms=round(statistics.median(times), 3), ms_min=round(min(times), 3),
                peak_MiB=torch.cuda.max_memory_allocated() >> 20, warm_up_s=round(warm, 1), loss=round(loss.item(), 5))


def ceilings():
    """Copy bandwidth (bytes read + written) and matrix product rates on random data."""
    def median_ms(f, n=10):
        f(), f()
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(n + 1)]
        marks[0].record()
        for i in range(n):
            f()
            marks[i + 1].record()
        torch.cuda.synchronize()
        return statistics.median(a.elapsed_time(b) for a, b in zip(marks, marks[1:]))
    a, b = torch.randn(1 << 30, device="cuda"), torch.empty(1 << 30, device="cuda")
    out = dict(copy_TBps=round(2 * 4 * 2 ** 30 / median_ms(lambda: b.copy_(a)) / 1e9, 3))
    n = 8192
    for name, dtype, tf32 in (("fp32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        p, q = torch.randn(n, n, device="cuda", dtype=dtype), torch.randn(n, n, device="cuda", dtype=dtype)
        out[name + "_TFLOPs"] = round(2 * n ** 3 / median_ms(lambda: p @ q) / 1e9, 1)
    torch.backends.cuda.matmul.allow_tf32 = False
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--compile", action="store_true", help="the torch.compile modes too: minutes each")
    p.add_argument("--only", default="")
    p.add_argument("--modes", default="", help="only modes that contain this text")
    p.add_argument("--steps", type=int, default=30)
    p.add_argument("--timeout", type=int, default=150, help="seconds for one compiled mode")
    p.add_argument("--json", default="")
    p.add_argument("--one", default="", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one:
        case, mode, teacher = a.one.split("|")
        print(json.dumps(measure(case, mode, int(teacher), a.steps)))
        return
    rows = [dict(torch=torch.__version__, cudnn=torch.backends.cudnn.version(), device=torch.cuda.get_device_name(), **ceilings())]
    print(json.dumps(rows[0]), flush=True)
    for case in CASES:
        for mode in MODES:
            compiled = MODES[mode][3] is not None
            if not case.startswith(a.only) or a.modes not in mode or compiled != a.compile:
                continue
            for teacher in (0, CASES[case][3] // 2):
                command = [sys.executable, __file__, "--steps", str(a.steps), "--one", f"{case}|{mode}|{teacher}"]
                try:
                    if compiled:  # in a process of its own, so that one that takes too long can be given up
                        done = subprocess.run(command, capture_output=True, text=True, timeout=a.timeout)
                        row = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else dict(
                            case=case, mode=mode, teacher=teacher, error=done.stderr[-300:])
                    else:
                        row = measure(case, mode, teacher, a.steps)
                        torch.cuda.empty_cache()
                except subprocess.TimeoutExpired:
                    row = dict(case=case, mode=mode, teacher=teacher, error=f"gave up after {a.timeout} s")
                rows.append(row)
                print(json.dumps(row), flush=True)
                if a.json:
                    with open(a.json, "w") as f:
                        json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
