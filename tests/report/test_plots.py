"""Figures: what stands in them on fixed frames, and that the committed ones are those of the committed records."""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from spikebench import registry
from spikebench.errors import Problem
from spikebench.plots import _style as style
from spikebench.plots import agreement, draw, energy, frontier, kinds, pareto, raster, scaling, sparsity
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "figures"
RESULTS = ROOT / "results" / "amd-epyc-f25m1-2c"
QUICK = RESULTS / "quick.jsonl"
DRAWN = [("speedup", QUICK), ("scaling", QUICK), ("scaling", RESULTS / "length.jsonl")]  # by `make figures`
DRAWN += [("frontier", QUICK), ("pareto", QUICK), ("pareto", RESULTS / "fsdd.jsonl")]
CLAIMS = ROOT / "results" / "amd-epyc-f25m17-2c" / "claims.jsonl"
DRAWN += [("waterfall", CLAIMS), ("learning", RESULTS / "listops.jsonl")]


def record(subject: str, T: int, **samples: list[float]) -> Record:
    """A record with samples by metric; none of them is an oom."""
    name, _, backend = subject.partition("@")
    case = {
        "subject": subject,
        "neuron": name,
        "backend": backend,
        "T": T,
        "B": 4,
        "N": 8,
        "mode": "train",
        "rate": 0.3,
    }
    case |= {"workload": "layer", "dtype": "float32", "device": "cpu", "seed": 0, "network": None, "task": None}
    found = [Measurement(m, "s", samples=v) for m, v in samples.items()]
    about: dict[str, Any] = {} if found else {"status": "oom", "reason": "std::bad_alloc"}
    return Record(
        "r",
        f"{subject}{T}",
        cast(CaseJson, case),
        measurements=found,
        environment={"machine": "m", "time": 1.79e9},
        **about,
    )


def trained(subject: str, seed: int, accuracy: float, seconds: float) -> Record:
    made = record(subject, 0, epoch_time=[seconds] * 3, accuracy=[accuracy])
    made.case.update(workload="training", task="t", seed=seed)
    return replace(made, case_id=f"{subject}{seed}")


@pytest.fixture(autouse=True)
def in_our_style() -> Iterator[None]:
    with style.applied():
        yield
    plt.close("all")


def only(module: Any, records: list[Record]) -> tuple[str, Any, str]:
    """The one figure there is: its name, its axes and its caption."""
    [(name, figure, caption)] = module.figures(store.frame(records))
    return name, figure.axes[0], caption


def lines(axes: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in axes.lines if not str(line.get_label()).startswith("_")}


def below(axes: Any) -> str:
    return "\n".join(t.get_text() for t in axes.texts)


LENGTHS = [
    record("lif@eager", 128, latency=[1.0, 2.0, 3.0], peak_memory=[2.0**20], energy=[1e-3]),
    record("lif@eager", 512, latency=[4.0, 8.0, 12.0], peak_memory=[2.0**22], energy=[4e-3]),
    record("lif@eager", 2048),
    record("spsn@cpu", 128, latency=[0.5], peak_memory=[2.0**19], energy=[1e-4]),
    record("spsn@cpu", 2048, latency=[2.0], peak_memory=[2.0**23], energy=[1e-3]),
]


@pytest.mark.parametrize(("module", "factor"), [(scaling, 2.0), (frontier, 2.0**20), (energy, 1e-3)])
def test_lines_over_T(module: Any, factor: float) -> None:
    _, axes, caption = only(module, LENGTHS)
    found = {re.sub(" .*", "", str(k)): v for k, v in lines(axes).items()}
    assert list(found) == ["lif@eager", "spsn@cpu"]
    assert list(found["lif@eager"].get_xdata()) == [128, 512]
    assert list(found["lif@eager"].get_ydata()) == [factor, 4 * factor]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert "Machine: m. T = 128 to 2,048; B = 4; N = 8. Mode: train. 4 processes" in caption
    assert caption.endswith("Measured 2026-09-21.")


@pytest.mark.parametrize("module", [scaling, frontier, energy])
def test_gaps_are_drawn_with_their_reason(module: Any) -> None:
    _, axes, _ = only(module, LENGTHS)
    assert "lif@eager at T = 2,048: oom (std::bad_alloc)" in below(axes)
    assert "spsn@cpu at T = 512: not measured" in below(axes)
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[2048]]
    assert crosses[0].get_color() == style.colour("lif")


def test_unavailable_is_no_zero() -> None:
    absent = record("lif@cpu", 128, latency=[1.0])
    absent.measurements.append(Measurement("energy", "J", "unavailable", "no counter"))
    assert list(energy.figures(store.frame([absent]))) == []
    _, axes, _ = only(energy, [*LENGTHS, absent])
    assert "lif@cpu at T = 128: unavailable (no counter)" in below(axes)


