"""What sagcl-predict writes: nibabel and SimpleITK find masks and probabilities in the place of their image, and NumPy puts
windows and mirror images of ONNX Runtime's probabilities together to the same means.
"""
import itertools
import json
import re

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from safetensors import safe_open
from safetensors.numpy import save_file

from programs import TOLERANCE, compare, data, last_checkpoint, normalised, predicted, sagcl

PLACE = ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z", "srow_x",
         "srow_y", "srow_z", "xyzt_units")


def write_images(folder):
    """A case of the data, [x, y, z], in several places."""
    folder.mkdir()
    voxels = np.asarray(nib.load(data / "hippocampus/imagesTr/hippocampus_001.nii.gz").dataobj)
    turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))  # any directions at right angles
    turn[:, 0] *= np.linalg.det(turn)
    oblique, mirrored = np.eye(4), np.diag([-0.5, 1.25, 3, 1])
    oblique[:3] = np.column_stack([turn * [0.5, 1.25, 3], [-40.5, 17, 1000]])
    for name, codes, matrices, kind in (("oblique", (1, 1), (oblique, oblique), np.int16),
                                        ("two_forms", (1, 2), (mirrored, oblique), np.float32),
                                        ("sform_alone", (0, 1), (None, mirrored), np.uint8)):
        image = nib.Nifti1Image(voxels.astype(kind), None)
        image.header.set_zooms((0.5, 1.25, 3))
        image.set_qform(matrices[0], codes[0])
        image.set_sform(matrices[1], codes[1])
        image.header.set_xyzt_units("mm")
        nib.save(image, folder / f"{name}.nii.gz")


def place(image):
    """Of the first three axes, as SimpleITK sees them."""
    n = image.GetDimension()
    return image.GetOrigin()[:3], image.GetSpacing()[:3], np.reshape(image.GetDirection(), (n, n))[:3, :3].tolist()


def check_files(folder, run):
    images, masks = folder / "images", folder / "images-masks"
    write_images(images)
    sagcl("predict", "--checkpoint", last_checkpoint(run), "--input", images, "--output", masks, "--probabilities", "--device",
          "cpu")
    for file in sorted(images.iterdir()):
        image, mask = nib.load(file), nib.load(masks / file.name)
        probabilities = nib.load(masks / "probabilities" / file.name.replace(".gz", ""))
        found, p = np.asarray(mask.dataobj), np.asarray(probabilities.dataobj)
        assert found.dtype == np.uint8 and found.shape == image.shape and len(np.unique(found)) > 1, file
        assert p.dtype == np.float32 and p.shape[:3] == image.shape and np.allclose(p.sum(3), 1, atol=1e-5), file
        assert np.array_equal(p.argmax(3), found), file
        for written in (mask, probabilities):
            assert np.array_equal(written.affine, image.affine), file
            for field in PLACE:
                assert np.array_equal(written.header[field], image.header[field]), (file, field)
            assert np.array_equal(written.header["pixdim"][:4], image.header["pixdim"][:4]), file
        seen = sitk.ReadImage(masks / file.name)
        assert np.array_equal(sitk.GetArrayFromImage(seen).T, found), file
        assert place(seen) == place(sitk.ReadImage(file)), file
        seen = sitk.ReadImage(masks / "probabilities" / file.name.replace(".gz", ""))
        assert np.array_equal(sitk.GetArrayFromImage(seen).T, p), file
        assert place(seen) == place(sitk.ReadImage(file)), file
    print(f"nibabel and SimpleITK: voxels and place of {len(list(images.iterdir()))} masks and their probabilities")


def with_settings(checkpoint, file, **settings):
    """A checkpoint whose run had other settings."""
    with safe_open(checkpoint, "numpy") as content:
        tensors, notes = {key: content.get_tensor(key) for key in content.keys()}, content.metadata()
    for key, value in settings.items():
        notes["config"], changed = re.subn(rf"^{key} = .*$", f"{key} = {json.dumps(value)}", notes["config"], flags=re.M)
        assert changed == 1, key
    save_file(tensors, file, notes)
    return file


