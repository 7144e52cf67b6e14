"""Free Spoken Digits as spike trains of 70 cochlear channels: real speech in the layout of SHD, but not SHD.

720 recordings of the Free Spoken Digit Dataset by Zohar Jackson and contributors
(https://github.com/Jakobovski/free-spoken-digit-dataset), used under CC BY-SA 4.0
(https://creativecommons.org/licenses/by-sa/4.0/) and changed into spikes by lauscher 1.0.1, the cochlea model that
SHD was made with. The recordings, the number of channels and the counts are not those of SHD.
"""

from pathlib import Path

from spikebench.task import Dataset
from spikebench.tasks import shd
from spikebench.units import Count, Positive

LICENCE = "CC BY-SA 4.0"
URL = "https://github.com/Jakobovski/free-spoken-digit-dataset"
SOURCE = (
    "@misc{jackson2018fsdd, author={Jackson, Zohar and others}, title={Free Spoken Digit Dataset},"
    " howpublished={https://github.com/Jakobovski/free-spoken-digit-dataset}}"
)
RECIPE = {"hidden": (128, 128), "epochs": 25, "batch": 32, "lr": 6e-3}
FILES = ("fsdd70_train.h5", "fsdd70_test.h5")
FOLDERS = ("fsdd70", ".")
GET = (
    "turn takes 5 to 14 (train) and 0 and 1 (test) of the recordings into spikes with lauscher 1.0.1, 70 channels, in"
    " the layout of SHD, and name the folder with --data-root"
)


def load(
    data_root: str | Path | None = None,
    *,
    dt: Positive = 4e-3,
    augment: bool = False,
    mask: bool = True,
    bins: Count | None = None,
) -> Dataset:
    """Takes 5 to 14 of each digit and speaker to train, 0 and 1 to test, in bins of `dt` seconds, or `bins` as in shd."""
    return shd.load_events("fsdd70", data_root, FOLDERS, 70, GET, dt, augment, mask, bins)
