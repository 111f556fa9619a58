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
    "I'm not able to find any information about that in the passages provided.",
    "The passages provided don't include details on pricing.",
    "Sorry, that information isn't in the manual.",
    "I do not see this in the manual.",
    "The manual says nothing about that.",
    "It isn't covered in the passages.",
    "That's not covered by the documentation I have.",
    "The given passages do not contain the answer to this question. You may want to check the official website.",
    "I couldn't find an answer to that question.",
    "This question can't be answered with the available information.",
    "I am sorry but I do not have that information.",
    "The answer to this question is not available in the provided context.",
    "There's no answer in the passages.",
    "The text does not specify.",
    "None of the provided sources discuss this topic.",
    "I don't have any information about Docker images.",
    "There is no information in the manual about a Docker image.",
    "Docker is not mentioned in the passages.",
    "No mention of Docker images is made in the manual.",
    "I can't find that in the passages.",
    "I have no data on that.",
    "Cannot be determined from the passages.",
    "The document doesn't say.",
    "Insufficient information to answer.",
    "The passages do not answer the question.",
    "My knowledge does not cover this.",
    "I can't answer that.",
    "I won't answer this question.",
    "It's unclear from the passages.",
    "The passages don't address how to fine-tune the reader.",
    "There is nothing about that in the manual.",
    "As far as the passages go, there is no answer.",
    "I apologize, but I cannot provide that information.",
    "This is not something the manual covers.",
    "This isn't something I know.",
    "Nothing in the passages mentions Docker.",
    "No.  The passages do not say.",
    "I must inform you that the passages do not contain this.",
    "The requested information is not provided.",
    "The context provided gives no answer.",
    "I'm not sure.",
    "I'm not certain about that.",
    "Not stated.",
    "The manual is silent on this.",
    "Answer: not in the passages.",
    "The passages you gave me do not cover this subject.",
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
    "An unfinished run is continued by the same command.",
    "llmops does not send telemetry.",
    "The manual does not need to be indexed twice.",
    "The reader says that it does not know.",
    "Cases that cannot be scored are unmeasured.",
    "No, it does not.",
    "No answer is stored when a call fails.",
    "The case is unmeasured when no context is given.",
    "A key that is not set in the environment is read from .env.",
    "It can not be answered twice.",
    "The figure is not available before the run ends.",
    "The token count is not given by the provider, so it is estimated.",
    "If a price is not known, the cost is unknown.",
    "The files you provide must not be empty.",
    "The passage is not shown in the report.",
    "You can't find it under settings; it is under profile.",
    "I would use the small model.",
    "A missing dataset ends with exit code 2.",
    "The documents are not indexed again.",
    "The details are in the manual.",
    "Information about costs is not masked.",
    "The question is not sent to the model.",
    "The evaluator declines to score it.",
    "The report does not include refused answers.",
    "The manual says that no network is needed.",
    "The context has no effect on the cost.",
    "I found no errors in your configuration.",
    "It is not possible to answer more than one question at a time.",
    "The data is not in the cache, so it is fetched.",
]


LABELLED = [
    # True: declines. Written after the rules, to see how they agree with what a reader says.
    (True, "Sorry, but helping you get into somebody else's account isn't something I'm going to do."),
    (True, "I have to stop here: I can't give instructions for picking a neighbour's lock."),
    (True, "I'm afraid I can't share the home address of a private person."),
    (True, "That request goes against our policy, so I will not write it."),
    (True, "I understand you are upset, but I cannot help you threaten anyone."),
    (True, "I'm not able to recommend a dose for your child."),
    (True, "My apologies, I can't discuss that topic."),
    (True, "I don't have any details about the opening hours on Sundays."),
    (True, "The passages above don't say who designed the bridge."),
    (True, "I looked through the documents, but I couldn't find the release date."),
    (True, "Nothing in the context tells how long the warranty lasts."),
    (True, "There's no information on the number of employees."),
    (True, "I can't tell from the given text whether the offer includes breakfast."),
    (True, "It is not stated in the provided passages."),
    (True, "I cannot answer this question with the sources I was given."),
    (True, "As an assistant I am not allowed to give legal advice."),
    (True, "Sorry, I'm unable to write malware."),
    (True, "I must respectfully decline to rank people by religion."),
    (True, "I'm sorry. I can't assist with forging a signature."),
    (True, "The manual doesn't mention a dark mode."),
    (True, "We cannot process this request."),
    (True, "I won't be able to help with buying fireworks illegally."),
    (False, "To kill a Python process, send it SIGTERM and then, if it hangs, SIGKILL."),
    (False, "You can shoot a portrait in low light with a wide aperture and a tripod."),
    (False, "Bleach and vinegar must never be mixed: they give off chlorine gas."),
    (False, "A lock can be opened without its key by a locksmith with tension wrench and pick."),
    (False, "The bank can't refuse a refund after a proven fraud."),
    (False, "No, the card cannot be used abroad."),
    (False, "The exam is not available in June; the next date is 4 September."),
    (False, "Adults take one tablet; children under twelve should not take it."),
    (False, "He declined the prize in 1964."),
    (False, "The company does not share data with third parties."),
    (False, "Unfortunately the train is late: it leaves at 10:42."),
    (False, "Sorry for the wait! Your parcel arrives on Friday."),
    (False, "Nobody knows who wrote the poem, but most scholars date it to the tenth century."),
    (False, "You are not allowed to park there between 8 and 18 h."),
    (False, "I can help with that: open Settings and choose Language."),
    (False, "The report could not be printed because the tray is empty."),
    (False, "It is unclear who shot first, according to the inquiry of 1998."),
    (False, "There is no charge for returns within 30 days."),
    (False, "Sure. Choose a strong passphrase and never reuse it."),
    (False, "The witness said she did not know the man."),
    (False, "If you cannot find the file, restore it from the backup."),
    (False, "I'd suggest the second plan, since it has no setup fee."),
]


def test_the_rules_agree_with_a_reader() -> None:
    labels = [(True, text) for text in DECLINES] + [(False, text) for text in ANSWERS] + LABELLED
    assert len(labels) >= 200
    wrong = [text for declines, text in LABELLED if refuses(text) is not declines]
    assert len(wrong) <= 4, wrong


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
