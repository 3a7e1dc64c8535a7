"""What sagcl-export and sagcl-train write for other programs: onnx's checker, ONNX Runtime and PyTorch must compute the
probabilities that sagcl-predict writes, pynrrd, SimpleITK and slicerio find the segments and their place, TensorBoard the
curves of the run.
"""
import json
import struct

import nibabel as nib
import nrrd
import numpy as np
import onnx
import onnxruntime
import SimpleITK as sitk
import slicerio
import torch
from safetensors.torch import load_file

from programs import compare, last_checkpoint, normalised, predicted, sagcl, tensorboard
from torch_networks import UNet


def check_network(folder, run, Network, shapes, classes):
    sagcl("export", "onnx", run, "--out", folder / "model.onnx")
    sagcl("export", "safetensors", run, "--out", folder / "model.safetensors")
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    notes = session.get_modelmeta().custom_metadata_map
    assert json.loads(notes["classes"]) == classes, notes["classes"]
    channels = int(notes["channels"])
    network = Network(channels, len(classes), int(notes["width"]), json.loads(notes["halvings"]))
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


def check_event_file(run, watching, steps):
    """TensorBoard reads what metrics.jsonl says, how the weights are distributed, and pictures; so does one that was
    watching when the run was interrupted."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    trained = [line for line in lines if line["phase"] == "train"]
    thirds = [steps // 3, 2 * steps // 3, steps]
    test, = [line for line in lines if line["phase"] == "test"]
    tensors = load_file(last_checkpoint(run))
    for log in (tensorboard(run), watching):
        found = log.Scalars("loss/sup")
        assert [e.step for e in found] == [line["step"] for line in trained] == list(range(1, steps + 1))
        assert np.allclose([e.value for e in found], [line["terms"]["sup"] for line in trained], rtol=1e-6)
        assert np.isclose(log.Scalars("dice/test/student")[0].value, test["dice"], rtol=1e-6)
        tags = log.Tags()
        assert len(tags["histograms"]) > 5
        for tag in tags["histograms"]:
            assert [e.step for e in log.Histograms(tag)] == thirds
            told = log.Histograms(tag)[-1].histogram_value
            weights = tensors["student/" + tag.removeprefix("weights/")].double()
            assert told.num == weights.numel() and (told.min, told.max) == (weights.min(), weights.max())
            assert np.allclose([told.sum, told.sum_squares], [weights.sum(), (weights ** 2).sum()], rtol=1e-9, atol=1e-9)
            below = np.searchsorted(np.sort(weights.flatten().numpy()), np.array(told.bucket_limit), side="right")
            assert np.abs(below - np.cumsum(told.bucket)).max() <= 1, tag  # the smallest lies on the first limit
        assert [e.step for e in log.Images("slice/validation")] == thirds
        for image in log.Images("slice/validation"):
            png = image.encoded_image_string
            assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">2L", png[16:24]) == (image.width, image.height)
    print(f"TensorBoard: {len(tags['scalars'])} curves of {steps} steps, {len(tags['histograms'])} histograms, a picture")
