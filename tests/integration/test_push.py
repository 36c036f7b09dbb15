"""The ten lines of docs/pushed-counts.md, run as they stand there against a real host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests

from local.host.process import REPOSITORY
from tests.integration.house import SECOND, House, a_house

KEY = "key-of-the-rmm-0123456789"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A host by the real clock, as the script goes by it."""
    settings = {"PUSHED_KEYS": f"rmm={KEY}", "TRUEUP_CLOCK_URL": ""}
    with a_house(tmp_path_factory.mktemp("push"), companies=1, **settings) as made:
        made.host()
        yield made


def run_script(house: House, key: str) -> subprocess.CompletedProcess[str]:
    document = (REPOSITORY / "docs/pushed-counts.md").read_text(encoding="utf-8")
    script = re.search(r"```python\n(.*?)```", document, flags=re.DOTALL)
    assert script is not None
    assert len([line for line in script[1].splitlines() if line.strip()]) <= 10
    environment = {**os.environ, "TRUEUP_URL": house.url(""), "TRUEUP_KEY": key}
    command = [sys.executable, "-c", script[1]]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECOND, check=False)


def test_the_ten_lines_of_the_documentation_push(house: House) -> None:
    done = run_script(house, KEY)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "source": "rmm",
        "customer": "alder-dental",
        "stored": 2,
        "older": 0,
        "repeated": False,
    }
    pushed = house.ports.pushes.get("pushed:rmm", "alder-dental")
    assert pushed is not None
    assert {sku: count.quantity for sku, count in pushed.counts.items()} == {"workstation": 42, "server": 3}


def test_a_wrong_key_is_refused_without_a_key_of_the_platform(house: House) -> None:
    done = run_script(house, KEY[:-1] + "0")

    assert done.returncode != 0
    assert "401" in done.stderr


def test_a_customer_may_be_called_anything(house: House) -> None:
    now = datetime.now(UTC).isoformat()
    body = {"key": "k", "at": now, "counts": [{"sku": "agent", "quantity": 1.5}]}
    address = house.url("/api/counts/rmm/Zw%C3%B6lf%20%26%20Co")
    answer = requests.put(address, json=body, headers={"X-TrueUp-Key": KEY}, timeout=SECOND)

    assert answer.status_code == 200, answer.text
    assert answer.json()["customer"] == "Zwölf & Co"
    pushed = house.ports.pushes.get("pushed:rmm", "zwölf & co")
    assert pushed is not None
    assert str(pushed.counts["agent"].quantity) == "1.5"
