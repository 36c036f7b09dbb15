"""The commands behind dev.py: what they are told, and what they say when something is missing or wrong."""

from __future__ import annotations

import argparse
import json
import re
import socket
from pathlib import Path

import pytest

import dev
from local import cli
from local.commands import rules as rules_command
from local.commands import settings as command_settings
from local.commands.settings import read_settings, wants_emulator
from local.commands.test import HOSTS, REST
from shared.errors import Misconfigured
from shared.sync import rule_history
from tests.fakes.house import House


def settings_file(folder: Path, **values: str) -> Path:
    file = folder / "local.settings.json"
    file.write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    return file


COMPLETE = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "MANAGE_BASE_URL": "https://manage.birchline.example/v4_6_release/apis/3.0",
    "MANAGE_COMPANY": "birchline",
    "MANAGE_PUBLIC_KEY": "public",
    "MANAGE_PRIVATE_KEY": "private",
    "MANAGE_CLIENT_ID": "client",
}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in COMPLETE:
        monkeypatch.delenv(name, raising=False)


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_without_settings_it_says_which_file_to_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "local.settings.json"
    for command in (["start"], ["rules", "export", "-"]):
        assert cli.main([*command, "--settings", str(missing)]) == 2
        assert "copy local.settings.example.json to it" in capsys.readouterr().err


def test_the_environment_counts_more_than_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANAGE_COMPANY", "from-the-environment")
    read = read_settings(settings_file(tmp_path, MANAGE_COMPANY="from-the-file", MANAGE_CLIENT_ID="client"))
    assert (read["MANAGE_COMPANY"], read["MANAGE_CLIENT_ID"]) == ("from-the-environment", "client")


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "local.settings.json"
    file.write_text("{")
    with pytest.raises(Misconfigured, match=r"local\.settings\.json is not JSON"):
        read_settings(file)


@pytest.mark.parametrize(
    ("storage", "wanted"),
    [
        ("UseDevelopmentStorage=true", True),
        (" UseDevelopmentStorage=true; ", True),
        ("AccountName=x", False),
        ("", False),
    ],
)
def test_only_the_development_storage_wants_the_emulator(storage: str, wanted: bool) -> None:
    assert wants_emulator({"AzureWebJobsStorage": storage}) is wanted


def test_rules_name_every_problem_of_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = settings_file(tmp_path, **COMPLETE | {"MANAGE_COMPANY": "", "MANAGE_PUBLIC_KEY": "<public key>"})
    assert cli.main(["rules", "export", "-", "--settings", str(file)]) == 2
    said = capsys.readouterr().err
    assert "MANAGE_COMPANY: " in said
    assert "MANAGE_PUBLIC_KEY: still holds a <placeholder>" in said


def test_rules_say_how_to_start_an_emulator_that_does_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_settings, "DEFAULT_PORTS", (0, 0, free_port()))
    file = settings_file(tmp_path, **COMPLETE)
    assert cli.main(["rules", "export", "-", "--settings", str(file)]) == 1
    assert "Run `python dev.py start` in another terminal" in capsys.readouterr().err


@pytest.mark.parametrize(("named", "by"), [(["--as", "Kim"], "Kim"), ([], "pat")])
def test_an_import_of_rules_is_recorded_with_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: list[str], by: str
) -> None:
    house = House()
    monkeypatch.setattr(rules_command, "_ports", lambda _: house.ports)
    monkeypatch.setattr("getpass.getuser", lambda: "pat")
    file = tmp_path / "rules.yaml"
    file.write_text("profiles: [{id: a, name: A, product: X}]")
    assert cli.main(["rules", "import", str(file), *named]) == 0
    (entry,) = rule_history.page(house.ports, 5, None)["entries"]
    assert (entry["by"], entry["origin"], entry["way"]) == (by, "dev.py rules import", "import")


def test_without_a_browser_no_pictures_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert cli.main(["pictures"]) == 1
    assert "Install it" in capsys.readouterr().err


def test_every_picture_of_the_console_is_small_and_shown_and_none_is_missing() -> None:
    docs = cli.REPOSITORY / "docs"
    taken = {each.name: each.stat().st_size for each in (docs / "pictures").iterdir()}
    assert set(taken) == set(re.findall(r"pictures/([a-z-]+\.png)", (docs / "console.md").read_text(encoding="utf-8")))
    assert {name for name, size in taken.items() if size > 150_000} == set()


def test_a_demo_without_companies_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        cli.main(["demo", "--companies", "0"])
    assert refused.value.code == 2
    assert "at least one" in capsys.readouterr().err


def test_an_unknown_budget_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--only", "speed"]) == 2
    assert "there is no budget speed; there are import," in capsys.readouterr().err


def test_a_source_that_cannot_be_reached_is_named_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = f"https://127.0.0.1:{free_port()}"
    settings = COMPLETE | {
        "MICROSOFT_PARTNER_TENANTS": "c2f0a6de-91b5-4d3e-8f27-6a40be1d7c93",
        "MICROSOFT_CLIENT_ID": "e94d7a01-62c8-4f3b-b1d5-07f9a8c2e6d4",
        "MICROSOFT_CREDENTIAL": "secret",
        "MICROSOFT_CLIENT_SECRET": "hush-hush",
        "MICROSOFT_AUTHORITY": nobody,
    }
    assert cli.main(["sources", "--settings", str(settings_file(tmp_path, **settings))]) == 1
    said = capsys.readouterr().out
    assert said.startswith("microsoft365:\n  Microsoft 365: No token")
    assert "check the network and the authority's address" in said
    assert "hush-hush" not in said


def test_without_a_source_there_is_nothing_wrong_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sources", "--settings", str(settings_file(tmp_path, **COMPLETE))]) == 0
    assert capsys.readouterr().out == "The settings connect no source.\n"


def test_the_doctor_names_every_problem_of_the_settings_and_shows_no_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = COMPLETE | {"MANAGE_COMPANY": "", "PUSHED_KEYS": "rmm=hush-hush"}
    assert cli.main(["doctor", "--settings", str(settings_file(tmp_path, **settings))]) == 2
    told = capsys.readouterr()
    assert "MANAGE_COMPANY: is missing" in told.err
    assert "PUSHED_KEYS: must hold names" in told.err
    assert "hush-hush" not in told.out + told.err


def test_every_file_of_tests_is_run_by_one_of_both_processes() -> None:
    root = Path(__file__).parents[2]
    ignored = {each.removeprefix("--ignore=") for each in HOSTS if each.startswith("--ignore=")}

    def is_run(file: str, named: tuple[str, ...]) -> bool:
        return any(file == each or file.startswith(f"{each}/") for each in named)

    for path in (root / "tests").rglob("test_*.py"):
        file = path.relative_to(root).as_posix()
        with_hosts = is_run(file, HOSTS) and file not in ignored
        assert with_hosts != is_run(file, REST), file


def test_the_help_of_dev_py_lists_every_command_and_none_else() -> None:
    listed = re.findall(r"^  python dev\.py (\w+)", dev.__doc__ or "", re.M)
    (commands,) = (action for action in cli._parser()._actions if action.dest == argparse.SUPPRESS and action.choices)

    assert set(listed) == set(commands.choices)
    assert set(commands.choices) >= dev.WITHOUT_NODE
