from pathlib import Path

from command_line import llmops, report, write

FILES = {
    "llmops.yaml": "models:\n  small: {id: embedded/reader-small}\n",
    "evals/words.yaml": "dataset: datasets/words.jsonl\nevaluators:\n  - python: evals/own.py:judge\n",
    "evals/own.py": "from lengths import most\nprint('loading')\ndef judge(answer):\n    print('judging')\n"
    "    return len(answer['output']) <= most()\n",
    "lengths.py": "def most():\n    return 3\n",
    "datasets/words.jsonl": '{"id": "a", "output": "one"}\n{"id": "b", "output": "three"}\n',
}


def test_what_an_evaluator_prints_does_not_break_the_document(tmp_path: Path) -> None:
    done = llmops(write(tmp_path, FILES), "eval", "--json")
    assert report(done)["counts"]["scored"] == 2
    assert done.stderr.count("loading") == 1
    assert done.stderr.count("judging") == 2


def test_a_change_of_a_module_that_it_imports_evaluates_again(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert passed(tmp_path) == [True, False]
    write(tmp_path, {"lengths.py": "def most():\n    return 30\n"})
    assert passed(tmp_path) == [True, True]


def passed(root: Path) -> list[bool]:
    done = llmops(root, "eval", "--json")
    return [result["evaluations"]["python"]["passed"] for result in report(done)["results"]]
