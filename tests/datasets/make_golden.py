#!/usr/bin/env python3
"""Writes the small NIfTI files of golden/ and expected.json with nibabel, an independent reader and writer.

Debian: apt-get install python3-nibabel; run from this folder:  /usr/bin/python3 make_golden.py
"""
import gzip
import json
import os

import nibabel as nib
import numpy as np

rng = np.random.default_rng(7)
os.makedirs("golden", exist_ok=True)
expected = {}
oblique = np.array([[0.9, -0.2, 0.1, -12.5], [0.25, 1.1, -0.3, 7.25], [-0.05, 0.4, 2.5, 31.0], [0, 0, 0, 1]])


def rotation(a, b, c):
    ca, sa, cb, sb, cc, sc = np.cos(a), np.sin(a), np.cos(b), np.sin(b), np.cos(c), np.sin(c)
    return (np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]]) @ np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
            @ np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]]))


def keep(name, header, data, slope=1.0, inter=0.0, endian="<", gz=False):
    """Header fields by nibabel, the voxels as raw bytes so that every stored type and byte order is under our control."""
    h = header
    h["vox_offset"], h["magic"] = 352, b"n+1"
    h["scl_slope"], h["scl_inter"] = slope, inter
    raw = h.binaryblock + b"\0\0\0\0" + data.astype(data.dtype.newbyteorder(endian)).tobytes(order="F")
    file = "golden/" + name + (".nii.gz" if gz else ".nii")
    with open(file, "wb") as f:
        f.write(gzip.compress(raw, mtime=0) if gz else raw)
    image = nib.load(file)
    values = np.asarray(image.get_fdata(dtype=np.float64))
    values = values.reshape(values.shape + (1,) * (4 - values.ndim))
    coded = int(h["qform_code"]) > 0 or int(h["sform_code"]) > 0
    expected[os.path.basename(file)] = dict(
        shape=[int(values.shape[i]) for i in (2, 1, 0, 3)],
        affine=[float(v) for v in image.affine[:3].ravel()] if coded else None,
        values=[float(np.float32(v)) for v in values.transpose(2, 1, 0, 3).ravel()])


def header(data, endian="<"):
    h = nib.Nifti1Header(endianness=endian)
    h.set_data_dtype(data.dtype.newbyteorder(endian))
    h.set_data_shape(data.shape)
    h.set_xyzt_units("mm", "sec")
    return h


small = (3, 4, 2)
for kind, low, high in [("uint8", 0, 256), ("int8", -128, 128), ("int16", -32768, 32768), ("uint16", 0, 65536),
                        ("int32", -2**31, 2**31), ("uint32", 0, 2**32), ("int64", -2**40, 2**40), ("uint64", 0, 2**40)]:
    for endian in "<>":
        d = rng.integers(low, high, small).astype(kind)
        h = header(d, endian)
        h.set_sform(oblique, 1)
        keep(f"{kind}_{'little' if endian == '<' else 'big'}", h, d, endian=endian)
for kind in ("float32", "float64"):
    for endian in "<>":
        d = rng.normal(size=small).astype(kind)
        h = header(d, endian)
        h.set_sform(oblique, 2)
        keep(f"{kind}_{'little' if endian == '<' else 'big'}", h, d, endian=endian)

d = rng.integers(0, 4096, (5, 3, 4)).astype("int16")
h = header(d); h.set_sform(oblique, 1)
keep("scaled", h, d, slope=0.25, inter=-100.5)
keep("gzipped", h, d, gz=True)
for name, mirror in (("qform", 1.0), ("qform_mirrored", -1.0)):
    m = np.eye(4); m[:3, :3] = rotation(.3, -.7, 1.1) @ np.diag([0.8, 1.5, 3.0 * mirror]); m[:3, 3] = [5, -6, 7.5]
    h = header(d); h.set_qform(m, 1); h["sform_code"] = 0
    keep(name, h, d)
h = header(d); h["pixdim"][1:4] = [0.5, 0.75, 4.0]; h["qform_code"] = 0; h["sform_code"] = 0
keep("no_orientation", h, d)
h = header(d); h.set_sform(oblique, 1); m = np.eye(4); m[:3, 3] = [1, 2, 3]; h.set_qform(m, 2)
keep("both_forms", h, d)
d4 = rng.normal(size=(3, 2, 2, 3)).astype("float32")
h = header(d4); h.set_sform(oblique, 1)
keep("channels", h, d4)
d1 = rng.integers(0, 3, (3, 4, 2, 1)).astype("uint8")
h = header(d1); h.set_sform(oblique, 1)
keep("fourth_axis_one", h, d1)
d2 = rng.integers(0, 255, (5, 4)).astype("uint8")
h = header(d2); h.set_sform(oblique, 1)
keep("plane", h, d2)

with open("golden/expected.json", "w") as f:
    json.dump(expected, f, indent=0)
print(len(expected), "files")
