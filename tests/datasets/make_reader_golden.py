#!/usr/bin/env python3
"""Writes golden/geometry.json (every orientation, by nibabel and pynrrd) and golden/readers (NRRD, NumPy, HDF5, by pynrrd, NumPy
and h5py) with golden/readers/expected.json. Run from this folder, with pip install nibabel pynrrd h5py numpy.
"""
import io
import itertools
import json
import os

import h5py
import nibabel as nib
import nrrd
import numpy as np

rng = np.random.default_rng(11)
shape = (2, 3, 4)  # x, y, z
voxels = np.arange(24, dtype=np.uint8).reshape(shape, order="F")
affines = {}
for axes in itertools.permutations(range(3)):
    for signs in itertools.product((1, -1), repeat=3):
        m = np.zeros((4, 4))
        m[3, 3] = 1
        for voxel_axis, (world_axis, sign) in enumerate(zip(axes, signs)):
            m[world_axis, voxel_axis] = sign * (0.75, 1.25, 3.0)[voxel_axis]
        m[:3, 3] = (-12.5, 7.25, 31)
        name = "".join(("LR", "PA", "IS")[w][s > 0] for w, s in zip(axes, signs))
        assert "".join(nib.aff2axcodes(m)) == name
        affines[name] = m


def turned(m, a, b, c):
    ca, sa, cb, sb, cc, sc = np.cos(a), np.sin(a), np.cos(b), np.sin(b), np.cos(c), np.sin(c)
    r = (np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]]) @ np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
         @ np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]]))
    return np.block([[r @ m[:3, :3], m[:3, 3:]], [np.zeros((1, 3)), np.ones((1, 1))]])


affines["oblique"] = turned(affines["RAS"], .3, -.7, 1.1)
affines["oblique mirrored"] = turned(affines["LAS"], -1.3, .4, 2.5)
affines["half turn"] = turned(affines["RAS"], np.pi, 0, 0)
sheared = affines["oblique"].copy()
sheared[:3, 1] += 0.4 * sheared[:3, 2]
affines["sheared"] = sheared

entries = []


def nifti(kind, m, form):
    image = kind(voxels, None)
    if form == "sform":
        image.set_sform(m, 1)
        image.header.set_zooms((0.75, 1.25, 3.0))
    else:
        image.set_qform(m, 1)
    data = image.to_bytes()
    entries.append(dict(format="nifti", form=f"{kind.__name__} {form}", data=data.hex(), affine=affine_of(data, kind)))


def affine_of(data, kind):
    return [float(v) for v in kind.from_bytes(data).affine[:3].ravel()]


for name, m in affines.items():
    for kind, form in ((nib.Nifti1Image, "sform"), (nib.Nifti2Image, "qform")):
        if form == "qform" and name == "sheared":
            continue  # a qform cannot hold a shear
        nifti(kind, m, form)
        entries[-1]["name"] = name
    # NRRD: pynrrd's reading of the header, turned to RAS as Slicer does it.
    for space, flip in (("left-posterior-superior", (-1, -1, 1)), ("RAS", (1, 1, 1)), ("LAS", (-1, 1, 1))):
        if space == "LAS" and len(name) == 3 and name[0] in "RL":
            continue
        to_space = np.diag(flip + (1,)) @ m
        file = io.BytesIO()
        header = {"space": space, "space directions": to_space[:3, :3].T, "space origin": to_space[:3, 3], "encoding": "raw"}
        nrrd.write(file, voxels, header, compression_level=9)
        data = file.getvalue()
        read, values = nrrd.read_header(io.BytesIO(data)), None
        back = np.eye(4)
        back[:3, :3], back[:3, 3] = np.array(read["space directions"]).T, read["space origin"]
        back = np.diag(flip + (1,)) @ back
        entries.append(dict(name=name, format="nrrd", form=space, data=data.hex(), affine=[float(v) for v in back[:3].ravel()]))
with open("golden/geometry.json", "w") as f:
    json.dump(entries, f, indent=0)

folder = "golden/readers/"
os.makedirs(folder, exist_ok=True)
expected = {}


def expect(name, index_order_zyx, dataset=""):
    v = np.asarray(index_order_zyx, dtype=np.float32)
    expected[name + (":" + dataset if dataset else "")] = dict(shape=list(v.shape), values=[float(x) for x in v.ravel()])


# NRRD: every type and byte order, encodings, channels, a plane, a detached header.
for kind in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"):
    for endian in "<>":
        d = (rng.normal(size=shape) * 50).astype(kind) if kind[0] != "u" else rng.integers(0, 100, shape).astype(kind)
        name = f"{kind}_{'little' if endian == '<' else 'big'}.nrrd"
        nrrd.write(folder + name, d.astype(d.dtype.newbyteorder(endian)), {"encoding": "gzip" if endian == ">" else "raw"})
        read, _ = nrrd.read(folder + name)
        expect(name, read.transpose(2, 1, 0)[..., None])
