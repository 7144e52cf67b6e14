"""A single step trained with noise takes 65 to 75 % less time than all steps"""

from spikebench.claim import Claim, Number

CLAIM = Claim(
    paper="Jiang and Zhang, A noise-based novel strategy for faster SNN training, 2022, arXiv 2211.05453",
    sentence="Training time is 65 to 75 % less, and inference more than 100 times faster (in short)",
    where="abstract",
    read="primary",
    claimed=Number("2.9x", 1 / 0.35),
    setting="one training step in place of N; network, data and N were not read",
    known=False,
    hardware="GPU; the model was not read",
    timed="training",
    caveat="One step against N is faster by nearly N. What is worth a test is the accuracy with all steps, which is not ranked here.",
    absent="the distribution of the noise and the conversion were not read, and no public code was found; the scheme "
    "noise_step is a probable reading",
    value=15,
)
