"""People's labels: taken from a column or key by key, held against a judge, and used in later reports and the gate."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, environment, llmops, report, write
from guides import blocks, typed
from openai_server import OpenAiServer

LABELLED, UNLABELLED = 60, 100
JUDGE = '{"verdicts": [{"item": 1, "reason": "r", "verdict": "%s"}]}'


@pytest.fixture
def server(server: OpenAiServer) -> OpenAiServer:
    # Passes what is good, and every fourth answer that is bad.
    server.reply = lambda messages: JUDGE % ("no" if "\nbad and seen" in messages[1]["content"] else "yes")
    return server


def answers() -> list[dict[str, Any]]:
    rows = []
    for n in range(LABELLED + UNLABELLED):
        good, seen = n % 2 == 0, n % 8 != 7
        text = "good" if good else "bad and seen" if seen else "bad and missed"
        row = {"id": f"c{n}", "vars": {"question": "Why?"}, "output": f"{text} {n}", "tags": ["even" if n % 4 < 2 else "odd"]}
        if n < LABELLED:
            row["metadata"] = {"human": "yes" if good else "no"}
        rows.append(row)
    return rows


def project(folder: Path, base: str, gate: str = "") -> Path:
    return write(
        folder,
        {
            "llmops.yaml": f"models:\n  a: {{id: openai/a, api_base: {base}, timeout_s: 5}}\n",
            "evals/s.yaml": "dataset: datasets/s.jsonl\nevaluators:\n  - criteria: {judge: a, items: [is good], min: 1}\n"
            + gate,
            "datasets/s.jsonl": "".join(f"{json.dumps(row)}\n" for row in answers()),
        },
    )


def test_a_column_of_labels_corrects_later_reports_and_the_gate(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, "gate:\n  - {metric: criteria.corrected_pass_rate, max: 0.60}\n")
    before = report(llmops(tmp_path, "eval", "--json"))
    assert before["rules"][0]["verdict"] == "not judged"
    assert "llmops judge calibrate" in before["rules"][0]["reason"]
    done = llmops(tmp_path, "judge", "calibrate", "evals/s.yaml", "--column", "human", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["labels"] == LABELLED
    assert (found["sensitivity"]["value"], round(found["specificity"]["value"], 3)) == (1.0, round(23 / 30, 3))
    assert set(found["slices"]) == {"even", "odd"}
    raw, corrected = found["raw"], found["corrected"]
    assert raw["value"] > 0.6
    assert corrected["value"] == pytest.approx(0.5, abs=0.06)
    assert corrected["low"] < 0.5 < corrected["high"]
    asked = server.requests
    after = llmops(tmp_path, "eval", "--json")
    assert server.requests == asked
    metrics = {m["name"]: m for m in report(after)["groups"][0]["evaluators"][0]["metrics"]}
    assert metrics["criteria.corrected_pass_rate"]["value"] == corrected["value"]
    assert report(after)["rules"][0]["verdict"] == "inconclusive"
    assert f"corrected {corrected['value']:.1%}".replace("%", " %") in llmops(tmp_path, "eval").stdout


def test_another_judge_does_not_use_the_labels_of_this_one(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base)
    llmops(tmp_path, "eval")
    llmops(tmp_path, "judge", "calibrate", "evals/s.yaml", "--column", "human")
    suite = tmp_path / "evals" / "s.yaml"
    suite.write_text(suite.read_text().replace("is good", "is fine"))
    stale = llmops(tmp_path, "judge", "calibrate", "evals/s.yaml")
    assert stale.returncode == 2
    assert "another judge, prompt or option" in stale.stderr
    run = report(llmops(tmp_path, "eval", "--json"))
    assert any("calibrations/criteria.json" in note for note in run["notes"])
    assert not any("corrected" in m["name"] for m in run["groups"][0]["evaluators"][0]["metrics"])
    again = llmops(tmp_path, "judge", "calibrate", "evals/s.yaml")
    assert again.returncode == 0, again.stderr
    assert f"{LABELLED} labels" in again.stdout


def test_labels_are_taken_key_by_key(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base)
    llmops(tmp_path, "eval")
    listed = json.loads(llmops(tmp_path, "judge", "next", "evals/s.yaml", "-n", "30", "--json").stdout)
    assert len(listed) == 30
    keys = "".join("y" if each["output"].startswith("good") else "n" for each in listed)
    done = subprocess.run(
        [*COMMAND, "judge", "calibrate", "evals/s.yaml", "--label", "30"],
        cwd=tmp_path,
        env=environment(),
        input=f"x{keys}",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "30 labels taken" in done.stderr
    assert "sensitivity 100.0 %" in done.stdout
    assert "effective numbers: labels that were picked for doubt count by their chance, all 30 say as much as" in done.stdout
    kept = json.loads((tmp_path / "calibrations" / "criteria.json").read_text())
    assert len(kept["labels"]) == 30
    assert not {each["case"] for each in listed} & {
        each["case"] for each in json.loads(llmops(tmp_path, "judge", "next", "evals/s.yaml", "--json").stdout)
    }


def test_a_few_picked_labels_beside_a_column_take_nothing_away(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base)
    llmops(tmp_path, "eval")
    before = json.loads(llmops(tmp_path, "judge", "calibrate", "evals/s.yaml", "--column", "human", "--json").stdout)
    command = [*COMMAND, "judge", "calibrate", "evals/s.yaml", "--label", "2", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), input="yn", capture_output=True, text=True, check=False)
    after = json.loads(done.stdout)
    assert sum(before["verdicts"].values()) == before["labels"] == LABELLED
    assert LABELLED < sum(after["verdicts"].values()) <= after["labels"] == LABELLED + 2
    assert after["corrected"]["value"] == pytest.approx(before["corrected"]["value"], abs=0.05)
    kept = json.loads((tmp_path / "calibrations" / "criteria.json").read_text())["labels"]
    assert sum(label["chance"] is None for label in kept) == LABELLED


def test_too_few_labels_are_kept_and_told(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base)
    assert llmops(tmp_path, "judge", "next", "evals/s.yaml").returncode == 2
    llmops(tmp_path, "eval")
    wrong = llmops(tmp_path, "judge", "calibrate", "evals/s.yaml", "--column", "humn")
    assert wrong.returncode == 2
    assert "humn" in wrong.stderr
    dataset = tmp_path / "datasets/s.jsonl"
    dataset.write_text(dataset.read_text().replace('"yes"', '"mostly"', 2))
    odd = llmops(tmp_path, "judge", "calibrate", "evals/s.yaml", "--column", "human")
    assert odd.returncode == 0, odd.stderr
    assert "2 answers without a label: `human` holds 'mostly'" in odd.stderr
    (tmp_path / "calibrations/criteria.json").unlink()
    few = llmops(tmp_path, "judge", "calibrate", "evals/s.yaml")
    assert few.returncode == 2
    assert "too few" in few.stderr


def test_an_embedded_detector_is_calibrated_alike(tmp_path: Path) -> None:
    texts = [f"You stupid idiot {n}." if n % 3 == 0 else f"Have a nice day {n}." for n in range(45)]
    cases = [
        {"id": f"c{n}", "vars": {}, "output": text, "metadata": {"human": text.startswith("Have")}}
        for n, text in enumerate(texts)
    ]
    write(
        tmp_path,
        {
            "llmops.yaml": "models:\n  a: {id: embedded/reader-small}\n",
            "evals/s.yaml": "dataset: datasets/s.jsonl\nevaluators: [toxicity]\n",
            "datasets/s.jsonl": "".join(f"{json.dumps(row)}\n" for row in cases),
        },
    )
    assert llmops(tmp_path, "eval").returncode == 0
    done = llmops(tmp_path, "judge", "calibrate", "evals/s.yaml", "--column", "human")
    assert done.returncode == 0, done.stderr
    assert "every answer has a label" in done.stdout
    limit = done.stdout.split("limit that the labels suggest: max: ")[1].split()[0]
    write(tmp_path, {"evals/s.yaml": f"dataset: datasets/s.jsonl\nevaluators:\n  - toxicity: {{max: {limit}}}\n"})
    assert llmops(tmp_path, "eval").returncode == 0
    adopted = llmops(tmp_path, "judge", "calibrate", "evals/s.yaml")
    assert "cross-fitted: the limit comes from these labels" in adopted.stdout


def test_the_guide_works_to_the_letter(server: OpenAiServer, tmp_path: Path) -> None:
    verdicts = '{"verdicts": [{"item": 1, "verdict": "%s"}, {"item": 2, "verdict": "yes"}]}'
    server.reply = lambda messages: verdicts % ("yes" if "Track it" in messages[1]["content"] else "no")
    yaml = ""
    for language, text in blocks("write-and-calibrate-a-rubric.md"):
        if language == "yaml" and "llmops.yaml" in text:
            write(tmp_path, {"llmops.yaml": text.replace("http://127.0.0.1:11434/v1", server.base)})
        elif language == "yaml":
            yaml += text
            write(tmp_path, {"evals/support.yaml": yaml})
        elif language == "json":
            case = json.loads(text)
            rows = [case] + [
                {
                    "id": f"t{n}",
                    "vars": case["vars"],
                    "output": f"Track it {n}." if n % 3 else f"Hm {n}.",
                    "metadata": {"human": "yes" if n % 3 else "no"} if n < 80 else {},
                }
                for n in range(300)
            ]
            write(tmp_path, {"datasets/support.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows)})
        else:
            shown = typed(tmp_path, text)
    assert "corrected" in shown
    assert "PASS" in shown
    assert (tmp_path / "calibrations" / "helpful.json").exists()


def test_a_rubric_is_corrected_by_numbers_and_a_guessing_judge_not_at_all(server: OpenAiServer, tmp_path: Path) -> None:
    def level(messages: list[dict[str, str]]) -> str:
        number = int(messages[1]["content"].split("answer number ")[1].split()[0])
        return json.dumps({"level": min(5, 2 + number % 4), "reason": "generous by one"})

    server.reply = level
    labels = {n: {"stars": 1 + n % 4, "coin": n % 3 == 0} for n in range(60)}
    rows = [
        {"id": f"c{n}", "vars": {}, "output": f"answer number {n} .", "metadata": labels[n] if n < 60 else {}}
        for n in range(160)
    ]
    rubric = "  - rubric: {judge: a, min: 4, levels: {1: bad, 2: poor, 3: fair, 4: good, 5: great}}\n"
    write(
        tmp_path,
        {
            "llmops.yaml": f"models:\n  a: {{id: openai/a, api_base: {server.base}, timeout_s: 5}}\n",
            "evals/s.yaml": f"dataset: datasets/s.jsonl\nevaluators:\n{rubric}",
            "datasets/s.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )
    llmops(tmp_path, "eval")
    stars = json.loads(llmops(tmp_path, "judge", "calibrate", "evals/s.yaml", "--column", "stars", "--json").stdout)
    assert stars["verdicts"] is None
    assert stars["corrected"]["value"] == pytest.approx(2.5, abs=0.05)
    metrics = {m["name"]: m for m in report(llmops(tmp_path, "eval", "--json"))["groups"][0]["evaluators"][0]["metrics"]}
    assert (metrics["rubric.mean"]["value"], metrics["rubric.corrected_mean"]["value"]) == (3.5, stars["corrected"]["value"])
    (tmp_path / "calibrations" / "rubric.json").unlink()
    guess = llmops(tmp_path, "judge", "calibrate", "evals/s.yaml", "--column", "coin")
    assert guess.returncode == 0, guess.stderr
    assert "no corrected figure: sensitivity + specificity is" in guess.stdout
    run = report(llmops(tmp_path, "eval", "--json"))
    assert any("rubric (recorded) has no corrected rate: sensitivity" in note for note in run["notes"])
