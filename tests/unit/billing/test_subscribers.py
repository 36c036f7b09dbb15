"""Who is told of what."""

from __future__ import annotations

from shared.billing.subscribers import Channel, Subscriber

EVERYTHING = Subscriber("clerk", Channel.MAIL, ("clerk@birchline.example",))


def test_who_names_nothing_is_told_everything():
    assert EVERYTHING.wants("unmapped")
    assert EVERYTHING.is_told_of(250)
    assert EVERYTHING.is_told_of(None)


def test_who_names_companies_is_told_of_these_and_not_of_the_msp_itself():
    some = Subscriber("clerk", Channel.MAIL, ("clerk@birchline.example",), about=("unmapped",), companies=(250,))

    assert (some.wants("unmapped"), some.wants("drift")) == (True, False)
    assert [some.is_told_of(company) for company in (250, 251, None)] == [True, False, False]


def test_who_names_owners_is_told_of_theirs_beside_the_named_ones_and_of_nobodys_where_they_have_none():
    owners = Subscriber("lead", Channel.MAIL, ("lead@birchline.example",), companies=(250,), owners=("North",))
    assert owners.with_owned([252, 250]).companies == (250, 252)

    theirs = Subscriber("lead", Channel.MAIL, ("lead@birchline.example",), owners=("North",)).with_owned([])
    assert [theirs.is_told_of(company) for company in (250, None)] == [False, False]
