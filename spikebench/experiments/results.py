"""`sb.load`, `sb.merge`, `sb.table`, `sb.report`, `sb.plot`, `sb.export` and `sb.cite`: records are read, joined, drawn and handed on."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spikebench import registry
from spikebench.cases.arguments import asked, shortened
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.files import file_to_write, folder_to_write, save_text
from spikebench.records.merge import merged
from spikebench.records.record import Record

if TYPE_CHECKING:
    import pandas as pd

Source = str | Path | Sequence[str | Path] | Iterable[Record]


@asked
def load(*files: str | Path, warnings: list[str] | None = None) -> list[Record]:
    """The records in result files; each of `files` is a file, a folder or a glob pattern such as "results/**/*.jsonl".

    Lines that are no record are skipped, and named in `warnings`. Raises Problem for a name behind which there is nothing.
    """
    return store.load(files, warnings)


@asked
def merge(*files: str | Path, out: str | Path, warn: Callable[[str], None] | None = None) -> list[Record]:
    """Join result files of shards into the new file `out`, every record once; the records. `warn` is told what to know of them.

    Raises Problem where two files have measured the same, and where `out` is there already; nothing is written then.
    """
    where = file_to_write(Path(out), "out")
    if where.exists():
        raise Problem(f"{where} is there already; name a new file")
    found = merged(store.expand(files))
    for note in found.notes:
        (warn or warnings.warn)(note)
    if not found.records:
        raise Problem("no records in these files; nothing was written")
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        with where.open("xb") as file:
            file.writelines(map(store.line, found.records))
    except OSError as error:
        where.unlink(missing_ok=True)
        raise Problem(f"cannot write {where}: {error.strerror}; name another file") from error
    return found.records


def records_of(source: Source) -> list[Record]:
    """The records of files, or those that were given."""
    if isinstance(source, str | Path):
        return store.load(source)
    given = list(source)
    if wrong := [r for r in given if not isinstance(r, Record | str | Path)]:
        raise Problem(f"{shortened(wrong[0])} is neither a record nor the name of a file")
    records = [r for r in given if isinstance(r, Record)]
    if 0 < len(records) < len(given):
        raise Problem("give records, or the names of files, and not both")
    return records or store.load([f for f in given if isinstance(f, str | Path)])


@asked
def table(source: Source, details: bool = False) -> "pd.DataFrame":
    """Records, or the files that hold them, as a tidy pandas frame with one row per sample, values in SI units.

    `spikebench.records.store.frame` names the columns; with `details` there is also the dictionary that says how the
    samples of a metric were taken.
    """
    return store.frame(records_of(source), details)


@asked
def report(
    source: Source,
    path: str | Path = "report.html",
    title: str = "spikebench report",
    baseline: str | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write records, or those in files, as one HTML file with verdicts, tables, figures and reasons; its path.

    The page needs no network. `baseline` is the subject that the others are compared with (else lif@eager, or the slowest);
    `notes` are lines put among the warnings.
    """
    from spikebench.report.html import write

    return write(records_of(source), file_to_write(Path(path), "path"), title, notes=notes, baseline=baseline)


@asked
def plot(
    kind: str,
    source: Source,
    folder: str | Path = "out",
    formats: Sequence[str] | None = None,
    subjects: Sequence[str] = (),
    baseline: str | None = None,
    style: str = "screen",
) -> list[Path]:
    """Draw a figure from records, or those in files, with its caption as a text beside it; the paths of the pictures.

    A kind is a file in spikebench/plots. `subjects` are the only ones to show: whole subjects, neurons or @backends; with a
    `baseline` ratios to it are drawn. The style "paper" gives PDFs of 3.25 and 6.75 inches. Raises Problem if the records
    hold nothing that the kind can show.
    """
    from spikebench.plots import View, draw

    folder_to_write(Path(folder), "folder")
    frame = store.frame(records_of(source), details=True)
    wanted = None if formats is None else tuple(formats)
    return draw(kind, frame, Path(folder), wanted, View(tuple(subjects), baseline), style)


def plot_text(
    kind: str, source: Source, subjects: Sequence[str] = (), baseline: str | None = None, width: int = 80
) -> list[str]:
    """Every figure of a kind as text of some width, for a terminal; see `plot`."""
    from spikebench.plots import View, text

    frame = store.frame(records_of(source), details=True)
    return list(text(kind, frame, View(tuple(subjects), baseline), width))


