"""Trains two small networks, exports them, and asks the programs they are exported for: onnx's checker, ONNX Runtime and
PyTorch must compute the probabilities that sagcl-predict writes, pynrrd and slicerio find the segments and their place,
TensorBoard the curves of the run.

Usage: check_exports.py BUILD SOURCE      (programs in BUILD/bin, data in SOURCE/data)
"""
import json
import struct
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
from tensorboard.backend.event_processing import event_accumulator

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


def write_nifti(file, voxels, affine):
    """NIfTI-1 of u8 [x, y, z] with an sform."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *voxels.shape, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)
    struct.pack_into("<8f", header, 76, 1, *np.linalg.norm(affine[:, :3], axis=0), 1, 1, 1, 1)
    struct.pack_into("<2f", header, 108, 352, 1)
    struct.pack_into("<2h", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, *affine.ravel())
    header[344:348] = b"n+1\0"
    file.write_bytes(bytes(header) + voxels.tobytes(order="F"))


def check_segmentations(folder):
    voxels = np.zeros((9, 8, 7), np.uint8)
    voxels[2:5, 1:6, 3:4], voxels[4:8, 3:5, 1:6] = 1, 2
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))  # any directions at right angles
    affine = np.column_stack([turn * [0.5, 1.25, 3], [-40.5, 17, 1000]]).astype(np.float32)
    write_nifti(folder / "mask.nii", voxels, affine)
    file, = sagcl("export", "seg-nrrd", folder / "mask.nii", "--out", folder / "slicer", "--names", "Anterior,Linke Kammer")
    lps = np.diag([-1, -1, 1]) @ affine
    found, header = nrrd.read(file)  # index order x, y, z
    assert np.array_equal(found, voxels)
    assert np.allclose(np.array(header["space directions"]).T, lps[:, :3], rtol=1e-6)
    assert np.allclose(header["space origin"], lps[:, 3], rtol=1e-6)
    read = slicerio.read_segmentation(file)
    assert np.array_equal(read["voxels"], voxels) and np.allclose(read["ijkToLPS"][:3], lps, rtol=1e-6)
    for segment, name, value in zip(read["segments"], ("Anterior", "Linke Kammer"), (1, 2), strict=True):
        assert (segment["name"], segment["labelValue"], segment["layer"]) == (name, value, 0), segment
        assert list(segment["extent"]) == [2, 7, 1, 5, 1, 5], segment  # of both: they share a layer
    print("pynrrd and slicerio: voxels, place and segments")


def check_event_file(run):
    """TensorBoard reads what metrics.jsonl says."""
    log = event_accumulator.EventAccumulator(str(run))
    log.Reload()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["phase"] == "train"]
    found = log.Scalars("loss/sup")
    assert [e.step for e in found] == [line["step"] for line in steps]
    assert np.allclose([e.value for e in found], [line["terms"]["sup"] for line in steps], rtol=1e-6)
    test, = [line for line in lines if line["phase"] == "test"]
    assert np.isclose(log.Scalars("dice/test/student")[0].value, test["dice"], rtol=1e-6)
    print(f"TensorBoard: {len(log.Tags()['scalars'])} curves of {len(steps)} steps")


with tempfile.TemporaryDirectory() as name:
    check_segmentations(Path(name))
    for preset, labelled, Network, shapes in (("sunnybrook", "SC-HF-I-04", UNet, [(1, 64, 48), (1, 16, 96)]),
                                              ("hippocampus", 4, VNet, [(16, 32, 48), (32, 16, 16)])):
        folder = Path(name) / preset
        run = folder / "run"
        train(run, preset, labelled)
        check_event_file(run)
        classes = json.loads((run / "evaluation.json").read_text())["classes"]
        check_network(folder, run, Network, shapes, ["background", *classes])
