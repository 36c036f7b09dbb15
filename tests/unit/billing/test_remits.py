"""Which companies a person sees and decides about."""

from __future__ import annotations

from shared.billing.rules import EVERYTHING, Remit, Rules

PAT = Remit("Pat@birchline.example", only=(250, 251))
SAM = Remit("sam@birchline.example", without=(250,))


def test_a_person_is_found_whatever_the_case_of_the_name_and_who_is_not_named_sees_everything():
    rules = Rules(1, people=(PAT, SAM))
    assert rules.remit_of(" pat@BIRCHLINE.example") == PAT
    assert rules.remit_of("kim@birchline.example") == EVERYTHING


def test_a_remit_is_these_companies_or_all_without_these():
    assert [company for company in (249, 250, 251) if PAT.covers(company)] == [250, 251]
    assert [company for company in (249, 250, 251) if SAM.covers(company)] == [249, 251]
    assert EVERYTHING.covers(1)


def test_who_sees_every_company_is_not_limited():
    assert (PAT.is_limited, SAM.is_limited, EVERYTHING.is_limited) == (True, True, False)
