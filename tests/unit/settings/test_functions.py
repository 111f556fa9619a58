import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.domain.errors import UsageError
from llmops.settings.functions import find_function


@pytest.fixture(autouse=True)
def _python(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules and places of modules that a test adds are gone after it."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


APP = {
    "shop/__init__.py": "",
    "shop/bot.py": "from .words import GREETING\nfrom shop import prices\n\ndef answer(x):\n"
    "    return GREETING + prices.of(x)\n",
    "shop/words.py": "GREETING = 'Hello '\n",
    "shop/prices.py": "def of(x):\n    import unit\n    return x + unit.NAME\n",
    "shop/other.py": "",
    "unit.py": "NAME = ' EUR'\n",
}


def test_a_file_of_a_package_is_imported_as_python_would(tmp_path: Path) -> None:
    write(tmp_path, APP)
    assert find_function("shop/bot.py:answer", tmp_path).load()("5") == "Hello 5 EUR"
    assert "shop.bot" in sys.modules


def test_a_file_of_no_package_finds_its_neighbours_and_the_root(tmp_path: Path) -> None:
    write(tmp_path, {"evals/style.py": "import near, far\ndef f():\n    return near.A + far.B\n", "evals/near.py": "A = 1\n"})
    write(tmp_path, {"far.py": "B = 2\n"})
    assert find_function("evals/style.py:f", tmp_path).load()() == 3
    assert "style" not in sys.modules


@pytest.mark.parametrize("file", ["shop/bot.py", "shop/words.py", "shop/prices.py", "shop/__init__.py", "unit.py"])
def test_the_hash_changes_with_each_own_module_that_it_imports(tmp_path: Path, file: str) -> None:
    write(tmp_path, APP)
    before = find_function("shop/bot.py:answer", tmp_path).code_hash()
    write(tmp_path, {"shop/other.py": "changed = True\n"})
    assert find_function("shop/bot.py:answer", tmp_path).code_hash() == before
    write(tmp_path, {file: APP[file] + "# another\n"})
    assert find_function("shop/bot.py:answer", tmp_path).code_hash() != before


def test_the_hash_changes_with_the_packages_that_hold_the_file(tmp_path: Path) -> None:
    write(tmp_path, {"a/__init__.py": "", "a/b/__init__.py": "", "a/b/bot.py": "def answer(x):\n    return x\n"})
    before = find_function("a/b/bot.py:answer", tmp_path).code_hash()
    write(tmp_path, {"a/__init__.py": "import c\n", "c.py": "import os\nos.environ['TOP'] = '1'\n"})
    after = find_function("a/b/bot.py:answer", tmp_path).code_hash()
    write(tmp_path, {"c.py": "import os\nos.environ['TOP'] = '2'\n"})
    assert len({before, after, find_function("a/b/bot.py:answer", tmp_path).code_hash()}) == 3


def test_the_hash_is_the_same_in_another_folder_and_knows_no_installed_module(tmp_path: Path) -> None:
    files = {"a.py": "import json, pydantic, missing\nfrom b import *\ndef f(): pass\n", "b.py": "import a\n"}
    write(tmp_path / "one", files)
    write(tmp_path / "two", files)
    first = find_function("a.py:f", tmp_path / "one").code_hash()
    sys.path.remove(str(tmp_path / "one"))
    assert find_function("a.py:f", tmp_path / "two").code_hash() == first


def test_code_that_changed_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path, APP)
    assert find_function("shop/bot.py:answer", tmp_path).load()("5") == "Hello 5 EUR"
    write(tmp_path, {"unit.py": "NAME = ' dollars'\n"})
    assert find_function("shop/bot.py:answer", tmp_path).load()("5") == "Hello 5 dollars"


@pytest.mark.filterwarnings("ignore:can't resolve package:ImportWarning")
@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("import nowhere_at_all\ndef f(): pass\n", "ModuleNotFoundError: No module named 'nowhere_at_all'.", "Install it"),
        ("from .near import f\n", "ImportError: attempted relative import with no known parent package.", "`__init__.py`"),
        ("raise SystemExit(3)\ndef f(): pass\n", "SystemExit: 3.", ""),
        ("f = 3\n", "'f' in 'a.py' is not a function.", ""),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, text: str, told: str, hint: str) -> None:
    write(tmp_path, {"a.py": text})
    with pytest.raises(UsageError) as raised:
        find_function("a.py:f", tmp_path).load()
    assert told in raised.value.message
    assert hint in (raised.value.hint or "")


def test_another_module_of_the_same_name_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"json/__init__.py": "", "json/tool.py": "def f(): pass\n"})
    with pytest.raises(UsageError, match="another module has its name, `json.tool`"):
        find_function("json/tool.py:f", tmp_path).load()
