"""Prints how often the intervals cover and the gate errs, on simulated data with fixed seeds.

Run: python -m benchmarks.statistics
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path


def hand_over() -> None:
    """Put the standard library's module in the place that this file took.

    A benchmark that is run by its path has this folder first on the import path, so that whoever imports `statistics`
    there gets this file.
    """
    here = Path(__file__).resolve().parent
    spec = PathFinder.find_spec("statistics", [entry for entry in sys.path if Path(entry or ".").resolve() != here])
    if spec is None or spec.loader is None:
        raise ImportError("the standard library's `statistics` is missing")
    sys.modules["statistics"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["statistics"])


if __name__ == "statistics":
    hand_over()
elif __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parent.parent))
    from benchmarks.interval_coverage import main

    main(__doc__)
