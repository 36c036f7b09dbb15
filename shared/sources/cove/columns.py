"""Cove's columns: the codes we ask for, and the spellings in which they come back.

A column is asked for by its new code with padded numbers (`D09F03`). Answers have been seen without the padding
(`D9F3`) and with the old two letters (`T3`), so all three are read as one.
"""

from __future__ import annotations

import re

#: What a device is: Backup Manager, Microsoft 365, or not installed yet.
ACCOUNT_TYPE = "I59"
OS_TYPE = "I32"
PHYSICALITY = "I81"
PRODUCT = "I10"
USED_STORAGE = "I14"
RECOVERY_TESTING = "I80"
SELECTED_SIZE = "D09F03"
PROTECTED_USERS = "D09F20"

COLUMNS = (
    ACCOUNT_TYPE,
    OS_TYPE,
    PHYSICALITY,
    PRODUCT,
    USED_STORAGE,
    RECOVERY_TESTING,
    SELECTED_SIZE,
    PROTECTED_USERS,
)

_OLD = {
    "AT": ACCOUNT_TYPE,
    "OT": OS_TYPE,
    "PN": PRODUCT,
    "US": USED_STORAGE,
    "T3": SELECTED_SIZE,
    "TM": PROTECTED_USERS,
}


def column(code: str) -> str:
    """The code as we write it: `T3`, `D9F3` and `d09f03` are all `D09F03`."""
    text = code.strip().upper()
    statistic = re.fullmatch(r"D0*(\d+)F0*(\d+)", text)
    if statistic is not None:
        return f"D{int(statistic[1]):02}F{int(statistic[2]):02}"
    plain = re.fullmatch(r"I0*(\d+)", text)
    return f"I{int(plain[1])}" if plain is not None else _OLD.get(text, text)
