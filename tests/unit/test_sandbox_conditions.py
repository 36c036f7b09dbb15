"""The condition language of the sandbox's Manage."""

from __future__ import annotations

import pytest

from local.sandbox.manage.conditions import ConditionError, read_conditions
from local.sandbox.manage.fields import ADDITION, AGREEMENT

CLOUD = {
    "id": 501,
    "name": "Cloud *Gold* (50%)",
    "company": {"id": 250, "identifier": "larkhill", "name": 'Larkhill "Dental"'},
    "type": {"id": 7, "name": "Cloud Subscriptions"},
    "startDate": "2026-03-01T00:00:00Z",
    "billAmount": 12.5,
    "prorateFlag": True,
    "agreementStatus": "Active",
    "_info": {"lastUpdated": "2026-06-01T08:30:00Z"},
}


@pytest.mark.parametrize(
    "condition",
    [
        "id = 501",
        "id=501",
        "ID = 501",
        "id != 7",
        "id > 500 and id >= 501 AND id < 502 And id <= 501",
        "billAmount = 12.5",
        "company/id = 250",
        'Company/Identifier = "LARKHILL"',
        'type/name = "cloud subscriptions"',
        'company/name = "Larkhill \\"Dental\\""',
        "company/name = 'Larkhill \"Dental\"'",
        "prorateFlag = true",
        "prorateFlag = TRUE",
        "cancelledFlag = False",
        "startDate = [2026-03-01]",
        "startDate > [2026-02-28]",
        "startDate >= [2026-03-01T00:00:00Z]",
        "lastUpdated > [2026-06-01T08:00:00Z]",
        "LastUpdated <= [2026-06-01T10:30:00+02:00]",
        "endDate = null",
        "parentAgreement/id = null",
        "parentAgreement = null",
        "startDate != NULL",
        'name contains "gold"',
        'name not contains "silver"',
        'name like "Cloud%"',
        'name like "cloud*"',
        'name LIKE "%gold%"',
        'name not like "%silver%"',
        "id in (1, 501)",
        "id in (501)",
        "id not in (1,2)",
        'agreementStatus in ("Active","Expired")',
        "(id = 1 or id = 501) and company/id = 250",
        "id = 501 or id = 1 and company/id = 9",
        "((id = 501))",
    ],
)
def test_a_record_that_satisfies_the_condition_matches(condition):
    assert read_conditions(condition, AGREEMENT).matches(CLOUD)


@pytest.mark.parametrize(
    "condition",
    [
        "id = 502",
        "id != 501",
        "id < 501",
        "company/id = 25",
        "prorateFlag = false",
        "cancelledFlag = true",
        "startDate < [2026-03-01]",
        "startDate = null",
        "endDate != null",
        "lastUpdated > [2026-06-01T08:30:00Z]",
        'name contains "silver"',
        'name not contains "gold"',
        'name like "gold"',
        'name like "Cloud"',
        'name like "Cloud.*"',
        'name not like "*gold*"',
        "id in (1,2)",
        "id not in (501)",
        "(id = 501 or id = 1) and company/id = 9",
    ],
)
def test_a_record_that_does_not_satisfy_the_condition_does_not_match(condition):
    assert not read_conditions(condition, AGREEMENT).matches(CLOUD)


@pytest.mark.parametrize(
    "condition",
    [
        "endDate < [2030-01-01]",
        "limit != 5",
        'customerPO not contains "x"',
        'customerPO not like "x%"',
        "limit not in (1)",
    ],
)
def test_comparing_an_unset_field_is_false_like_in_sql(condition):
    assert not read_conditions(condition, AGREEMENT).matches(CLOUD)


@pytest.mark.parametrize("unset", [{}, {"cancelledDate": None}, {"cancelledDate": ""}])
def test_absent_null_and_empty_all_count_as_unset(unset):
    assert read_conditions("cancelledDate = null", ADDITION).matches({"id": 1, **unset})


@pytest.mark.parametrize(
    "condition",
    ["invoiceDate > [2026-01-01]", "company/nickname = 1", "customFields = null", 'name = "x" and board/name = "y"'],
)
def test_an_unknown_name_is_not_recognized(condition):
    with pytest.raises(ConditionError, match="is not a recognized name"):
        read_conditions(condition, AGREEMENT)


def test_the_refusal_names_the_unknown_field():
    with pytest.raises(ConditionError, match=r"^board/name is not a recognized name\.$"):
        read_conditions('board/name = "x"', AGREEMENT)


@pytest.mark.parametrize(
    "condition",
    [
        "id",
        "id =",
        "id = 1 and",
        "id = 1 id = 2",
        "(id = 1",
        "id = 1)",
        "id in 1",
        "id in ()",
        "id in (1",
        "id not = 1",
        "not (id = 1)",
        "id ~ 1",
        "id = ; 1",
        'name = "unfinished',
        'id = "1"',
        "name = 5",
        "startDate = 2026",
        "startDate = [soon]",
        "prorateFlag = yes",
        "prorateFlag = 1",
        "company = 250",
        'id contains "5"',
        "id < null",
        "= 5",
    ],
)
def test_what_cannot_be_read_is_refused(condition):
    with pytest.raises(ConditionError):
        read_conditions(condition, AGREEMENT)


@pytest.mark.parametrize(
    ("condition", "company"),
    [
        ("company/id = 250", 250),
        ("cancelledFlag = false and company/id = 250", 250),
        ("(company/id = 250 and id > 3) and prorateFlag = true", 250),
        ("company/id = 250 and id = 1 or company/id = 250 and id = 2", 250),
        ("company/id = 250 or company/id = 251", None),
        ("company/id = 250 or id = 3", None),
        ("company/id != 250", None),
        ("company/id > 250", None),
        ("id = 250", None),
    ],
)
def test_the_one_company_that_a_condition_allows_is_known(condition, company):
    assert read_conditions(condition, AGREEMENT).pinned(("company", "id")) == company
