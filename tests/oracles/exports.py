"""What sagcl-export and sagcl-train write for other programs: onnx's checker, ONNX Runtime and PyTorch must compute the
probabilities that sagcl-predict writes, pynrrd, SimpleITK and slicerio find the segments and their place, TensorBoard the
curves of the run.
"""
import json

import nibabel as nib
import nrrd
import numpy as np
import onnx
import onnxruntime
import SimpleITK as sitk
import slicerio
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing import event_accumulator

from programs import compare, last_checkpoint, normalised, predicted, sagcl
from pytorch_networks import UNet


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
        expected = np.stack([predicted(last_checkpoint(run), image, folder / f"{n}-{i}") for i, image in enumerate(images)])
        x = np.stack([normalised(image, notes) for image in images])[:, None]
        if Network is UNet:  # an image has no depth there
            x, expected = x[:, :, 0], expected[:, :, 0]
        compare(f"ONNX Runtime, {Network.__name__} {x.shape}", session.run(["probabilities"], {"image": x})[0], expected)
        with torch.no_grad():
            compare(f"PyTorch, {Network.__name__} {x.shape}", network(torch.from_numpy(x)).softmax(1).numpy(), expected)
    return session


def check_segmentations(folder):
    voxels = np.zeros((9, 8, 7), np.uint8)
    voxels[2:5, 1:6, 3:4], voxels[4:8, 3:5, 1:6] = 1, 2
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))  # any directions at right angles
    affine = np.column_stack([turn * [0.5, 1.25, 3], [-40.5, 17, 1000]]).astype(np.float32)
    nib.save(nib.Nifti1Image(voxels, np.vstack([affine, [0, 0, 0, 1]])), folder / "mask.nii")
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
    image = sitk.ReadImage(file)
    assert np.array_equal(sitk.GetArrayFromImage(image).T, voxels)
    steps = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    assert np.allclose(steps, lps[:, :3], rtol=1e-6) and np.allclose(image.GetOrigin(), lps[:, 3], rtol=1e-6)
    print("pynrrd, SimpleITK and slicerio: voxels, place and segments")


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