def network(session, flat):
    """A function of normalised [D, H, W]: probabilities [classes, D, H, W]."""
    def probabilities(x):
        x = x[None] if flat else x[None, None]  # D is 1
        p, = session.run(["probabilities"], {"image": np.ascontiguousarray(x)})
        return p.transpose(1, 0, 2, 3) if flat else p[0]
    return probabilities


def over_mirrors(f, axes):
    """The mean of f over the mirror images along `axes` (0, 1, 2)."""
    def mean(x):
        total, count = 0, 0
        for chosen in itertools.product((False, True), repeat=len(axes)):
            mirror = [a for a, use in zip(axes, chosen) if use]
            total = total + np.flip(f(np.flip(x, mirror)).astype(np.float64), [a + 1 for a in mirror])
            count += 1
        return total / count
    return mean


def over_windows(f, image, patch, stride, gaussian):
    """Each voxel's mean over the windows that cover it, weighted by its place in them; padded with zeros where smaller."""
    missing = [max(p - n, 0) for p, n in zip(patch, image.shape)]
    x = np.pad(image, [(m // 2, m - m // 2) for m in missing])
    places = [np.arange(p) - (p - 1) / 2 for p in patch]
    along = [np.exp(-0.5 * (i / (p / 8)) ** 2) if gaussian else np.ones(p) for i, p in zip(places, patch)]
    weight = along[0][:, None, None] * along[1][:, None] * along[2]
    total, weights = 0, np.zeros(x.shape)
    starts = [[*range(0, n - p, s), n - p] for n, p, s in zip(x.shape, patch, stride)]
    for corner in itertools.product(*starts):
        here = tuple(slice(c, c + p) for c, p in zip(corner, patch))
        p = f(x[here])
        if np.isscalar(total):
            total = np.zeros((len(p), *x.shape))
        total[(slice(None), *here)] += weight * p
        weights[here] += weight
    return (total / weights)[(slice(None), *(slice(m // 2, m // 2 + n) for m, n in zip(missing, image.shape)))]


def check_means(folder, run, session):
    notes = session.get_modelmeta().custom_metadata_map
    flat = notes["network"] == "unet"
    f, rng = network(session, flat), np.random.default_rng(3)
    every, letters = ([1, 2], "H,W") if flat else ([0, 1, 2], "D,H,W")
    trained = ["DHW".index(axis) for axis in (["H", "W"] if flat else ["W"])]  # augment.flip of the presets
    patch, stride = ([1, 32, 32], [1, 16, 24]) if flat else ([16, 16, 32], [8, 16, 8])
    of_windows = with_settings(last_checkpoint(run), folder / "windows.safetensors", patch=patch, stride=stride)
    image = lambda *shape: rng.normal(size=shape).cumsum(2).astype(np.float32)

    def check(what, checkpoint, image, expected, *options):
        compare(what, predicted(checkpoint, image, folder / what.replace(" ", "-"), *options), expected)

    whole = image(1 if flat else 16, 32, 48)
    x = normalised(whole, notes)
    check(f"{notes['network']} mirrored", last_checkpoint(run), whole, over_mirrors(f, every)(x), "--mirror", letters)
    check(f"{notes['network']} mirrored as trained", last_checkpoint(run), whole, over_mirrors(f, trained)(x), "--mirror",
          "trained")
    for shape in [(1, 64, 80), (1, 20, 50)] if flat else [(27, 20, 40), (11, 35, 30)]:
        volume = image(*shape)
        x = normalised(volume, notes)
        plain, blended = (over_windows(f, x, patch, stride, gaussian) for gaussian in (False, True))
        assert np.abs(plain - blended).max() > 10 * TOLERANCE, "the weights do nothing"
        name = f"{notes['network']} windows of {'x'.join(map(str, shape))}"
        check(name, of_windows, volume, plain)
        check(f"{name} blended", of_windows, volume, blended, "--blending", "gaussian")
        check(f"{name} blended mirrored", of_windows, volume, over_windows(over_mirrors(f, every), x, patch, stride, True),
              "--blending", "gaussian", "--mirror", letters)


def ball(affine, shape, centre, radius):
    """Which voxels [x, y, z] lie within `radius` mm of a place in the patient (RAS)."""
    voxels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    return np.linalg.norm(voxels @ affine[:3, :3].T + affine[:3, 3] - centre, axis=-1) < radius


def write_balls(folder):
    """A bright ball, not in the middle, in grids of every orientation and three oblique ones: names, and where each is."""
    rng, places = np.random.default_rng(5), {}
    for part in ("imagesTr", "labelsTr", "images"):
        (folder / part).mkdir(parents=True)
    names = {"background": 0, "ball": 1}
    (folder / "dataset.json").write_text(json.dumps({"channel_names": {"0": "MRI"}, "labels": names, "numTraining": 4,
                                                     "file_ending": ".nii.gz"}))
    lying = [(f"{''.join(axes)}", nib.orientations.axcodes2ornt(axes)) for order in itertools.permutations(("LR", "PA", "IS"))
             for axes in itertools.product(*order)]
    for i in range(4 + len(lying) + 3):
        spacing = np.array([(1, 1, 1), (1, 1, 2.5), (0.8, 1.2, 1.5)][i % 3])
        shape = np.round(np.array([44, 48, 50]) * rng.uniform(0.9, 1.1, 3) / spacing).astype(int)
        affine = np.diag([*spacing, 1.0])
        if i >= 4 + len(lying):  # any directions at right angles
            turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
            affine[:3, :3] = turn * spacing
        affine[:3, 3] = rng.uniform(-100, 100, 3)
        centre = affine[:3, :3] @ (shape * rng.uniform(0.35, 0.65, 3)) + affine[:3, 3]
        mask = ball(affine, shape, centre, 9)
        image = nib.Nifti1Image((100 * mask + rng.normal(0, 5, mask.shape)).astype(np.float32), affine)
        if 4 <= i < 4 + len(lying):
            image = image.as_reoriented(nib.orientations.ornt_transform(nib.orientations.io_orientation(affine), lying[i - 4][1]))
        image.header.set_xyzt_units("mm")
        if i < 4:
            nib.save(image, folder / f"imagesTr/ball{i}_0000.nii.gz")
            nib.save(nib.Nifti1Image(mask.astype(np.uint8), affine), folder / f"labelsTr/ball{i}.nii.gz")
        else:
            name = lying[i - 4][0] if i < 4 + len(lying) else f"oblique{i}"
            nib.save(image, folder / f"images/{name}.nii.gz")
            places[name] = centre
    return places


def check_resampled(folder):
    """There and back: a network that works on voxels of 1.5 mm marks the ball where it is in the patient, in every grid."""
    places, run = write_balls(folder), folder / "run"
    chosen = {"data.spacing": [1.5, 1.5, 1.5], "data.test": 0, "data.normalise": "z_score", "train.patch": [32, 32, 32],
              "train.batch": 2, "train.steps": 150, "train.optimiser": "adam", "train.learning_rate": 0.01, "network.width": 4,
              "network.halvings": [2, 2, 2], "method.patch_grid": "1x1x1"}
    sagcl("train", "--preset", "hippocampus", "--method", "supervised", "--data", folder, "--labelled", "1.0", "--out", run,
          "--device", "cpu", "--no-report", *(word for k, v in chosen.items() for word in ("--set", f"{k}={v}")))
    sagcl("predict", "--checkpoint", last_checkpoint(run), "--input", folder / "images", "--output", folder / "masks",
          "--device", "cpu")
    worst, least = 0, 1
    for name, centre in places.items():
        image, mask = nib.load(folder / f"images/{name}.nii.gz"), nib.load(folder / f"masks/{name}.nii.gz")
        found, truth = np.asarray(mask.dataobj) == 1, ball(image.affine, image.shape, centre, 9)
        assert np.array_equal(mask.affine, image.affine) and found.shape == image.shape, name
        seen = sitk.ReadImage(folder / f"masks/{name}.nii.gz")
        assert place(seen) == place(sitk.ReadImage(folder / f"images/{name}.nii.gz")), name
        middle = seen.TransformContinuousIndexToPhysicalPoint(np.argwhere(found).mean(0).tolist()) * np.array([-1, -1, 1])  # LPS
        worst = max(worst, np.linalg.norm(middle - centre))
        least = min(least, 2 * (found & truth).sum() / (found.sum() + truth.sum()))
    print(f"there and back on {len(places)} grids: centres off by at most {worst:.2f} mm, Dice at least {100 * least:.1f}")
    assert worst < 0.4 and least > 0.9