colour = rng.integers(0, 255, (3, 4, 2)).astype("uint8")  # channel, x, y
nrrd.write(folder + "colour_plane.nrrd", colour, {"kinds": ["RGB-color", "domain", "domain"], "encoding": "gzip"})
expect("colour_plane.nrrd", nrrd.read(folder + "colour_plane.nrrd")[0].transpose(2, 1, 0)[None])
four = rng.normal(size=(2, 2, 3, 4)).astype("float32")  # channel, x, y, z
nrrd.write(folder + "channels_first.nrrd", four, {"space": "LPS", "encoding": "raw", "space origin": np.zeros(3),
                                                  "space directions": np.vstack([np.full(3, np.nan), np.eye(3)])})
expect("channels_first.nrrd", nrrd.read(folder + "channels_first.nrrd")[0].transpose(3, 2, 1, 0))
plane = rng.integers(-9, 9, (5, 3)).astype("int16")
nrrd.write(folder + "plane.nrrd", plane, {"encoding": "raw", "spacings": [0.5, 0.25]})
expect("plane.nrrd", nrrd.read(folder + "plane.nrrd")[0].T[None, ..., None])
nrrd.write(folder + "detached.nhdr", voxels, {"encoding": "gzip"}, detached_header=True)
expect("detached.nhdr", nrrd.read(folder + "detached.nhdr")[0].transpose(2, 1, 0)[..., None])

# NumPy arrays, [z][y][x].
for name, a in (("c_order", rng.normal(size=(4, 3, 2)).astype("<f4")), ("fortran", np.asfortranarray(rng.normal(size=(4, 3, 2)))),
                ("big", rng.integers(-99, 99, (4, 3, 2)).astype(">i2")), ("truth", rng.normal(size=(4, 3)) > 0),
                ("channels", np.asfortranarray(rng.integers(0, 255, (2, 3, 4, 2)).astype("uint8")))):
    np.save(folder + name + ".npy", a)
    a = np.load(folder + name + ".npy")
    expect(name + ".npy", a[None, ..., None] if a.ndim == 2 else a[..., None] if a.ndim == 3 else a)


def h5(name, **datasets):
    with h5py.File(folder + name, "w") as f:
        for key, (data, options) in datasets.items():
            f.create_dataset(key, data=data, **options)
    with h5py.File(folder + name) as f:
        for key in datasets:
            a = f[key][()]
            expect(name, a[None, ..., None] if a.ndim == 2 else a[..., None], key)


gz = dict(compression="gzip", compression_opts=4)
label = rng.integers(0, 4, (4, 3, 2)).astype("uint8")
h5("volume.h5", image=(rng.normal(size=(4, 3, 2)).astype("float32"), gz), label=(label, gz))
h5("slice.h5", image=(rng.normal(size=(5, 4)), gz), label=(label[0], dict(compression="gzip", shuffle=True)))
h5("plain.h5", image=(rng.integers(-99, 99, (4, 3, 2)).astype(">i4"), {}), label=(label.astype("int64"), dict(fletcher32=True, chunks=(2, 3, 2))))
h5("no_label.h5", image=(rng.normal(size=(4, 3, 2)).astype("float32"), gz))
with h5py.File(folder + "refused_lzf.h5", "w") as f:
    f.create_dataset("image", data=np.zeros((4, 3, 2), "float32"), compression="lzf")
with h5py.File(folder + "refused_link.h5", "w") as f:
    f["image"] = h5py.ExternalLink("/etc/passwd", "/image")
with h5py.File(folder + "refused_text.h5", "w") as f:
    f["image"] = "not a volume"
# Valid forms that are seldom written: what was never stored is the fill value; truth values; a user block. Links and groups are refused.
with h5py.File(folder + "unwritten.h5", "w") as f:
    for key, options in dict(all=dict(chunks=(2, 3, 2), **gz), all_contiguous={}, some=dict(chunks=(1, 3, 2)),
                             filled=dict(chunks=(1, 3, 2), fillvalue=7, **gz)).items():
        f.create_dataset(key, (4, 3, 2), "int16", **options)
    f["some"][2] = f["filled"][1] = rng.integers(1, 4, (3, 2))
with h5py.File(folder + "forms.h5", "w", userblock_size=1024) as f:
    f["image"] = rng.normal(size=(4, 3, 2)).astype("float32")
    f["truth"] = label > 1
    f["seg"] = h5py.SoftLink("/truth")
    f["deep/image"] = np.zeros(3)
for name, keys in (("unwritten.h5", ("all", "all_contiguous", "some", "filled")), ("forms.h5", ("image", "truth"))):
    with h5py.File(folder + name) as f:
        for key in keys:
            expect(name, f[key][()], "=" + key)
with h5py.File(folder + "newest.h5", "w", libver="latest") as f:  # read by HDF5 1.14, refused by 1.10
    f.create_dataset("image", data=label, chunks=True, compression="gzip")
with h5py.File(folder + "refused_sparse.h5", "w") as f:
    f.create_dataset("image", (1 << 12, 1 << 12, 1 << 12), "uint8", chunks=(64, 64, 64))
with open(folder + "expected.json", "w") as f:
    json.dump(expected, f, indent=0)
print(len(entries), "orientations,", len(expected), "arrays")
