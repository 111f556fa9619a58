"""`backend: local:MODEL` with tiny random models of the published architectures, against what the model itself says."""

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import llmops, llmops_here, report, write
from tiny_classifiers import NLI, write_hhem, write_marker, write_nli, write_text_classifier

from llmops.adapters.local_detectors import LocalDetector
from llmops.domain.errors import LlmopsError, UsageError
from llmops.domain.scores import Detection, DetectionRequest

PASSAGES = ("The boat leaves at nine. Tickets cost twelve euros.", "Dogs are welcome on the upper deck.")
ANSWER = "The boat leaves at noon. Dogs may not come."


def detected(kind: str, folder: Path, output: str = ANSWER, labels: dict[str, str] | None = None) -> Detection:
    request = DetectionRequest(output, PASSAGES, ("hours.md", "dogs.md"), "when does it leave?")
    return LocalDetector(kind, str(folder), labels or {}).detect([request])[0]


def probabilities(folder: Path, *texts: str) -> list[float]:
    """What transformers says of one text or pair."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return list(torch.softmax(model(**tokenizer(*texts, return_tensors="pt")).logits[0], -1).tolist())


def test_an_nli_model_holds_each_sentence_against_each_passage(tmp_path: Path) -> None:
    found = detected("hallucination", write_nli(tmp_path))
    sentences = ["The boat leaves at noon.", "Dogs may not come."]
    faults = {s: [1 - probabilities(tmp_path, passage, s)[1] for passage in PASSAGES] for s in sentences}
    assert found.value == pytest.approx(max(min(each) for each in faults.values()), abs=1e-4)
    for span in found.spans:
        sentence = ANSWER[span.start : span.end]
        nearest = min(range(2), key=lambda n: faults[sentence][n])
        against, _, neutral = probabilities(tmp_path, PASSAGES[nearest], sentence)
        assert (span.evidence, span.source) == (PASSAGES[nearest], ("hours.md", "dogs.md")[nearest])
        assert span.kind == ("contradicted" if against > neutral else "not found")
    assert len(found.spans) == sum(min(each) >= 0.5 for each in faults.values())


def test_declared_labels_replace_names_that_tell_nothing(tmp_path: Path) -> None:
    bare = write_nli(tmp_path / "bare", {n: f"LABEL_{n}" for n in range(3)})
    named = write_nli(tmp_path / "named")
    labels = {"LABEL_0": "contradicted", "LABEL_1": "supported", "LABEL_2": "not found"}
    assert detected("hallucination", bare, labels=labels).value == detected("hallucination", named).value
    swapped = {"LABEL_0": "supported", "LABEL_1": "contradicted", "LABEL_2": "not found"}
    assert detected("hallucination", bare, labels=swapped).value != detected("hallucination", named).value
    known = write_nli(tmp_path / "nli-deberta-v3-small", {n: f"LABEL_{n}" for n in range(3)})
    assert detected("hallucination", known).value == detected("hallucination", named).value
    with pytest.raises(UsageError, match="what its label 'LABEL_0' means"):
        detected("hallucination", bare)
    with pytest.raises(UsageError, match="has no label 'LABEL_7'"):
        detected("hallucination", named, labels={"LABEL_7": "supported"})


def test_a_model_with_one_label_gives_the_probability_of_support(tmp_path: Path) -> None:
    found = detected(
        "hallucination", write_nli(tmp_path / "hallucination_evaluation_model", {0: "LABEL_0"}), "the boat leaves."
    )
    assert 0 < found.value < 1


def test_a_token_classifier_marks_tokens_whatever_the_length_of_the_passages(tmp_path: Path) -> None:
    folder = write_marker(tmp_path / "lettucedect-tiny")
    found = detected("hallucination", folder)
    assert 0 <= found.value <= 1
    assert all(0 <= span.start < span.end <= len(ANSWER) for span in found.spans)
    assert bool(found.spans) == (found.value > 0.5)
    long = DetectionRequest(ANSWER, tuple(f"{PASSAGES[0]} {n}" for n in range(200)))
    (of_long,) = LocalDetector("hallucination", str(folder), {}).detect([long])
    assert 0 <= of_long.value <= 1
    assert all(0 <= span.start < span.end <= len(ANSWER) for span in of_long.spans)
    assert bool(of_long.spans) == (of_long.value > 0.5)


def test_hhem_is_read_without_running_its_code(tmp_path: Path) -> None:
    import torch
    import transformers
    from safetensors.torch import load_file

    folder = write_hhem(tmp_path)
    found = detected("hallucination", folder, "the boat leaves.")
    model = transformers.T5ForTokenClassification(transformers.T5Config.from_pretrained(folder / "foundation"))
    model.load_state_dict({key[3:]: value for key, value in load_file(folder / "model.safetensors").items()})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "foundation")
    prompt = "<pad> Determine if the hypothesis is true given the premise?\n\nPremise: {}\n\nHypothesis: the boat leaves."
    support = []
    for passage in PASSAGES:
        with torch.inference_mode():
            logits = model.eval()(**tokenizer(prompt.format(passage), return_tensors="pt")).logits[0, 0]
        support.append(float(torch.softmax(logits, -1)[1]))
    assert found.value == pytest.approx(1 - max(support), abs=1e-4)


def test_a_text_classifier_gives_toxicity_and_its_categories(tmp_path: Path) -> None:
    two = write_text_classifier(tmp_path / "two", {0: "neutral", 1: "toxic"})
    assert detected("toxicity", two).value == pytest.approx(probabilities(two, ANSWER)[1], abs=1e-4)
    many = write_text_classifier(
        tmp_path / "many", {0: "toxic", 1: "insult", 2: "identity_hate"}, problem_type="multi_label_classification"
    )
    found = detected("toxicity", many)
    assert set(found.parts) == {"harassment", "hate"}
    assert found.value >= max(found.parts.values())
    long = detected("toxicity", two, f"{ANSWER} " * 50)
    assert 0 <= long.value <= 1
    assert all(span.end <= len(ANSWER) * 51 for span in long.spans)


@pytest.mark.parametrize("text", ["", "   ", "\ud800", "\x00\x1b[31m", "a" * 100_000])
def test_hostile_text_gets_a_probability(tmp_path: Path, text: str) -> None:
    assert 0 <= detected("toxicity", write_text_classifier(tmp_path / "t", {0: "neutral", 1: "toxic"}), text).value <= 1
    assert 0 <= detected("hallucination", write_nli(tmp_path / "n"), text).value <= 1


def test_pickled_weights_and_other_models_are_refused(tmp_path: Path) -> None:
    import torch

    pickled = write_nli(tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(LlmopsError, match="cannot be loaded"):
        detected("hallucination", pickled)
    other = write_nli(tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))
    with pytest.raises(UsageError, match="no classifier but 'BertModel'"):
        detected("hallucination", other)
    with pytest.raises(UsageError, match="no such folder"):
        detected("hallucination", tmp_path / "nothing")


def test_a_suite_and_a_log_name_a_folder_of_the_project(tmp_path: Path) -> None:
    write_nli(tmp_path / "models" / "nli", {**NLI, 1: "fits"})
    suite = (
        "dataset: d.jsonl\nevaluators:\n  - hallucination: {backend: 'local:models/nli', labels: {fits: supported}, max: 1}\n"
    )
    row: dict[str, Any] = {"id": "c", "vars": {}, "output": "The boat leaves at noon.", "contexts": list(PASSAGES)}
    write(
        tmp_path,
        {
            "llmops.yaml": "models:\n  small: {id: embedded/reader-small}\n",
            "evals/s.yaml": suite,
            "d.jsonl": f"{json.dumps(row)}\n",
        },
    )
    done = llmops_here(tmp_path, "eval", "--json")
    assert done.returncode == 0, done.stderr
    value = report(done)["results"][0]["evaluations"]["hallucination"]["value"]
    expected = [1 - probabilities(tmp_path / "models" / "nli", passage, row["output"])[1] for passage in PASSAGES]
    assert value == pytest.approx(min(expected), abs=1e-4)
    write_nli(tmp_path / "plain")
    scored = llmops_here(tmp_path, "score", "d.jsonl", "--evaluator", "hallucination:local:plain", "--out", "out.jsonl")
    assert scored.returncode == 0, scored.stderr
    line = json.loads((tmp_path / "out.jsonl").read_text())
    assert line["scores"]["hallucination"]["value"] == pytest.approx(value, abs=1e-4)


def test_a_wrong_backend_and_labels_without_a_model_are_refused(tmp_path: Path) -> None:
    def refused(evaluator: str) -> str:
        files = {
            "llmops.yaml": "models:\n  small: {id: embedded/reader-small}\n",
            "evals/s.yaml": f"dataset: d.jsonl\nevaluators:\n  - {evaluator}\n",
            "d.jsonl": f"{json.dumps({'id': 'c', 'vars': {}, 'output': 'x'})}\n",
        }
        done = llmops(write(tmp_path, files), "eval")
        assert done.returncode == 2
        return done.stderr

    assert "`local:MODEL`" in refused("toxicity: {backend: remote}")
    assert "only a local model has labels" in refused("toxicity: {labels: {A: toxic}}")
    assert "evals/s.yaml:3" in refused("hallucination: {backend: 'local:models/none', labels: {A: nonsense}}")
