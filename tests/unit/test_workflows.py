"""What runs on GitHub: tests, audit, deployment and release, and what each of them may do there."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

import pytest
from croniter import croniter
from ruamel.yaml import YAML

from local.cli import _parser
from tests.unit.templates import ROOT

#: Each workflow: what starts it, and what each job may do there beyond nothing.
WORKFLOWS = {
    "tests.yml": ({"push", "pull_request", "workflow_call"}, {"tests": {"contents": "read"}}),
    "audit.yml": ({"push", "pull_request", "schedule"}, {"audit": {"contents": "read"}}),
    "deploy.yml": (
        {"workflow_dispatch"},
        {"tests": {"contents": "read"}, "deploy": {"contents": "read", "id-token": "write"}},
    ),
    "release.yml": ({"push"}, {"tests": {"contents": "read"}, "release": {"contents": "write"}}),
}


def workflow(name: str) -> dict[str, Any]:
    return YAML(typ="safe").load((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))


def steps_of(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job.get("steps", ())]


def test_every_workflow_is_held_to_these_rules():
    assert {path.name for path in (ROOT / ".github/workflows").iterdir()} == set(WORKFLOWS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_do_what_it_needs_and_nothing_else(name):
    starts, rights = WORKFLOWS[name]
    made = workflow(name)

    assert set(made["on"]) == starts
    assert {job: each.get("permissions", made["permissions"]) for job, each in made["jobs"].items()} == rights
    assert all(job["timeout-minutes"] <= 60 for job in made["jobs"].values() if "uses" not in job)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_an_action_is_pinned_by_its_commit_and_leaves_no_token_behind(name):
    used = [step for step in steps_of(name) if "uses" in step]

    assert [step["uses"] for step in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])] == []
    assert all(
        step["with"]["persist-credentials"] is False for step in used if step["uses"].startswith("actions/checkout@")
    )


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_knows_no_secret_and_runs_nothing_that_others_can_write(name):
    expressions = [
        expression
        for step in steps_of(name)
        for expression in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", step.get("run", ""))
    ]

    assert expressions == []
    assert "secrets." not in (ROOT / ".github/workflows" / name).read_text(encoding="utf-8")


def test_what_every_submission_must_pass_runs_on_every_push():
    tests = workflow("tests.yml")["jobs"]["tests"]

    assert [step["run"] for step in tests["steps"] if "run" in step] == [".ci/run"]
    # Tests and the package ask git, which trusts no checkout of another user than the container's.
    git = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    assert ("container" in tests, tests["env"]) == (True, git)


@pytest.mark.parametrize(("name", "job"), [("deploy.yml", "deploy"), ("release.yml", "release")])
def test_nothing_is_deployed_or_released_that_does_not_pass_the_tests(name, job):
    jobs = workflow(name)["jobs"]

    assert jobs["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert jobs[job]["needs"] == "tests"
    assert "if" not in jobs[job]


def test_only_the_tag_of_this_version_becomes_a_release_with_the_built_package():
    runs = [step["run"] for step in steps_of("release.yml") if "run" in step]
    checked, built, made = runs

    assert workflow("release.yml")["on"]["push"] == {"tags": ["v*"]}
    assert checked.endswith('python3 dev.py release "$TAG" > .local/notes.md')
    assert built.endswith("python3 dev.py package")
    assert made.startswith('gh release create "$TAG" .local/package.zip --verify-tag')


def test_known_weaknesses_are_looked_for_without_a_push_too_and_nothing_waits_for_it():
    made = workflow("audit.yml")
    uses = [job.get("uses", "") for name in WORKFLOWS for job in workflow(name)["jobs"].values()]

    assert [croniter.is_valid(each["cron"]) for each in made["on"]["schedule"]] == [True]
    assert [each for each in uses if "audit" in each] == []


@pytest.mark.parametrize(
    ("says", "fails", "warns"),
    [
        ("echo No known vulnerabilities found >&2", False, False),
        ("echo Found 1 known vulnerability in 1 package >&2; echo 'requests 1.0 PYSEC-1'; exit 1", True, False),
        ("echo Found 12 known vulnerabilities, ignored 1 in 3 packages >&2; exit 1", True, False),
        ("echo 'ERROR: Could not connect to the vulnerability feed' >&2; exit 1", False, True),
    ],
)
def test_a_known_weakness_is_told_by_a_failure_and_a_list_out_of_reach_by_a_warning(tmp_path, says, fails, warns):
    (look,) = [step["run"] for step in steps_of("audit.yml") if "run" in step]
    for name, does in (("pip", "true"), ("pip-audit", f'echo "$@" > asked; {says}')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}

    # As GitHub runs it, which stops at the first command that fails.
    ran = subprocess.run(
        ["sh", "-e", "-c", look], cwd=tmp_path, env=path, capture_output=True, text=True, timeout=60, check=False
    )

    assert (tmp_path / "asked").read_text("utf-8") == "--disable-pip --require-hashes --requirement requirements.lock\n"
    assert (ran.returncode != 0, "::warning::" in ran.stdout) == (fails, warns)
    assert says.split(" >&2")[0].removeprefix("echo ").strip("'") in ran.stdout


def test_github_deploys_the_package_that_dev_py_makes_and_has_azure_build_nothing():
    runs = [step.get("run", "") for step in steps_of("deploy.yml")]
    made = next(number for number, run in enumerate(runs) if run.endswith("python3 dev.py package"))
    sent = next(number for number, run in enumerate(runs) if "config-zip" in run)
    options = _parser().parse_args(["package"])

    assert made < sent
    assert f"--src {options.into.relative_to(ROOT)}.zip --build-remote false" in runs[sent]
