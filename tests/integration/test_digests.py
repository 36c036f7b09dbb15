"""The month of digests in the docs is what a clerk of the made-up MSP is told."""

from __future__ import annotations

from tests.integration.month import PAGE, a_month, in_words


def test_the_month_of_digests_in_the_docs_is_what_the_program_tells() -> None:
    """`python -m tests.integration.month` writes the page and its picture anew when this fails on purpose."""
    assert in_words(a_month()) == PAGE.read_text(encoding="utf-8")
