"""Modules with one thing wrong, which a test must tell from the right ones."""

import sys
from importlib import util
from types import ModuleType

import pytest


def spoiled(monkeypatch: pytest.MonkeyPatch, right: str, wrong: str, name: str, *others: str) -> ModuleType:
    """The module `name` loaded anew for the time of a test, with `wrong` in place of `right`.

    With `others`, of which it is one, all of those are loaded anew in their order, and the last is returned.
    """
    names = others or (name,)
    for each in names:
        spec = util.find_spec(each)
        assert spec is not None and spec.origin is not None
        with open(spec.origin, encoding="utf-8") as source:
            text = source.read()
        if each == name:
            assert right in text, f"{name} has no {right!r}"
            text = text.replace(right, wrong, 1)
        module = util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, each, module)
        monkeypatch.setattr(each, module, raising=False)
        exec(compile(text, spec.origin, "exec"), vars(module))
    return sys.modules[names[-1]]