ENDINGS = {"csv": "csv", "parquet": "parquet", "bencher": "json", "github": "json", "pytest-benchmark": "json"}
FOLDERS = ("dataset", "flashinfer-bench", "tensorboard", "wandb")  # what is written as several files
LICENCE = "Apache-2.0"


@asked
def export(source: Source, to: str = "csv", path: str | Path | None = None, licence: str = LICENCE) -> Path:
    """Write records for another program; the path of the file, or of the folder where there are several.

    `to` is csv or parquet for every sample, bencher, github or pytest-benchmark for figures. A folder is made by
    flashinfer-bench (a trace set), tensorboard and wandb (curves over T, offline) and dataset (a Data Package with checksums
    and the `licence`). Without a `path` it lies in out/.
    """
    return exported(records_of(source), to, path, licence)[1]


def exported(records: Sequence[Record], to: str, path: str | Path | None, licence: str = LICENCE) -> tuple[int, Path]:
    """How many rows, entries or records were written, and where."""
    from spikebench.report.export import write

    if to in FOLDERS:
        return _folder(list(records), to, Path(path) if path is not None else Path("out") / to, licence)
    where = Path(path) if path is not None else Path("out") / f"export.{ENDINGS.get(to, to)}"
    return write(list(records), to, file_to_write(where, "path")), where


def _folder(records: list[Record], to: str, where: Path, licence: str) -> tuple[int, Path]:
    from spikebench.report import dataset, trackers
    from spikebench.report.flashinfer.write import write as trace_set

    if folder_to_write(where, "path").exists() and any(where.iterdir()):
        raise Problem(f"{where} is not empty; name a new folder, so that nothing old stands among what is new")
    makers: dict[str, Callable[[list[Record], Path], int]] = {
        "dataset": lambda rs, folder: dataset.write(rs, folder, licence),
        "flashinfer-bench": trace_set,
        "tensorboard": trackers.tensorboard,
        "wandb": trackers.wandb,
    }
    try:
        count = makers[to](records, where)
    except OSError as error:
        raise Problem(f"cannot write {where}: {error.strerror}; name another folder") from error
    if not count:
        raise Problem(f"no record here can be said to {to}: nothing was written")
    return count, where


@asked
def from_flashinfer(
    path: str | Path, folder: str | Path = "flashinfer", warn: Callable[[str], None] | None = None
) -> list[Record]:
    """Read a trace set of FlashInfer-Bench: the records of its traces are written to FOLDER/records.jsonl, and returned.

    A definition must be a spiking neuron of ours, as `export --to flashinfer-bench` writes it. A solution of somebody else is
    written beside them as a file, whose class `Solution` any command measures. `warn` is told what was left out and why.
    """
    from spikebench.report.flashinfer.read import read

    where = folder_to_write(Path(folder), "folder")
    if where.exists() and any(where.iterdir()):
        raise Problem(f"{where} is not empty; name a new folder")
    found = read(Path(path), where)
    for note in found.notes:
        (warn or warnings.warn)(note)
    for name, text in found.files.items():
        save_text(where / name, text, "name another folder")
    save_text(where / "records.jsonl", "".join(store.line(r).decode() for r in found.records), "name another folder")
    return found.records


@asked
def cite(*neurons: str) -> str:
    """BibTeX of the papers behind neurons, one entry after the other; Problem for a neuron that is not there."""
    return "\n".join(registry.facts(registry.find("neurons", n)).attributes.reference for n in neurons)


@asked
def cite_records(source: Source, doi: str | None = None) -> str:
    """BibTeX of every record, each under its permalink; `doi` is that of the archive that has them."""
    from spikebench.report.cite import bibtex, permalink

    return "\n\n".join(bibtex(r, permalink(r), doi) for r in records_of(source))


@asked
def draw_badge(source: Source, path: str | Path, subject: str, baseline: str = "lif@eager") -> Path:
    """Write a badge as an SVG: the gate, the ratio of the times with its interval, and the device; its path.

    Raises Problem unless the records hold one case of both on one device, in five pairs or more, with green gates.
    """
    from spikebench.report.badge import badge

    where = file_to_write(Path(path), "path")
    return save_text(where, badge(records_of(source), subject, baseline), "name another file with --badge")