def test_pareto_front() -> None:
    runs = [("a@cpu", 0.9, 1.0), ("b@cpu", 0.8, 2.0), ("c@cpu", 0.95, 3.0)]
    records = [trained(s, k, a + k / 100, t) for s, a, t in runs for k in range(2)]
    name, axes, caption = only(pareto, records)
    front = next(line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert name == "pareto-t" and [round(v, 3) for v in front.get_ydata()] == [0.905, 0.955]
    assert list(lines(axes)) == ["a@cpu, n=2", "b@cpu, n=2", "c@cpu, n=2"]
    assert "6 processes" in caption
    assert list(pareto.figures(store.frame(records[:2]))) == [], "one subject has no front"


def test_sparsity() -> None:
    made = [record("lif@cpu", 128, latency=[1.0 + r], spike_rate=[r]) for r in (0.3, 0.05)]
    for r, rate in zip(made, (0.3, 0.05), strict=True):
        r.case["rate"] = rate
    _, axes, _ = only(sparsity, made)
    assert list(axes.lines[0].get_xdata()) == [0.05, 0.3] and list(axes.lines[0].get_ydata()) == [1.05, 1.3]
    assert list(sparsity.figures(store.frame(made[:1]))) == []


def fired(subject: str, spikes: list[list[int]]) -> Record:
    """A record with the spikes [steps, neurons] of the first neurons of a layer of 8; the others are silent."""
    bits, made = np.array(spikes), record(subject, len(spikes))
    detail: dict[str, Any] = {"steps": bits.shape[0], "neurons": bits.shape[1], "counts": bits.sum(1).tolist()}
    detail |= {"bits": base64.b64encode(np.packbits(bits != 0).tobytes()).decode(), "most": int(bits.max())}
    found = Measurement("raster", "1", samples=[float(bits.mean())], detail=detail)
    return replace(made, status="ok", reason=None, measurements=[found])


def test_raster() -> None:
    lif, spsn = [[0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]], [[1, 1, 2], [0, 0, 0], [0, 0, 0], [0, 1, 0]]
    records = [fired("lif@eager", lif), fired("spsn@cpu", spsn), record("psu@cpu", 4)]
    [(name, figure, caption)] = raster.figures(store.frame(records, details=True))
    marks, counts, others, _ = figure.axes
    assert name == "raster-train-T4-B4-N8-rate0.3-cpu"
    lines: Any = marks.collections[0]
    drawn = {(round(p[0][0]), round(p[:, 1].mean())) for p in lines.get_segments()}
    assert drawn == {(0, 1), (1, 0), (2, 1), (2, 2)}, "a mark at (step, neuron)"
    assert marks.get_ylim() == (2.5, -0.5) and marks.get_xlim() == (-0.5, 3.5)
    steps: Any = counts.patches[0]
    assert list(steps.get_data().values) == [1, 1, 2, 0]
    assert [a.get_title(loc="left") for a in (marks, others)] == ["lif@eager", "spsn@cpu"]
    assert "psu@cpu at T = 4: oom (std::bad_alloc)" in "".join(below(a) for a in figure.axes)
    assert "first 3 of 8 neurons of one batch item over the first 4 of 4 steps" in caption
    assert "lif@eager 0.333, spsn@cpu 0.417. A mark is a step with at least one spike" in caption
    assert "T = 4; B = 4; N = 8. Mode: train. 2 processes" in caption
    [(_, _, alone)] = raster.figures(store.frame(records[:1], details=True))
    assert "at least one" not in alone


def test_raster_draws_six_and_names_the_others() -> None:
    records = [fired(f"lif[decay=0.{k}]@eager", [[0, 1]]) for k in range(1, 9)]
    [(_, figure, _)] = raster.figures(store.frame(records, details=True))
    assert len(figure.axes) == 12
    assert below(figure.axes[-1]).count("no room beside 6 others") == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [("steps", None), ("steps", 99), ("neurons", None), ("bits", "??"), ("bits", ""), ("counts", None)],
)
def test_raster_leaves_out_what_is_torn(key: str, value: Any) -> None:
    torn = fired("lif@eager", [[0, 1]])
    torn.measurements[0].detail[key] = value
    assert list(raster.figures(store.frame([torn], details=True))) == []


def test_raster_asks_for_details() -> None:
    with pytest.raises(Problem, match="make the frame with details=True"):
        list(raster.figures(store.frame([fired("lif@eager", [[0, 1]])])))


def test_a_neuron_has_one_colour_and_a_backend_one_line() -> None:
    looks = {s: style.line(s) for s in ("lif@eager", "lif@cpu", "lif[decay=0.5]@cpu", "spsn@eager", "p.py:Mine@eager")}
    assert looks["lif@eager"]["color"] == looks["lif@cpu"]["color"] == looks["lif[decay=0.5]@cpu"]["color"]
    assert looks["lif@eager"]["color"] != looks["spsn@eager"]["color"]
    assert looks["lif@eager"]["linestyle"] == looks["spsn@eager"]["linestyle"] != looks["lif@cpu"]["linestyle"]


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour, as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_colours_are_seen_on_white() -> None:
    assert len(set(style.COLOURS)) == len(style.COLOURS)
    assert min(1.05 / (luminance(c) + 0.05) for c in style.COLOURS) > 2


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    odd = ["$\\frac{@eager", "_hidden@eager", "<b>&amp;@eager", "x" * 500 + "@eager"]
    records = [record(s, T, latency=[1.0]) for s in odd for T in (128, 256)]
    [path] = draw("scaling", store.frame(records), tmp_path, ("svg",))
    assert "$\\frac{@eager" in path.read_text()
    assert "<b>" not in path.read_text()


