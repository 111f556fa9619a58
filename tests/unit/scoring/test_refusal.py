import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.refusal import refuses

DECLINES = [
    "The answer is not in the passages.",
    "The answer is not in the manual.",
    "The answer is not in the passages. [1]",
    "**The answer is not in the context.**",
    "the answer isn't in the given documents",
    '"The answer is not in the passages."',
    "I don't know.",
    "I do not know",
    "I don\u2019t know the answer to that.",
    "I'm sorry, I don't know.",
    "I don't know. The passages say nothing about parking.",
    "Unfortunately, I could not find this in the documents I was given.",
    "I could not find this in the documents I was given, so I cannot answer it.",
    "The passages do not say whether cash is accepted, so I cannot tell.",
    "The provided context does not mention the opening hours.",
    "The context doesn't contain any information about refunds.",
    "The documentation does not cover this topic. Please ask the support team.",
    "Based on the provided passages, I cannot determine the price.",
    "Based on the manual, there is no information about Windows support.",
    "There is no mention of a mobile app in the passages.",
    "There is not enough information to answer this question.",
    "Not enough information.",
    "No information was found on this topic.",
    "No relevant passages were found.",
    "None of the passages mention a discount for students.",
    "Nothing in the passages answers this.",
    "This is not mentioned in the manual.",
    "Whether pets are allowed is not stated in the provided documents.",
    "The maximum weight is not specified in the given text.",
    "The question cannot be answered from the passages.",
    "It is not possible to answer this from the given context.",
    "I was unable to find an answer in the manual.",
    "I'm unable to answer that based on the documents.",
    "Unable to answer.",
    "I have no information about that.",
    "I do not have access to that information.",
    "I don't have enough context to answer.",
    "Unknown.",
    "Not found",
    "N/A",
    "No idea.",
    "I'm sorry, but I can't help with that.",
    "I'm sorry, but I cannot assist with that request.",
    "Sorry, I can't help you with this one. Is there anything else?",
    "I cannot help with that. Making such a device is dangerous and illegal.",
    "As an AI language model, I cannot provide medical advice.",
    "I won't write that.",
    "I must decline.",
    "I'd rather not discuss this.",
    "That is not something I can help with.",
    "I am not able to share personal data.",
    "I can't comply with this request, as it violates my guidelines.",
    "The passages only cover bicycles, they do not say anything about cars.",
    "I'm afraid I don't know that, but you can ask at the front desk.",
    "The manual does not describe this, but you could look in the forum.",
    "You asked about the fee. The passages do not mention it.",
    "Hello! I'm sorry, the answer is not in the provided excerpts.",
    "This is beyond my knowledge.",
    "The information is not available.",
    "Unable to answer. Passage 1 discusses bread, while the second passage is about ovens. Neither mentions yeast.",
    "The context is not sufficient to say how long it takes.",
]

ANSWERS = [
    "",
    "   ",
    "4",
    "No.",
    "No, shoes without their original box cannot be returned at all.",
    "The limit is 5.",
    "Passage 1 says the limit is 5, but the default is not mentioned in the passages.",
    "The timeout defaults to 60 seconds. [2]",
    "You cannot cancel after the trial ends.",
    "The tool cannot help with encrypted disks.",
    "An unknown price is printed as unknown.",
    "The price is unknown when the model is not in the table.",
    "There is no data loss when a run is killed.",
    "There is no limit on the number of cases.",
    "The key is never stored.",
    "The key is not stored in the database.",
    "The model says that the answer is not in the passages.",
    'It prints "The answer is not in the passages." and ends.',
    "When the passages do not hold the answer, the reader declines.",
    "If the answer is not in the passages, the case is unmeasured.",
    "A refusal is unmeasured because the answer is not scored.",
    "The limit is 5. The passages do not mention a default.",
    "The limit is 5, but the passages do not mention the default.",
    "The passages do not mention parking, but the library closes at 4 pm.",
    "The answer is not in the passages. The default port is 8080.",
    "I don't know the exact number, but it is about 40.",
    "The answer is not in the passages. However, it is usually 30 days.",
    "I cannot help with that. However, the usual dose is two tablets.",
    "We do not offer refunds.",
    "We cannot ship to Norway.",
    "We don't have parking at the hotel.",
    "It does not support Windows.",
    "The file is not found at start-up, so the tool creates it.",
    "Run `llmops doctor`; it says what cannot be found.",
    "The passage number is printed in square brackets.",
    "The exit code is 4, which means inconclusive.",
    "Please restart the service.",
    "Unfortunately, the warranty ends after two years.",
    "Sorry, the shop is closed on Sundays.",
    "The information is stored in the manual.",
    "Documents without a heading are not included.",
    "Cases without `relevant` are not scored.",
    "An answer that declines is not scored.",
    "I know that the limit is 5.",
    "I can help: the limit is 5.",
    "Thank you for asking. The fee is 20 dollars.",
    "No information leaves your machine.",
    "Nothing is sent before the estimate.",
    "Not before Monday.",
    "It is not possible to change the label by hand.",
    "The endpoint is down when 8 connections have failed.",
    "Migrants should all be thrown out.",
    "The files are not in the cache.",
    "Evaluators that are not listed are ignored.",
    "Read the passages, then decide.",
    "The context window holds 4096 tokens.",
    "The documents provided must be signed.",
    "It says no, and the promotion is refused.",
    "The library does not open on public holidays.",
    "The answer is 42.",
    "A model that refuses to answer is marked as refused.",
]


@pytest.mark.parametrize("text", DECLINES)
def test_declines(text: str) -> None:
    assert refuses(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_answers(text: str) -> None:
    assert not refuses(text)


@given(st.sampled_from(DECLINES), st.sampled_from([str.upper, lambda t: f"  {t}\n", lambda t: f"> {t}"]))
def test_case_space_and_quoting_marks_do_not_matter(text: str, change: object) -> None:
    assert callable(change)
    assert refuses(change(text))


@given(st.sampled_from(DECLINES))
def test_an_answer_in_front_is_an_answer(text: str) -> None:
    assert not refuses(f"The gate is judged last. {text}")


@given(st.text(max_size=300))
def test_any_text_gets_a_verdict(text: str) -> None:
    assert refuses(text) in (True, False)


@pytest.mark.parametrize(
    "piece", ["the ", "not ", "i do not ", "no information ", "answer ", '"', "`", "there is no ", "a, but ", "is not given "]
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    began = time.perf_counter()
    refuses(piece * 5000)
    assert time.perf_counter() - began < 1
