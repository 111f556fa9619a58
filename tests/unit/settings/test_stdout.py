import asyncio
import sys
from threading import Thread

import pytest

from llmops.settings.stdout import Diverted, as_user


async def asked(text: str) -> None:
    with as_user():
        await asyncio.sleep(0)
        sys.stdout.write(text)


def in_thread(text: str) -> None:
    thread = Thread(target=lambda: sys.stdout.write(text))
    thread.start()
    thread.join()


async def at_once() -> None:
    await asyncio.gather(asked("one "), asked("two "))
    sys.stdout.write("a document")


def test_what_the_users_code_prints_is_no_part_of_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(at_once())
    with as_user():
        in_thread("three ")
    captured = capsys.readouterr()
    assert captured.out == "a document"
    assert captured.err == "one two three "


def test_the_stdout_of_another_program_is_its_own_again(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    asyncio.run(at_once())
    assert sys.stdout is before
    in_thread(", and more")
    assert capsys.readouterr().out == "a document, and more"


def test_of_a_command_every_other_thread_is_the_users(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Diverted(sys.stdout))
    asyncio.run(at_once())
    in_thread("late")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a document", "one two late")
