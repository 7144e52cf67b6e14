"""The boards of all committed records and submissions as part of the site, and the JSON Schemas that they are in; made when the site is built."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from spikebench.experiments.schema import KINDS, schema
from spikebench.experiments.site import site

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).parents[1]
SOURCES = ("results", "submissions")


def on_post_build(config: "MkDocsConfig") -> None:
    """Write results/ and schema/ into the folder of the site. Neurons of submissions are executed, which gives them their ranks."""
    folder = Path(config.site_dir)
    site([path for name in SOURCES if (path := ROOT / name).is_dir()], folder / "results", execute=True)
    (folder / "schema").mkdir(exist_ok=True)
    for kind in KINDS:
        (folder / "schema" / f"{kind}.json").write_text(json.dumps(schema(kind), indent=1) + "\n", encoding="utf-8")
