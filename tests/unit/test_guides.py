"""The guides, as far as they can be tried without Azure: what they have somebody type is there and is read as meant."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from textwrap import dedent, indent

import pytest

from local.cli import _parser
from shared.billing.findings import FindingKind
from shared.rules.problems import RulesProblem
from shared.rules.reading import read_rules
from shared.web.principal import Role
from tests.unit.templates import ROOT, parameters_file, parsed, text_of
from tests.unit.test_workflows import workflow

GUIDES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
#: These two hand on what follows them.
HANDED_ON = {"test", "sandbox"}
#: What stands around rules of which a guide shows a company's or a profile's part only, by its first word.
AROUND = {
    "links": "companies:\n- company: 250\n  name: Alder Dental\n",
    "licences": (
        "profiles: [{id: sat, name: Security awareness training, product: SAT}]\n"
        "policies: [{source: huntress, sku: sat, profile: sat}]\n"
        "companies:\n- company: 250\n  name: Alder Dental\n"
        "  links: [{source: huntress, customer: 4101}, {source: huntress, customer: 4102}]\n"
    ),
    "price": "profiles:\n- id: storage\n  name: Storage\n  product: BACKUP-S\n  arrears: highest\n",
}
SOME_ID = "58e1b3f4-0c7d-4b62-a9f8-1d25e6c73a0b"


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """Guide and text of every block that is said to be of one of these languages; "" for one that says nothing."""
    for guide in GUIDES:
        told = guide.read_text(encoding="utf-8")
        for _, language, text in re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", told, re.M | re.S):
            if language in languages:
                yield guide.name, dedent(text)


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


def test_all_rules_in_the_guides_are_taken_as_they_stand():
    told = list(blocks("yaml"))

    assert len(told) >= 12
    for guide, text in told:
        around = AROUND.get(text.partition(":")[0])
        try:
            read_rules(text if around is None else around + indent(text, "  "))
        except RulesProblem as problem:
            pytest.fail(f"{guide}: {problem}\n{text}")


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


def test_the_guide_sets_variables_and_secrets_that_the_templates_know():
    guide = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    variables = set(re.findall(r"azd env set (\w+)", guide))
    secrets = set(re.findall(r"secret set .*--name ([\w-]+)", guide))
    outputs = set(parsed("main.bicep")["outputs"])

    required = {"ALERT_EMAIL", "MANAGE_SITE", "MANAGE_COMPANY", "MANAGE_CLIENT_ID", "MICROSOFT_CLIENT_ID"}
    assert required <= variables <= set(parameters_file().values())
    assert secrets == set(re.findall(r"secrets/([\w-]+)\)", text_of("settings.bicep")))
    assert set(re.findall(r"azd env get-value (\w+)", guide)) <= outputs


def test_the_guide_makes_the_roles_that_the_console_knows_each_with_an_id_of_its_own():
    guide = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    made = re.search(r"--app-roles '(\[.*?\])'", guide, re.DOTALL)

    assert made is not None
    roles = json.loads(made[1])
    assert [role["value"] for role in roles] == list(Role)
    assert len({role["id"] for role in roles}) == len(Role)


def test_the_guide_has_each_registration_trust_one_identity_as_entra_takes_it():
    """A wrong word is taken by Entra and fails only when the first token is asked for."""
    guide = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
    written = re.findall(r'federated-credential create --id "\$(\w+)" --parameters "(\{.*?\})"$', guide, re.S | re.M)
    made = {name: json.loads(re.sub(r"\\?\n *", "", text).replace('\\"', '"')) for name, text in written}

    entra = "https://login.microsoftonline.com/$(az account show --query tenantId -o tsv)/v2.0"
    identity = (entra, "$(azd env get-value IDENTITY_PRINCIPAL_ID)")
    github = ("https://token.actions.githubusercontent.com", "repo:$REPOSITORY:environment:production")
    assert {name: (each["issuer"], each["subject"]) for name, each in made.items()} == {
        "CLIENT_ID": identity,
        "CONSOLE": identity,
        "DEPLOYER": github,
    }
    assert all(each["audiences"] == ["api://AzureADTokenExchange"] for each in made.values())
    # The subject is the identity's object id, never its client id; the environment is that of the workflow.
    assert "output IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId" in text_of("main.bicep")
    assert "output principalId string = identity.properties.principalId" in text_of("identity.bicep")
    assert workflow("deploy.yml")["jobs"]["deploy"]["environment"] == "production"


def test_the_operators_guide_says_of_every_finding_what_it_means_and_where_to_begin():
    guide = (ROOT / "docs/operate.md").read_text(encoding="utf-8").split("## Findings")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", guide, re.M)

    assert [kind for kind, _, _ in rows] == [kind.value for kind in FindingKind]


def test_the_operators_guide_has_a_row_for_every_alert():
    guide = (ROOT / "docs/operate.md").read_text(encoding="utf-8").split("## Alerts")[1].split("\n## ")[0]
    titles = re.findall(r"title: 'TrueUp: (.+)'", text_of("alerts.bicep"))

    told = [alert.casefold() for alert in re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", guide, re.M)[1:]]
    assert [alert for alert in told if not alert.startswith("---")] == [title.casefold() for title in titles]


def test_links_of_the_guides_lead_somewhere():
    guides = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
    headings = {
        name: {
            re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.M)
        }
        for name, text in guides.items()
    }
    links = [
        (name, page or name, anchor)
        for name, text in guides.items()
        for page, anchor in re.findall(r"\]\(([\w-]*\.md)?#?([\w-]*)\)", text)
    ]

    assert len(links) > 20
    assert [
        (name, page, anchor)
        for name, page, anchor in links
        if page not in guides or (anchor and anchor not in headings[page])
    ] == []
