"""Trains two small networks, exports them, and asks the programs they are exported for: onnx's checker, ONNX Runtime and
PyTorch must compute the probabilities that sagcl-predict writes, pynrrd and slicerio find the segments and their place.

Usage: check_exports.py BUILD SOURCE      (programs in BUILD/bin, data in SOURCE/data)
"""
import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import nrrd
import numpy as np
import onnx
import onnxruntime
import slicerio
import torch
from safetensors.torch import load_file

from pytorch_networks import UNet, VNet

programs, data = Path(sys.argv[1]) / "bin", Path(sys.argv[2]) / "data"
TOLERANCE = 1e-4


def sagcl(program, *arguments):
    command = [str(programs / f"sagcl-{program}"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done.stdout.split("\n")[:-1]


def train(out, preset, labelled):
    """Long enough that the network is sure of something, so that a wrong layer shows."""
    settings = {"data.test": 1, "data.validation": 0, "data.labelled": labelled, "network.width": 4, "train.steps": 30,
                "train.learning_rate": 0.01, "train.batch": 2, "evaluation.checkpoint_every": 30}
    chosen = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    sagcl("train", "--preset", preset, "--method", "supervised", "--data", data / preset, "--out", out, "--device", "cpu",
          "--no-report", *chosen)


def normalised(image, notes):
    assert notes["normalise"] == "z_score", notes
    return ((image - image.mean(dtype=np.float64)) / (image.std(dtype=np.float64) + 1e-8)).astype(np.float32)


def predicted(run, image, folder):
    """What sagcl-predict writes for an image [D, H, W]: probabilities [classes, D, H, W]."""
    folder.mkdir()
    np.save(folder / "image.npy", image)
    checkpoint = sorted((run / "checkpoints").iterdir())[-1]
    sagcl("predict", "--checkpoint", checkpoint, "--input", folder / "image.npy", "--output", folder / "masks",
          "--probabilities", "--device", "cpu")
    if image.shape[0] == 1:
        return np.load(folder / "masks/probabilities/image.npy").transpose(3, 0, 1, 2)
    raw = np.fromfile(folder / "masks/probabilities/image.nii", np.float32, offset=352)
    return raw.reshape(-1, *image.shape)


def compare(what, got, expected):
    worst = np.abs(got - expected).max()
    print(f"{what}: largest difference {worst:.2g}, probabilities from {expected.min():.3f} to {expected.max():.3f}")
    assert got.shape == expected.shape and worst <= TOLERANCE
    assert expected.max() - expected.min() > 0.3, "the network knows nothing, so this compares nothing"


def check_network(folder, run, Network, shapes, classes):
    sagcl("export", "onnx", run, "--out", folder / "model.onnx")
    sagcl("export", "safetensors", run, "--out", folder / "model.safetensors")
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    notes = session.get_modelmeta().custom_metadata_map
    assert json.loads(notes["classes"]) == classes, notes["classes"]
    channels = int(notes["channels"])
    network = Network(channels, len(classes), int(notes["width"]))
    network.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    network.eval()
    rng = np.random.default_rng(0)
    for n, shape in enumerate(shapes):
        images = np.stack([np.add.outer(rng.normal(size=shape[:1]), rng.normal(size=shape[1:]).cumsum(1)) for _ in range(2)])
        images = images.astype(np.float32)
        expected = np.stack([predicted(run, image, folder / f"{n}-{i}") for i, image in enumerate(images)])
        x = np.stack([normalised(image, notes) for image in images])[:, None]
        if Network is UNet:  # an image has no depth there
            x, expected = x[:, :, 0], expected[:, :, 0]
        compare(f"ONNX Runtime, {Network.__name__} {x.shape}", session.run(["probabilities"], {"image": x})[0], expected)
        with torch.no_grad():
            compare(f"PyTorch, {Network.__name__} {x.shape}", network(torch.from_numpy(x)).softmax(1).numpy(), expected)


def check_segmentations(folder, run, classes):
    files = sagcl("export", "seg-nrrd", run, "--out", folder / "slicer")
    masks = sorted((run / "predictions").iterdir())
    assert len(files) == len(masks) > 0
    for file, mask in zip(files, masks):
        voxels, header = nrrd.read(file)  # index order x, y, z
        raw = gzip.open(mask).read()  # NIfTI: sizes at byte 42, the affine at 280, voxels at 352
        shape, affine = np.frombuffer(raw, np.int16, 3, 42), np.frombuffer(raw, np.float32, 12, 280).reshape(3, 4)
        assert np.array_equal(voxels, np.frombuffer(raw, np.uint8, offset=352).reshape(shape, order="F"))
        lps = np.diag([-1, -1, 1]) @ affine
        assert np.allclose(np.array(header["space directions"]).T, lps[:, :3], rtol=1e-6)
        assert np.allclose(header["space origin"], lps[:, 3], rtol=1e-6)
        read = slicerio.read_segmentation(file)
        assert np.allclose(read["ijkToLPS"][:3], lps, rtol=1e-6)
        assert [s["name"] for s in read["segments"]] == classes[1:]
        assert [s["labelValue"] for s in read["segments"]] == list(range(1, len(classes)))
        one = slicerio.extract_segments(read, [(c, k + 1) for k, c in enumerate(classes[1:])])
        assert np.array_equal(one["voxels"], voxels)
        box = read["segments"][0]["extent"]
        filled = np.argwhere(voxels > 0)
        if len(filled):
            assert list(box) == list(np.stack([filled.min(0), filled.max(0)], 1).ravel()), box
    print(f"pynrrd and slicerio: {len(files)} segmentations")


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    for preset, labelled, Network, shapes in (("sunnybrook", "SC-HF-I-04", UNet, [(1, 64, 48), (1, 16, 96)]),
                                              ("hippocampus", 4, VNet, [(16, 32, 48), (32, 16, 16)])):
        run = folder / preset
        train(run, preset, labelled)
        split = json.loads((run / "evaluation.json").read_text())
        classes = ["background", *split["classes"]]
        (folder / Network.__name__).mkdir()
        check_network(folder / Network.__name__, run, Network, shapes, classes)
        if Network is VNet:
            check_segmentations(folder, run, classes)
