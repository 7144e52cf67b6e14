"""The templates of pages. Each page needs nothing else, and runs no script but those whose digest it names."""

import base64
import hashlib
import re
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, Template
from markupsafe import Markup, escape


def rendered(name: str, **values: object) -> str:
    """A template of this package with values, without the control characters that names in records may hold."""
    page = _template(name).render(**values)
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", page)


@cache
def _template(name: str) -> Template:
    """A template by the name of its file, which is read once."""
    made = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_text))
    made.filters |= {"sha256": _digest, "code": _code}
    return made.get_template(name)


def _text(name: str) -> str:
    return resources.files("spikebench.report").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()


def _code(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    parts = [f"<code>{escape(part)}</code>" if k % 2 else escape(part) for k, part in enumerate(text.split("`"))]
    return Markup("".join(map(str, parts)))
