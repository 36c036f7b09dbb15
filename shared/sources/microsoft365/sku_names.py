"""What Microsoft's products are called: by Microsoft's list where one is given, by our short one, or by part number."""

from __future__ import annotations

import csv
import io
import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from shared.sources.microsoft365.known_skus import SKU_NAMES

log = logging.getLogger(__name__)

#: Microsoft's list has about 1 MB; ten times that is something else.
_MOST_BYTES = 10_000_000


class SkuNames:
    """Names by SKU id. `place` is the path or address of Microsoft's CSV; it is loaded once, at the first question."""

    def __init__(self, place: str | None, ca_file: str | None = None) -> None:
        self._place = place
        self._ca_file = ca_file
        self._lock = threading.Lock()
        self._names: Mapping[str, str] | None = None

    def name_of(self, sku: str, part_number: str) -> str:
        """The product's name; the part number for a product nobody told us about."""
        with self._lock:
            if self._names is None:
                self._names = {**SKU_NAMES, **self._given()}
            return self._names.get(sku.casefold(), part_number)

    def _given(self) -> dict[str, str]:
        """Names from the operator's list; none, and a warning, when it cannot be read: names are not worth a night."""
        if not self._place:
            return {}
        try:
            return names_in(self._content(self._place))
        except (OSError, ValueError, csv.Error) as error:
            log.warning("The list of SKU names could not be read (%s); built-in names are used.", type(error).__name__)
            return {}

    def _content(self, place: str) -> bytes:
        if "://" not in place:
            return Path(place).read_bytes()
        import requests  # slow to import, and most installations never come here

        with requests.get(
            place, timeout=(10, 30), stream=True, verify=self._ca_file or True, allow_redirects=False
        ) as response:
            response.raise_for_status()
            content = bytearray()
            for piece in response.iter_content(65_536):
                content += piece
                if len(content) > _MOST_BYTES:
                    raise ValueError("too long")
        return bytes(content)


def names_in(content: bytes) -> dict[str, str]:
    """Names by SKU id in Microsoft's CSV: a row per SKU and service plan, where the last name of a SKU is the newest.

    Raises ValueError when it is another kind of file.
    """
    rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    if not {"GUID", "Product_Display_Name"} <= set(rows.fieldnames or ()):
        raise ValueError("not Microsoft's list of product names")
    found = {_clean(row["GUID"]).casefold(): _clean(row["Product_Display_Name"]) for row in rows}
    return {sku: name for sku, name in found.items() if sku and name}


def _clean(text: str | None) -> str:
    """Some ids end in a no-break space."""
    return (text or "").replace("\xa0", " ").strip()
