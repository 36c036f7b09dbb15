"""Records that clients register beside their additions: catalog items and callbacks."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from local.sandbox.manage.answers import detail, invalid, invalid_field
from local.sandbox.manage.fields import CALLBACK, CATALOG_ITEM
from local.sandbox.manage.instance import Instance
from local.sandbox.manage.records import Record
from local.sandbox.manage.writing import check, read_values

_ITEM_REQUIRED = ("identifier", "description", "subcategory", "type", "customerDescription")
_ITEM_LIMITS = {"identifier": 75, "description": 60, "customerDescription": 6000}
_ITEM_DEFAULTS = {
    "inactiveFlag": False,
    "productClass": "NonInventory",
    "serializedFlag": False,
    "taxableFlag": False,
    "price": 0.0,
    "cost": 0.0,
}

_CALLBACK_TYPES = (
    "activity",
    "agreement",
    "company",
    "configuration",
    "contact",
    "expense",
    "invoice",
    "member",
    "opportunity",
    "productcatalog",
    "project",
    "purchaseorder",
    "schedule",
    "site",
    "ticket",
    "time",
)
#: The levels that are known, by type; any level is taken for the other types.
_CALLBACK_LEVELS = {
    "agreement": ("owner", "type", "company", "agreement"),
    "company": ("owner", "status", "type", "territory", "company", "integratortag"),
    "activity": ("owner", "status", "type", "company", "activity"),
}


def new_catalog_item(instance: Instance, body: Any) -> Record:
    """The catalog item that a POST asks for, not stored yet. Its identifier must be new."""
    sent = read_values("catalogItem", CATALOG_ITEM, body)
    check("catalogItem", sent, required=_ITEM_REQUIRED, limits=_ITEM_LIMITS)
    identifier = sent["identifier"].casefold()
    if any(item["identifier"].casefold() == identifier for item in instance.records.collections["catalog"].values()):
        message = "A catalog item with this identifier already exists."
        raise invalid("catalogItem", [detail("ObjectExists", message, "catalogItem", "identifier")])
    return {**_ITEM_DEFAULTS, **sent}


def new_callback(instance: Instance, body: Any) -> Record:
    """The callback that a POST asks for, not stored yet. The same one cannot be registered twice."""
    sent = read_values("callback", CALLBACK, body)
    check("callback", sent, required=("url", "objectId", "type", "level"), limits={"description": 100})
    address = urlsplit(sent["url"])
    if address.scheme not in ("http", "https") or not address.hostname:
        raise invalid_field("callback", "url", "Invalid URL")
    if sent["type"] not in _CALLBACK_TYPES:
        raise invalid("callback", [detail("InvalidObject", "The type is not valid.", "callback", "type")])
    if sent["level"] not in _CALLBACK_LEVELS.get(sent["type"], (sent["level"],)):
        raise invalid("callback", [detail("InvalidObject", "The level is not valid.", "callback", "level")])
    sent["objectId"] = 1 if sent["level"] == "owner" and sent["objectId"] == 0 else int(sent["objectId"])
    same = ("url", "type", "level", "objectId")
    for callback in instance.records.collections["callbacks"].values():
        if all(callback.get(name) == sent[name] for name in same):
            message = "A matching callback entry already exists"
            raise invalid("callback", [detail("ObjectExists", message, "callback", "objectId")])
    flags = {"inactiveFlag": False, "isSoapCallbackFlag": False, "isSelfSuppressedFlag": False}
    return {"payloadVersion": "3.0.0", **flags, **sent, "memberId": 1}
