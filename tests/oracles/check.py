"""Trains two small networks and asks other programs about what comes of them (exports.py, predictions.py).

Usage: check.py BUILD SOURCE      (programs in BUILD/bin, data in SOURCE/data)
"""
import json
import sys
import tempfile
from pathlib import Path

sys.path.append(f"{sys.argv[2]}/tools/bench")  # torch_networks

import exports
import predictions
from programs import train
from torch_networks import UNet, VNet

with tempfile.TemporaryDirectory() as name:
    exports.check_segmentations(Path(name))
    # As many steps as it takes until a network is sure of something, so that a wrong layer shows, and masks hold a class.
    for preset, labelled, steps, Network, shapes in (("sunnybrook", "SC-HF-I-04", 30, UNet, [(1, 64, 48), (1, 16, 96)]),
                                                     ("hippocampus", 4, 90, VNet, [(16, 32, 48), (32, 16, 16)])):
        folder = Path(name) / preset
        run = folder / "run"
        exports.check_event_file(run, train(run, preset, labelled, steps), steps)
        classes = json.loads((run / "evaluation.json").read_text())["classes"]
        session = exports.check_network(folder, run, Network, shapes, ["background", *classes])
        predictions.check_means(folder, run, session)
    predictions.check_files(folder, run)  # of volumes
    predictions.check_resampled(Path(name) / "balls")
    # A V-Net that halves D twice and W three times.
    folder = Path(name) / "thin"
    folder.mkdir()
    train(folder / "run", "hippocampus", 4, 90,
          **{"network.halvings": [2, 4, 3], "train.patch": [20, 48, 40], "method.patch_grid": "1x1x1"})
    exports.check_network(folder, folder / "run", VNet, [(20, 32, 40), (4, 48, 24)], ["background", *classes])
