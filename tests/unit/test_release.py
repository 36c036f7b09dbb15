"""dev.py release: only the version that code and changelog agree on becomes one."""

from __future__ import annotations

import pytest

from local import cli
from local.package.release import notes
from shared.errors import Refused

CHANGELOG = """# What each version brought

Words about versions.

## 0.3.0

* Something new.

## 0.2.0

* Something old.
"""


def test_the_notes_are_what_the_newest_version_brings_and_nothing_of_older_ones():
    assert notes("v0.3.0", "0.3.0", CHANGELOG) == "* Something new."


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "told"),
    [
        ("v0.2.0", "0.3.0", CHANGELOG, "the tag is v0.2.0"),
        ("0.3.0", "0.3.0", CHANGELOG, "the tag is 0.3.0"),
        ("v0.4.0", "0.4.0", CHANGELOG, "CHANGELOG.md begins with '0.3.0'"),
        ("v0.3.0", "0.3.0", CHANGELOG.replace("0.3.0", "Not released yet"), "begins with 'Not released yet'"),
        ("v0.3.0", "0.3.0", "## 0.3.0\n\n", "says nothing of 0.3.0"),
        ("v0.3.0", "0.3.0", "", "begins with ''"),
    ],
)
def test_a_tag_that_is_not_the_version_of_code_and_changelog_becomes_no_release(tag, version, changelog, told):
    with pytest.raises(Refused) as refused:
        notes(tag, version, changelog)

    assert told in refused.value.message


def test_the_command_refuses_a_tag_of_another_version_with_what_to_do(capsys):
    assert cli.main(["release", "v99.0.0"]) == 1
    assert "tag v" in capsys.readouterr().err
