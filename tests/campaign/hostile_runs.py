#!/usr/bin/env python3
"""Run folders and checkpoints that someone has forged are given to every program that reads them.

  hostile_runs.py BUILD SOURCE [--files 300] [--seed 0] [--programs resume predict …]

A file of a small run is changed: a value of its JSON, TOML or safetensors header becomes a hostile one, a key goes, bytes
turn over, the file ends early. The programs must use it or refuse it with a documented exit code and a message: no signal, no
internal error, no hang, no memory asked for because a header says so, nothing printed that is no text, nothing written outside
the folder that was named.
"""
import json
import random
import resource
import shutil
import struct
from pathlib import Path

from every_call import commands, parser, run, small_data, start

DOCUMENTED = {0, 2, 65, 66, 74, 75, 76}
MEMORY, SECONDS = 6 << 30, 60  # of address space; what the small run takes is a hundredth
HOSTILE = [-1, 0, 1, 2**31, 2**62, 2**63, 2**64, -2**63, 1e308, -0.5, True, None, "", "x", "../../outside/x", "/dev/full", "a\0b", "é" * 5000,
           [], [[]], {}, [2**31, 2**31, 2**31], [-1, 4], {"__metadata__": {}}, "F64", "I8", "nan", "semi-agcl", "cuda:7"]


def nodes(value, at=()):
    """Every place in a JSON value, as a path of keys."""
    if at:
        yield at
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from nodes(value[key], (*at, key))


def forge_json(text, dice):
    """The text with one place changed; a place that holds JSON as a string is opened, too."""
    value = json.loads(text)
    places = list(nodes(value))
    if not places:
        return json.dumps(dice.choice(HOSTILE))
    *way, last = dice.choice(places)
    parent = value
    for key in way:
        parent = parent[key]
    inner = parent[last]
    if dice.random() < 0.15:
        del parent[last]
    elif isinstance(inner, str) and inner[:1] in "{[" and inner:
        parent[last] = forge_json(inner, dice)
    elif isinstance(inner, int) and dice.random() < 0.3:
        parent[last] = inner + dice.choice([-1, 1, 4, 1000])
    else:
        parent[last] = dice.choice(HOSTILE)
    return json.dumps(value)


def forge_toml(text, dice):
    lines = text.splitlines()
    at = dice.choice([i for i, line in enumerate(lines) if "=" in line and not line.startswith("#")])
    key = lines[at].split("=")[0]
    value = dice.choice([v for v in HOSTILE if v is not None])
    lines[at] = dice.choice([f"{key}= {json.dumps(value)}", "", key, f"{key}= inf", f"{key}= [", lines[at] * 2])
    return "\n".join(lines) + "\n"


def forge_bytes(data, dice):
    data = bytearray(data)
    for _ in range(dice.choice([1, 4, 64])):
        if data:
            data[dice.randrange(len(data))] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
    return bytes(data[: dice.randrange(len(data) + 1)] if dice.random() < 0.3 else data)


def forge(file, dice):
    """Changes the file; what was done, in a word."""
    data = file.read_bytes()
    if dice.random() < 0.2:
        file.write_bytes(forge_bytes(data, dice))
        return "bytes"
    if file.suffix == ".safetensors":
        size = struct.unpack("<Q", data[:8])[0]
        if dice.random() < 0.1:
            file.write_bytes(struct.pack("<Q", dice.choice([0, 1, size - 1, size + 1, 2**40, 2**63, 2**64 - 1])) + data[8:])
            return "header size"
        if dice.random() < 0.2:
            file.write_bytes(data[: 8 + size] + forge_bytes(data[8 + size :], dice))
            return "voxels"
        header = forge_json(data[8 : 8 + size].decode(), dice).encode()
        file.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + size :])
        return "header"
    text = data.decode()
    if file.suffix == ".toml":
        file.write_text(forge_toml(text, dice))
    elif file.suffix == ".jsonl":
        lines = text.splitlines()
        at = dice.randrange(len(lines))
        lines[at] = forge_json(lines[at], dice)
        file.write_text("\n".join(lines) + "\n")
    else:
        file.write_text(forge_json(text, dice))
    return "value"


