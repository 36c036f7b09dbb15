"""dev.py: what it asks of a machine, when it makes the environment, and what it leaves alone."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import dev


def program(folder: Path, name: str, script: str) -> None:
    """A program of that name, first on the PATH of who looks into the folder."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    for name in ("requirements.txt", "requirements-dev.txt", "package-lock.json"):
        (root / name).write_text(name)
    return root


def test_an_older_python_is_told_which_one_is_needed() -> None:
    dev.require_python((3, 11))
    with pytest.raises(dev.Unprepared, match=r"needs Python 3\.11 or later; this is 3\.9"):
        dev.require_python((3, 9))


def test_a_machine_without_node_is_told_what_to_install(bin_folder: Path) -> None:
    with pytest.raises(dev.Unprepared, match=r"Node\.js was not found: install Node 20"):
        dev.require_node()


def test_node_without_npm_is_not_enough(bin_folder: Path) -> None:
    program(bin_folder, "node", "echo v22.1.0")
    with pytest.raises(dev.Unprepared, match="npm was not found"):
        dev.require_node()


@pytest.mark.parametrize("said", ["v18.20.1", "nonsense", ""])
def test_an_old_or_odd_node_is_refused_with_what_it_said(bin_folder: Path, said: str) -> None:
    program(bin_folder, "node", f"echo {said}")
    program(bin_folder, "npm", "true")
    with pytest.raises(dev.Unprepared, match=rf"Node 20 or later; .* says {said or 'nothing'}"):
        dev.require_node()


def test_node_modules_are_made_once_and_again_after_the_lock_file_changed(bin_folder: Path, project: Path) -> None:
    program(bin_folder, "node", "echo v20.11.0")
    program(bin_folder, "npm", 'echo "$1" >> asked; /bin/mkdir -p node_modules')
    dev.prepare_node(project)
    dev.prepare_node(project)
    assert (project / "asked").read_text() == "ci\n"
    (project / "package-lock.json").write_text("newer")
    dev.prepare_node(project)
    assert (project / "asked").read_text() == "ci\nci\n"


def test_a_failed_step_says_what_it_said_and_is_tried_again(bin_folder: Path, project: Path) -> None:
    program(bin_folder, "node", "echo v20.11.0")
    program(bin_folder, "npm", "echo no route to registry; exit 1")
    with pytest.raises(dev.Unprepared, match=r"no route to registry(.|\n)*npm ci .*failed"):
        dev.prepare_node(project)
    program(bin_folder, "npm", "/bin/mkdir -p node_modules")
    dev.prepare_node(project)
    assert dev.is_stamped(project / "node_modules", dev.fingerprint(project / "package-lock.json"))


def test_packages_are_installed_into_an_environment_that_lacks_them_and_not_again(project: Path) -> None:
    program(project / ".venv", "pyvenv.cfg", "")
    program(project / ".venv" / "bin", "python", 'echo "$@" >> installed')
    dev.prepare_python(project)
    dev.prepare_python(project)
    (asked,) = (project / "installed").read_text().splitlines()
    assert asked.startswith("-m pip install")
    assert asked.endswith("-r requirements-dev.txt")
    (project / "requirements.txt").write_text("newer")
    dev.prepare_python(project)
    assert len((project / "installed").read_text().splitlines()) == 2


def test_half_an_environment_does_not_stay(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(
        tmp_path / "old", "python", 'mkdir -p "$4/bin"; touch "$4/bin/python"; echo ensurepip is not available; exit 1'
    )
    monkeypatch.setattr(sys, "executable", str(tmp_path / "old" / "python"))
    with pytest.raises(dev.Unprepared, match=r"ensurepip is not available(.|\n)*python3-venv"):
        dev.prepare_python(project)
    assert not (project / ".venv").exists()


def test_the_environment_is_found_where_the_system_puts_it(project: Path) -> None:
    expected = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    assert dev.python_of(project) == project / ".venv" / expected


def test_without_a_command_it_lists_them_and_makes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"]):
        assert dev.main(arguments) == 0
        shown = capsys.readouterr().out
        assert all(f"dev.py {name}" in shown for name in ("demo", "test", "start", "rules", "sandbox", "bench"))


def test_it_runs_on_the_standard_library_alone(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(dev.__file__)), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
