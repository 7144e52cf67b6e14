"""The notebooks as pages: run when the site is built, shown with what they print, and there to be downloaded.

`python docs/books.py` writes them as Colab opens them; a test holds that they are the scripts beside them.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
SETUP = """# where nothing is installed, as on Colab: install spikebench, and fetch the records that notebooks read
import importlib.util
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

if importlib.util.find_spec("spikebench") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "spikebench[cpu]"], check=True)
if not any((folder / "results").is_dir() for folder in (Path.cwd(), *Path.cwd().parents)):
    urls = dict(each.split(", ", 1) for each in metadata.metadata("spikebench").get_all("Project-URL") or ())
    if not Path("spikebench").is_dir():
        subprocess.run(["git", "clone", "-q", "--depth", "1", urls["Repository"], "spikebench"], check=True)
    os.chdir("spikebench")
"""
FOLDER = ROOT / "notebooks"
NAMES = ("tour", "explained_4000x", "own_neuron", "reading_results")
MEASURES = ("hosted_gpu",)  # what measures where the reader runs it is shown without outputs


def files(run: bool = True, repository: str | None = None) -> dict[str, str | bytes]:
    """A page and a notebook of each; with their outputs, unless `run` is false or the notebook measures."""
    names = (*NAMES, *MEASURES)
    with ThreadPoolExecutor(2) as pool:
        books = list(pool.map(lambda name: executed(name) if run and name in NAMES else read(name), names))
    made: dict[str, str | bytes] = {}
    for name, book in zip(names, books, strict=True):
        made[f"notebooks/{name}.ipynb"] = nbformat.writes(portable(book))
        made[f"notebooks/{name}.md"] = page(name, book, repository)
    return made


def read(name: str) -> Any:
    """A notebook as it is in the repository, a script with cells."""
    book = jupytext.read(FOLDER / f"{name}.py", fmt="py:percent")
    book.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for number, cell in enumerate(book.cells):
        cell["id"] = f"cell-{number}"  # else random ones would differ from build to build
    return book


def portable(book: Any) -> Any:
    """The notebook with a first cell that makes it run where nothing is installed."""
    cell = nbformat.v4.new_code_cell(SETUP.strip(), id="setup")
    return nbformat.from_dict(dict(book) | {"cells": [book.cells[0], cell, *book.cells[1:]]})


def executed(name: str) -> Any:
    """The notebook with its outputs; raises what a cell raises."""
    book = read(name)
    where = {"metadata": {"path": str(FOLDER)}}
    client = NotebookClient(book, kernel_name="python3", timeout=120, startup_timeout=120, resources=where)
    paths = (str(ROOT), os.environ.get("PYTHONPATH"))
    client.execute(env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))})
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # hours and minutes
    return book


def write() -> None:
    """Write the notebooks that Colab opens, without outputs, beside the scripts that they are made of."""
    for name in (*NAMES, *MEASURES):
        (FOLDER / f"{name}.ipynb").write_text(nbformat.writes(portable(read(name))) + "\n", encoding="utf-8")


def page(name: str, book: Any, repository: str | None) -> str:
    """Markdown of a notebook, with links to the notebook itself below its title."""
    cells = [c for c in book.cells if c.source.strip()]
    title, _, rest = cells[0].source.partition("\n")
    links = [f"[:material-download: Download this notebook]({name}.ipynb){{ .md-button download }}"]
    if repository and "github.com/" in repository:
        place = repository.partition("github.com/")[2]
        address = f"https://colab.research.google.com/github/{place}/blob/main/notebooks/{name}.ipynb"
        links.append(f"[Open in Colab]({address}){{ .md-button }}")
    parts = [title, " ".join(links), rest.strip()]
    for cell in cells[1:]:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        else:
            parts += [f"```python\n{cell.source}\n```", *map(_shown, cell.get("outputs", ()))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _shown(output: Any) -> str:
    """What a cell printed or drew."""
    if output.output_type == "stream":
        return f'```text title="{"prints" if output.name == "stdout" else output.name}"\n{output.text.rstrip()}\n```'
    if "image/png" in output.get("data", {}):
        return f"![What the cell draws](data:image/png;base64,{output.data['image/png'].strip()})"
    return f"```text\n{output.get('data', {}).get('text/plain', '')}\n```"


if __name__ == "__main__":
    write()
