"""No secret lies in the repository: every tracked file is looked through for what looks like one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.azurite import KEY
from shared.environment import SETTINGS

ROOT = Path(__file__).parents[2]

#: Our own settings that hold secrets, and the public half of Manage's. The storage's has a kind of its own.
OWN = [each.name for each in SETTINGS if each.secret and each.name != "AzureWebJobsStorage"] + ["MANAGE_PUBLIC_KEY"]

#: What a secret of each kind looks like, and nothing else does.
KINDS = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}",
    "storage or service bus key": r"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{43,86}={1,2})",
    "any key of 64 bytes": r"(?<![A-Za-z0-9+/])([A-Za-z0-9+/]{86}==)",
    "secret of an app registration": r"(?<![\w~.-])[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}(?![\w~.-])",
    "token": r"eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "signed address": r"[?&]sig=[A-Za-z0-9%]{40,}",
    "Teams webhook": r"webhook\.office\.com/webhookb2/[0-9a-f-]{36}@",
    "GitHub token": r"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})",
    "AWS key": r"(?<![A-Z0-9])AKIA[A-Z0-9]{16}(?![A-Z0-9])",
    "secret of our own settings": rf"(?:{'|'.join(OWN)})[\"']?[ \t]*[=:][ \t]*[\"']?[A-Za-z0-9_+/=~-]{{16,}}",
    "password in an address": r"https?://[^\s/:@'\"<>{}]+:[^\s/:@'\"<>{}]{6,}@",
}

#: The storage emulator's key is the same in every installation and opens nothing.
PUBLIC = {KEY}


def found_in(text: str) -> Iterator[tuple[str, str]]:
    """The kind of each secret in a text, with its beginning: what is told about it must not tell it."""
    for kind, pattern in KINDS.items():
        for match in re.finditer(pattern, text):
            if not PUBLIC.intersection((match[0], *match.groups())):
                yield kind, match[0][:6]


def tracked() -> list[Path]:
    """Every text file that a fresh checkout holds, but the hashes of the emulator's packages."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    pictures = {".png", ".pfx", ".xlsx"}
    names = [name for name in listed.stdout.split("\0") if name and name != "package-lock.json"]
    return [ROOT / name for name in names if Path(name).suffix not in pictures and (ROOT / name).is_file()]


def test_no_tracked_file_holds_a_secret():
    files = tracked()
    found = {
        f"{path.relative_to(ROOT)}: {kind} beginning {start}…"
        for path in files
        for kind, start in found_in(path.read_text(encoding="utf-8"))
    }

    assert len(files) > 500
    assert found == set()


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("private key", "-----BEGIN RSA PRIVATE KEY" + "-----\n" + "MIIEpAIBAAKCAQEA" * 4),
        ("storage or service bus key", "AccountName=st;AccountKey" + "=" + "a1B2" * 21 + "c3=="),
        ("any key of 64 bytes", '"' + "Zz9+" * 21 + "c3==" + '"'),
        ("secret of an app registration", "abc" + "8Q" + "~" + "x" * 34),
        ("token", "ey" + "J" + "a" * 20 + ".ey" + "J" + "b" * 30 + "." + "c" * 20),
        ("signed address", "https://prod-1.logic.azure.com/workflows/1?sp=x&" + "sig=" + "A1b2" * 11),
        ("Teams webhook", "https://a.webhook.office.com/webhookb2/" + "0f6d2c9e-3b41-4a57-8e0d-c5a1b7e92d34" + "@"),
        ("GitHub token", "gh" + "p_" + "a" * 36),
        ("AWS key", "AKI" + "A" + "Q" * 16),
        *(("secret of our own settings", f"{name}=" + "q7Wz" * 4) for name in OWN),
        ("secret of our own settings", '"MANAGE_PRIVATE_KEY"' + ': "' + "q7Wz" * 4 + '"'),
        ("password in an address", "https://me:" + "correct-horse" + "@manage.example/"),
    ],
)
def test_a_secret_of_each_kind_would_be_seen(kind, secret):
    assert kind in {found for found, _ in found_in(f"before {secret} after")}
