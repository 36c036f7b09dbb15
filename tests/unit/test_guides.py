"""The guides, as far as they can be tried without Azure: what they have somebody type is there and is read as meant."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cli import _parser
from tests.unit.test_infra import parameters_file

ROOT = Path(__file__).parents[2]
GUIDES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
#: These two hand on what follows them.
HANDED_ON = {"test", "sandbox"}
SOME_ID = "58e1b3f4-0c7d-4b62-a9f8-1d25e6c73a0b"


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """Guide and text of every block that is said to be of one of these languages; "" for one that says nothing."""
    for guide in GUIDES:
        for language, text in re.findall(r"^```(\w*)\n(.*?)^```$", guide.read_text(encoding="utf-8"), re.M | re.S):
            if language in languages:
                yield guide.name, text


def commands() -> Iterator[tuple[str, list[str]]]:
    """Guide and arguments of every `dev.py` that stands in a line of a block, as a shell would pass them on."""
    for guide, block in blocks("", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.search(r"python3? dev\.py (.*)", line):
                told = re.sub(r'"?\$\w+"?', SOME_ID, found[1].partition(" > ")[0])
                yield guide, shlex.split(told, comments=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash on this machine")
def test_bash_can_read_every_block_that_is_to_be_typed_into_it():
    whole = "\n".join(text for _, text in blocks("bash"))
    read = subprocess.run(["bash", "-n"], input=whole, text=True, capture_output=True, timeout=60, check=False)

    assert len(whole.splitlines()) > 100
    assert (read.returncode, read.stderr) == (0, "")


def test_every_command_of_dev_py_in_a_block_is_taken_as_it_stands():
    tried = [(guide, told) for guide, told in commands() if told[0] not in HANDED_ON]

    assert len(tried) >= 10
    for guide, told in tried:
        try:
            _parser().parse_args(told)
        except SystemExit:
            pytest.fail(f"{guide}: dev.py {shlex.join(told)} is not taken")


def test_every_command_of_dev_py_that_is_named_is_there():
    (known,) = (action.choices for action in _parser()._actions if action.choices)
    named = {
        (guide.name, command)
        for guide in [*GUIDES, ROOT / "CHANGELOG.md"]
        for command in re.findall(r"dev\.py (\w+)", guide.read_text(encoding="utf-8"))
    }

    assert {(guide, command) for guide, command in named if command not in known} == set()
    assert {command for _, command in named} == set(known)


def test_every_variable_that_azd_is_to_be_given_is_one_that_the_templates_take():
    given = {name for guide in GUIDES for name in re.findall(r"azd env set (\w+)", guide.read_text(encoding="utf-8"))}

    assert len(given) > 20
    assert given - set(parameters_file().values()) == set()