def test_a_name_makes_no_folder(tmp_path: Path) -> None:
    records = [record("lif@cpu", T, latency=[1.0]) for T in (128, 256)]
    for r in records:
        r.case["mode"] = "../../up"
    [path] = draw("scaling", store.frame(records), tmp_path / "in", ("png",))
    assert path.parent == tmp_path / "in" and path.exists()


@pytest.mark.parametrize("kind", kinds())
def test_nothing_to_draw_is_said(kind: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=f"nothing to draw as {kind}"):
        draw(kind, store.frame([record("lif@cpu", 128)]), tmp_path)


def test_formats(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no format gif; there are png, svg, pdf"):
        draw("scaling", store.frame(LENGTHS), tmp_path, ("gif",))
    paths = draw("scaling", store.frame(LENGTHS), tmp_path, ("png", "svg", "pdf"))
    assert [p.read_bytes()[:5] for p in paths] == [b"\x89PNG\r", b"<?xml", b"%PDF-"]


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in DRAWN}))
def test_committed_figures_are_those_of_the_records(kind: str, tmp_path: Path) -> None:
    drawn_with = re.search(r"Matplotlib v([\w.]+)", next(DOCS.glob("*.svg")).read_text())
    if drawn_with is None or drawn_with[1] != matplotlib.__version__:
        pytest.skip(
            f"the figures were drawn with matplotlib {drawn_with and drawn_with[1]}, here is {matplotlib.__version__}"
        )
    for path in (path for k, path in DRAWN if k == kind):
        draw(kind, store.table(path, details=True), tmp_path)
    there = {p.name for p in DOCS.glob(f"{kind}-*")}
    assert there == {p.name for p in tmp_path.iterdir()}, "run make figures"
    for path in sorted(tmp_path.iterdir()):
        assert same_drawing(path, DOCS / path.name), f"{path.name} is not what the records give: run make figures"


def same_drawing(one: Path, other: Path) -> bool:
    """The same but for the last digits of coordinates: logarithms differ in them from processor to processor."""
    if one.suffix != ".svg":
        return one.read_bytes() == other.read_bytes()
    number = re.compile(r"-?\d+\.\d+")
    texts = one.read_text(), other.read_text()
    found = [[float(n) for n in number.findall(text)] for text in texts]
    return number.sub("#", texts[0]) == number.sub("#", texts[1]) and np.allclose(*found, rtol=0, atol=1e-4)


def test_a_drawing_with_one_other_point_is_another(tmp_path: Path) -> None:
    for suffix in ("svg", "png"):
        path = next(DOCS.glob(f"frontier-*.{suffix}"))
        assert same_drawing(path, path)
    shown = next(DOCS.glob("frontier-*.svg"))
    moved, rounded, renamed = (tmp_path / f"{n}.svg" for n in range(3))
    text = shown.read_text()
    number = next(n for n in re.findall(r"\d+\.\d{6}", text) if float(n) > 100)
    moved.write_text(text.replace(number, f"{float(number) + 1:.6f}"))
    rounded.write_text(text.replace(number, f"{float(number) + 1e-6:.6f}"))
    renamed.write_text(text.replace("lif", "fil"))
    assert same_drawing(rounded, shown) and not same_drawing(moved, shown) and not same_drawing(renamed, shown)
    spsn = next(DOCS.glob("pareto-*.png"))
    assert not same_drawing(next(DOCS.glob("frontier-*.png")), spsn)


def test_make_figures_draws_what_is_tested() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nfigures:")[1].split("\n\n")[0]
    named = re.findall(r"spikebench plot (\w+) (\S+)", recipe)
    assert named == [(kind, str(path.relative_to(ROOT))) for kind, path in DRAWN]


def test_agreement_stands_at_the_decay_of_the_neuron_where_none_is_given() -> None:
    subjects = ["psu[decay=0.9]@eager", "psu@eager", "spsn[mem_decay=0.95,syn_decay=0.95]@eager", "newton_lif@eager"]
    assert [agreement._decay(s) for s in subjects] == [0.9, 0.5, 0.95, 0.9]


def test_a_cut_name_keeps_its_backend() -> None:
    name = "lif[reset=hard,detach_reset=true,surrogate=fast_sigmoid,slope=1.0]@spikingjelly"
    assert style.cut("lif@cpu") == "lif@cpu"
    assert style.cut(name).endswith("…]@spikingjelly") and len(style.cut(name)) <= style.LONGEST_NAME + 1


def test_no_two_neurons_look_alike() -> None:
    looks = {tuple(style.line(f"{name}@cpu")[k] for k in ("color", "fillstyle")) for name in registry.names("neurons")}
    assert len(looks) == len(registry.names("neurons"))
