"""A contract of our own for import-linter: which libraries there are is read from what backends declare, so it lists none."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output

from spikebench import registry


class LibraryContract(Contract):
    """A module that a backend of its name requires, and which is no part of us, is imported by that backend alone.

    A backend may share another's library by naming it in REQUIRES, too.
    """

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        needs = {b: registry.declared(b, None, "REQUIRES", ()) for b in registry.names("backends")}
        wrong = [
            f"{importer} imports {library}"
            for library in needs
            if library in needs[library] and library in graph.modules
            for importer in sorted(graph.find_modules_that_directly_import(library))
            if not any(library in needs[b] and f"{importer}.".startswith(f"spikebench.backends.{b}.") for b in needs)
        ]
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["wrong"]:
            output.print_error(line)
