"""Spiking Speech Commands: 35 spoken words as spike trains of 700 cochlear channels, in the layout of SHD."""

from pathlib import Path

from spikebench.task import Dataset
from spikebench.tasks import shd
from spikebench.units import Positive

LICENCE = "CC BY 4.0"
URL = "https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/"
SOURCE = (
    "@article{cramer2022heidelberg, author={Cramer, Benjamin and Stradmann, Yannik and Schemmel, Johannes and Zenke,"
    " Friedemann}, title={The {Heidelberg} Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks},"
    " journal={IEEE Transactions on Neural Networks and Learning Systems}, volume={33}, pages={2744--2757},"
    " year={2022}, doi={10.1109/TNNLS.2020.3044364}}"
)
RECIPE = shd.RECIPE
FILES = ("ssc_train.h5", "ssc_test.h5")
FOLDERS = ("ssc", "SSC", ".")
GET = "download ssc_train.h5 and ssc_test.h5 from https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/ and name their folder with --data-root"


def load(
    data_root: str | Path | None = None, *, dt: Positive = 1e-3, augment: bool = False, mask: bool = False
) -> Dataset:
    """The official training and test splits in bins of `dt` seconds; the validation split is not used."""
    return shd.load_events("ssc", data_root, FOLDERS, shd.UNITS, GET, dt, augment, mask)
