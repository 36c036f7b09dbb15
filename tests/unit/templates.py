"""The templates as tests read them: resources, parameters, and the settings that the app is told."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

from shared.environment import SETTINGS

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
TEMPLATES = sorted(path.name for path in INFRA.glob("*.bicep"))

#: App settings of the platform that have a meaning on Flex Consumption.
PLATFORM_SETTINGS = {
    "AzureWebJobsStorage__credential",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AzureFunctionsJobHost__telemetryMode",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "PYTHON_THREADPOOL_THREAD_COUNT",
    "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
}


def text_of(template: str) -> str:
    return (INFRA / template).read_text(encoding="utf-8")


@cache
def parsed(template: str) -> dict[str, Any]:
    """The template as a tree, which nobody changes: reading one takes a second."""
    return BicepParser().parse(text=text_of(template))


def resources(template: str) -> dict[str, dict[str, Any]]:
    """The resources a template makes, by symbolic name: type and properties; of a loop those of each turn."""
    made = {}
    for symbol, resource in parsed(template).get("resources", {}).items():
        if not resource["existing"]:
            config = resource["config"]
            made[symbol] = {"type": resource["type"], **(config.get("config", config))}
    return made


def settings_groups() -> dict[str, tuple[str | None, dict[str, str]]]:
    """The groups of app settings of the template: what leaves a group out, and its names and expressions."""
    found = re.findall(r"^var (\w+) = (?:([^\n]+) \? {} : )?{\n(.*?)^}", text_of("settings.bicep"), re.M | re.S)
    return {name: (unless or None, dict(re.findall(r"^  (\w+): (.+)$", block, re.M))) for name, unless, block in found}


def app_settings(*groups: str) -> dict[str, str]:
    """The app settings of some groups, of all when none is named: name and expression."""
    return {
        name: value
        for group, (_, settings) in settings_groups().items()
        if not groups or group in groups
        for name, value in settings.items()
    }


def deployed_settings(*groups: str) -> dict[str, str]:
    """The settings as an instance would see them, with the examples of the code where a person or Azure decides."""
    examples = {setting.name: setting.example for setting in SETTINGS} | {
        "MANAGE_BASE_URL": "",
        "MANAGE_CA_FILE": "",
        "MICROSOFT_CA_FILE": "",
        "MICROSOFT_SKU_NAMES": "https://names.example/skus.csv",
    }
    secrets = {"NOTICE_TEAMS": "desk=https://prod-1.westus.logic.azure.com/workflows/1?sig=a"}
    return {
        name: secrets.get(name, "a=key-of-24-characters-or-more")
        if "KeyVault" in value
        else value[1:-1]
        if value.startswith("'")
        else examples[name]
        for name, value in app_settings(*groups).items()
        if name not in PLATFORM_SETTINGS
    }


def parameters_file() -> dict[str, str]:
    """Parameter and azd variable, as main.parameters.json puts them together."""
    given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    return {name: re.fullmatch(r"\$\{(\w+)(=[\w-]+)?\}", each["value"])[1] for name, each in given.items()}


def passed_on() -> dict[str, str]:
    """App setting and the parameter of settings.bicep that it is, alone or as text."""
    found = {name: re.fullmatch(r"(?:string\()?(\w+)\)?", value) for name, value in app_settings().items()}
    return {name: each[1] for name, each in found.items() if each}
