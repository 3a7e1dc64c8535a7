"""The programs that are asked about, and what they are asked to do."""
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from tensorboard.backend.event_processing import event_accumulator

programs, data = Path(sys.argv[1]) / "bin", Path(sys.argv[2]) / "data"
TOLERANCE = 1e-4


def sagcl(program, *arguments, code=0):
    command = [str(programs / f"sagcl-{program}"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code, f"{' '.join(command)}\n{done.stderr}"
    return done.stdout.split("\n")[:-1]


def tensorboard(run):
    """What TensorBoard reads of a run, with every value."""
    log = event_accumulator.EventAccumulator(str(run), size_guidance={"scalars": 0, "histograms": 0, "images": 0})
    return log.Reload()


def train(out, preset, labelled, steps, **more):
    """TensorBoard looks on while the training is interrupted and goes on."""
    settings = {"data.test": 1, "data.validation": 1, "evaluation.every": steps // 3, "data.labelled": labelled,
                "network.width": 4, "train.steps": steps, "train.learning_rate": 0.01, "train.batch": 2,
                "evaluation.checkpoint_every": steps, "train.restarts": 0, **more}
    chosen = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    sagcl("train", "--preset", preset, "--method", "supervised", "--data", data / preset, "--out", out, "--device", "cpu",
          "--no-report", "--stop-after", steps // 2, *chosen, code=130)
    log = tensorboard(out)
    assert [e.step for e in log.Scalars("loss/sup")] == list(range(1, steps // 2 + 1))
    sagcl("train", "--resume", "--out", out, "--device", "cpu", "--no-report")
    log.Reload()
    return log


def last_checkpoint(run):
    return sorted((run / "checkpoints").iterdir())[-1]


def normalised(image, notes):
    assert notes["normalise"] == "z_score", notes
    return ((image - image.mean(dtype=np.float64)) / (image.std(dtype=np.float64) + 1e-8)).astype(np.float32)


def predicted(checkpoint, image, folder, *options):
    """What sagcl-predict writes for an image [D, H, W]: probabilities [classes, D, H, W]."""
    folder.mkdir()
    np.save(folder / "image.npy", image)
    sagcl("predict", "--checkpoint", checkpoint, "--input", folder / "image.npy", "--output", folder / "masks",
          "--probabilities", "--device", "cpu", *options)
    if image.shape[0] == 1:
        return np.load(folder / "masks/probabilities/image.npy").transpose(3, 0, 1, 2)
    return np.asarray(nib.load(folder / "masks/probabilities/image.nii").dataobj).T


def compare(what, got, expected):
    worst = np.abs(got - expected).max()
    print(f"{what}: largest difference {worst:.2g}, probabilities from {expected.min():.3f} to {expected.max():.3f}")
    assert got.shape == expected.shape and worst <= TOLERANCE
    assert expected.max() - expected.min() > 0.3, "the network knows nothing, so this compares nothing"
