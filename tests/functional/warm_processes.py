"""Processes that have imported llmops and its vendors already: a command that runs in a fork of one starts many times faster.

There are two such processes, which take turns, so that the order of a set, which each process of Python draws anew, still
differs from one command of a test to the next. LiteLLM, which takes longer than all others, is imported after the first
command that did so, and at once where workers share all tests. What a command imports by itself is the matter of
`test_startup.py`.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from pkgutil import walk_packages

import llmops

VENDORS = (
    *("aiohttp", "asyncio", "bm25s", "charset_normalizer", "chromadb", "chromadb_rust_bindings", "filelock", "ir_measures"),
    *("jinja2", "jsonschema", "numpy", "regex", "rich.progress", "rich.table", "scipy.optimize", "scipy.special"),
    *("sqlalchemy", "sqlalchemy.dialects.sqlite", "tokenizers", "typer.testing", "yaml"),
)
"""All but those whose threads no fork would have: onnxruntime and torch."""
FORKING = """
import atexit, contextlib, gc, importlib, json, mmap, os, random, signal, sys, threading

def late(*_):
    global in_time
    in_time = False
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)

for name in sys.argv[1:]:
    importlib.import_module(name)
gc.freeze()
calls_litellm = mmap.mmap(-1, 1)
calls_litellm[0] = "PYTEST_XDIST_WORKER" in os.environ
for line in sys.stdin:
    task = json.loads(line)
    if calls_litellm[0] and "litellm" not in sys.modules:
        from llmops.adapters.litellm_model import load_litellm
        load_litellm()
        gc.freeze()
    child = os.fork()
    if child == 0:
        break
    in_time = True
    signal.signal(signal.SIGALRM, late)
    signal.alarm(task["timeout_s"])
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(0)
    print(json.dumps([code, in_time]), flush=True)
else:
    sys.exit()

signal.signal(signal.SIGALRM, signal.SIG_DFL)
os.chdir(task["folder"])
os.environ.clear()
os.environ.update(task["environment"])
random.seed()
for number, path in enumerate(("/dev/null", task["out"], task["err"])):
    opened = os.open(path, os.O_RDWR)
    os.dup2(opened, number)
    os.close(opened)
sys.stdin = open(0, encoding="utf-8", closefd=False)
sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
sys.argv = ["-c", *task["arguments"]]
from llmops.cli.main import main
try:
    exec(task["first"], {})
    main()
except SystemExit as ended:
    code = ended.code or 0
threading._shutdown()  # from here on as the interpreter ends, which then would spend most of the time on freeing memory
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
calls_litellm[0] |= "litellm" in sys.modules
os._exit(code)
"""
_turns = count()


def run(
    arguments: Sequence[str], folder: Path, environment: dict[str, str], timeout_s: int, first: str = ""
) -> "subprocess.CompletedProcess[str]":
    """As `subprocess.run` of the command line with its output captured.

    Args:
        arguments: of the command line.
        folder: that it runs in.
        environment: all of it.
        timeout_s: after which it is killed.
        first: code that the process runs before the command.

    Raises:
        subprocess.TimeoutExpired: it took too long and was killed.
    """
    process = _forking(next(_turns) % 2)
    assert process.stdin is not None
    assert process.stdout is not None
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        task = {"arguments": arguments, "folder": str(folder), "environment": environment, "timeout_s": timeout_s}
        try:
            process.stdin.write(json.dumps({**task, "first": first, "out": out.name, "err": err.name}) + "\n")
            process.stdin.flush()
            code, in_time = json.loads(process.stdout.readline())
        except BaseException:  # whoever comes next must not read what was meant for this command
            _forking.cache_clear()
            _end(process)
            raise
        texts = [Path(each.name).read_text(encoding="utf-8") for each in (out, err)]
    if not in_time:
        raise subprocess.TimeoutExpired(list(arguments), timeout_s, *texts)
    return subprocess.CompletedProcess(list(arguments), code, *texts)


@cache
def _forking(_number: int) -> "subprocess.Popen[str]":
    kept = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    ours = (each.name for each in walk_packages(llmops.__path__, "llmops.") if each.name != "llmops.pytest_plugin")
    command = [sys.executable, "-c", FORKING, *VENDORS, *ours]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=kept, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
    atexit.register(_end, process)
    return process


def _end(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(BrokenPipeError), process:
        pass
