"""Small ONNX models on the CPU: batches of similar length, worked on beside each other by threads that share one session."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from llmops.domain.paging import pages

TOKENS_PER_BATCH = 1024
"""Padded tokens that are worked on at a time, at most: what a layer makes of more no longer fits into the cache of a core."""

Item = TypeVar("Item")
Made = TypeVar("Made")


def open_session(path: Path) -> Any:  # noqa: ANN401 -- an untyped vendor object
    """An inference session on the CPU, of one thread, without telemetry; several threads may run it at once."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def in_threads(work: Callable[[Item], Made], items: Sequence[Item], threads: int) -> list[Made]:
    """`work` on each item, so many at a time; the results in the order of the items.

    The layers of a small model are too short to be shared out between cores; whole batches are not.
    """
    if threads == 1 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(threads, len(items)), thread_name_prefix="llmops-onnx") as pool:
        return list(pool.map(work, items))


def batches(lengths: Sequence[int], size: int, threads: int = 1) -> list[list[int]]:
    """Positions of texts in batches of similar length, so that little is padded; the longest of a batch is its last.

    Args:
        lengths: tokens of each text.
        size: texts in a batch, at most.
        threads: that will share the batches: few texts are cut into as many, and the longest come first, so all end together.
    """
    size = max(1, min(size, -(-len(lengths) // threads)))
    found: list[list[int]] = []
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == size or (len(batch) + 1) * lengths[position] > TOKENS_PER_BATCH // threads):
            found.append(batch)
            batch = []
        batch.append(position)
    return [*found, batch][::-1] if batch else found


def equal_batches(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Positions of texts in batches of one length each, so that nothing is padded; the longest come first.

    Args:
        lengths: tokens of each text.
        size: texts in a batch, at most.
    """
    ordered = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    found: list[list[int]] = []
    for _, some in groupby(ordered, key=lengths.__getitem__):
        found += map(list, pages(list(some), size))
    return found


def cores() -> int:
    """The cores that this process may use, of those that it has; `OMP_NUM_THREADS` says how many, as elsewhere."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(found, int(wanted)) if wanted.isdigit() and int(wanted) else found
