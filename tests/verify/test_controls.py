"""Honest subjects in every mode, again and again: none may be called wrong or impossible, or raise a flag of a cheat.

It takes an hour on two cores; each part is a test of its own: `pytest tests/verify/test_controls.py --slow -k train-0`.
"""

from collections import Counter
from pathlib import Path

import pytest

import spikebench as sb
from spikebench.cases.case import Layer
from spikebench.records.flags import Flag

REPEATS, PARTS = 20, 6
CHEATING = {Flag.REPLAYED, Flag.COMPANY, Flag.MOVED, Flag.ASLEEP, Flag.CHANGED_THREADS}
EAGER = (
    *("alif", "exodus", "gelu_sampler[state=4]", "glif", "ipsu", "lif", "masked_psn", "newton_lif", "para_lif", "plif"),
    *(
        "ppsu",
        "prf",
        "prf_lif",
        "psn",
        "psu",
        "recurrent_lif",
        "rpsu",
        "slayer",
        "sliding_psn",
        "spike_sampler[state=4]",
    ),
    "spsn",
)
FUSED = ("exodus", "lif", "para_lif", "prf", "psn", "slayer", "spike_sampler[state=4]", "spsn")
HONEST = [*(f"{n}@eager" for n in EAGER), *(f"{n}@fused" for n in FUSED), "lif@indexed"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("mode", ["inference", "forward", "train"])
def test_what_is_honest_raises_no_alarm(mode: str, part: int, tmp_path: Path) -> None:
    cases = [Layer(s, T=32, B=2, N=16, mode=mode) for s in HONEST[part::PARTS]]  # pyright: ignore[reportArgumentType]
    records = sb.run(cases, tmp_path / "controls.jsonl", metrics=("latency",), samples=12, repeats=REPEATS, threads=1)
    alarms = Counter(
        (str(r.case["subject"]), alarm)
        for r in records
        for alarm in ({f"{r.status}: {r.reason}"} if r.status != "ok" else CHEATING & set(r.flags))
    )
    assert len(HONEST) == 30 and len(records) == len(cases) * REPEATS
    assert not alarms, alarms
