"""Prints how fast prompts render beside bare Jinja2, and how fast a large registry lists.

Run: python -m benchmarks.prompting
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llmops.domain.retrieval import Hit
from llmops.prompting.registry import Registry
from llmops.prompting.template import PromptVersion, parse_prompt
from llmops.prompting.versions import Change, commit, move_label

SAMPLE = Path(__file__).parent.parent / "prompts" / "answer" / "prompt.j2"
PASSAGE = "A gate is inconclusive when the interval holds the limit: exit code 4. " * 6
HITS = [Hit(f"{n} {PASSAGE}", f"docs/page-{n}.md", "Gates > Verdicts") for n in range(5)]
VARIABLES = {"question": "Which exit code means inconclusive?"}
ROUNDS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--renders", type=int, default=10_000)
    parser.add_argument("--prompts", type=int, default=1_000)
    parser.add_argument("--versions", type=int, default=20)
    options = parser.parse_args()
    compare_rendering(options.renders)
    time_listing(options.prompts, options.versions)


def compare_rendering(renders: int) -> None:
    version = parse_prompt(SAMPLE.read_text(encoding="utf-8"), file=str(SAMPLE), shared={})
    version.render(VARIABLES, HITS)
    mappings = [{"text": hit.text, "source": hit.source, "heading": hit.heading} for hit in HITS]
    bare_objects = bare(version, HITS)
    runs = {
        "llmops": lambda: version.render(VARIABLES, HITS),
        "bare Jinja2, hits as mappings": bare(version, mappings),
        "bare Jinja2, hits as objects": bare_objects,
    }
    medians = interleaved(runs, renders)
    fastest = min(seconds for name, seconds in medians.items() if name != "llmops")
    print(f"{renders:,} renders of the sample prompt with 5 hits (median of {ROUNDS} rounds)")
    for name, seconds in medians.items():
        print(f"  {name:32} {seconds:7.3f} s  {seconds / renders * 1e6:6.1f} us each")
    print(f"  speed relative to the faster bare one: {fastest / medians['llmops']:.2f} (at least 0.8 wanted)")


def bare(version: PromptVersion, contexts: object) -> Callable[[], object]:
    """The same messages in Jinja2's own immutable sandbox, as few steps as possible."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    templates = [environment.from_string(message.source) for message in version.messages]
    values = {**VARIABLES, "contexts": contexts}
    return lambda: [template.render(values) for template in templates]


def interleaved(runs: dict[str, Callable[[], object]], renders: int) -> dict[str, float]:
    """Median seconds of each run, taken in turns so that a slow moment of the machine hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            started = time.perf_counter()
            for _ in range(renders):
                run()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def time_listing(prompts: int, versions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build_registry(root, prompts, versions)
        times = []
        for _ in range(5):
            started = time.perf_counter()
            registry = Registry(root)
            listed = [(registry.versions(name), registry.labels(name)) for name in registry.names()]
            times.append(time.perf_counter() - started)
        assert len(listed) == prompts
        assert all(len(found) == versions for found, _ in listed)
        print(f"listing {prompts:,} prompts x {versions} versions: {statistics.median(times):.2f} s (under 1 s wanted)")


def build_registry(root: Path, prompts: int, versions: int) -> None:
    """One prompt with real commits and labels, copied under many names."""
    first = root / "prompts" / "p0"
    first.mkdir(parents=True)
    change = Change("benchmark", "grow", at="2030-01-01T00:00:00Z")
    for n in range(versions):
        (first / "prompt.j2").write_text(f"user:\nText {n} of {{{{ question }}}}\n", encoding="utf-8")
        version = commit(Registry(root), "p0", change).version
        move_label(Registry(root), "p0", version, "production", change)
    files = {path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()}
    for n in range(1, prompts):
        for path, content in files.items():
            target = root / "prompts" / f"p{n}" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


if __name__ == "__main__":
    main()