def readers(bin, data, forged, out):
    given = commands(bin, data, forged, out)
    cpu = ["--device", "cpu", "--threads", "2"]
    return {
        "resume": [bin / "sagcl-train", "--resume", "--out", forged, "--stop-after", "1", *cpu],
        "predict": [bin / "sagcl-predict", "--checkpoint", forged, "--input", data / "imagesTr", "--output", out / "masks", *cpu],
        "unlabelled": [bin / "sagcl-predict", "--checkpoint", forged, "--part", "unlabelled", "--output", out / "drafts", *cpu],
        "export": [bin / "sagcl-export", "onnx", forged, "--out", out / "network.onnx"],
        "report": [bin / "sagcl-report", forged],
        "inspect": given["inspect"],
        "weights": [*(word for word in given["train"] if word != "--resume"), "--weights", forged / "checkpoints/step-0000004.safetensors"],
    }


def state(folder, apart):
    """Name, size and time of every file in the folder but of those in another."""
    return {str(f): (f.stat().st_size, f.stat().st_mtime_ns) for f in folder.rglob("*") if not f.is_relative_to(apart) and not f.is_dir()}


def campaign(o, folder):
    bin, data, ready, forged, out = Path(o.build) / "bin", folder / "data", folder / "ready", folder / "a/forged", folder / "a/out"
    small_data(Path(o.source), data)
    (folder / "outside").mkdir()
    code, text = run(commands(bin, data, ready, ready)["train"], {})
    assert code == 0, text
    victims = sorted(f for f in ready.rglob("*") if f.suffix in {".json", ".jsonl", ".toml", ".safetensors"} and "looks" not in f.parts)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    before, outcomes, found = state(folder, folder / "a"), {}, []
    for number in range(o.files):
        victim = random.Random(f"{o.seed} {number}").choice(victims)
        for name in o.programs or readers(bin, data, forged, out):
            for f in (forged, out):
                shutil.rmtree(f, ignore_errors=True)
            shutil.copytree(ready, forged)
            out.mkdir()
            what = forge(forged / victim.relative_to(ready), random.Random(f"{o.seed} {number} forged"))
            code, text = run(readers(bin, data, forged, out)[name], {}, SECONDS)
            outcomes[name, code] = outcomes.get((name, code), 0) + 1
            complaint = None
            if code not in DOCUMENTED:
                complaint = f"ended with {code}"
            elif code != 0 and "error" not in text:
                complaint = f"ended with {code} without a message"
            elif any((c < " " and c not in "\n\r\t") or "\udc80" <= c <= "\udcff" for c in text):
                complaint = "printed bytes that are no text"
            elif (after := state(folder, folder / "a")) != before:
                complaint = f"changed {[f for f in {*before, *after} if before.get(f) != after.get(f)]}"
                before = after
            if complaint:
                if o.keep:
                    shutil.copytree(forged, Path(o.keep) / f"{number}-{name}", dirs_exist_ok=True)
                found.append(f"{number} {name}: {victim.relative_to(ready)}, {what}: {complaint}: {text.strip()[-200:]!r}")
                print("  " + found[-1], flush=True)
    for (name, code), count in sorted(outcomes.items(), key=str):
        print(f"{name}: {count} ended with {code}")
    print(f"{sum(outcomes.values())} forged reads, {len(found)} complaints")
    return 1 if found else 0


def main():
    p = parser(__doc__)
    p.add_argument("--files", type=int, default=300)
    p.add_argument("--seed", type=int, default=0, help="of the changes; the same seed makes the same files")
    p.add_argument("--programs", nargs="+")
    p.add_argument("--keep", help="folder for the run folders that were complained of")
    start(campaign, p.parse_args())


if __name__ == "__main__":
    main()
