"""No module imports itself by way of others: imports inside functions and for types alone count too."""

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

PROGRAM = ("contracts", "chassis", "services", "gateway", "careline", "bench")


def require_no_circle(graph: grimp.ImportGraph) -> None:
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()


def test_there_is_no_import_circle() -> None:
    require_no_circle(grimp.build_graph(*PROGRAM, cache_dir=None))


def test_a_circle_would_be_found() -> None:
    graph = grimp.build_graph("contracts", cache_dir=None)
    graph.add_import(importer="contracts.base", imported="contracts.broker")
    with pytest.raises(CycleError):
        require_no_circle(graph)
