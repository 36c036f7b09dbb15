"""The commands of dev.py. Each is imported when it is asked for, so that none waits for another one's packages."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import NoReturn
from uuid import UUID

REPOSITORY = Path(__file__).resolve().parents[1]


def main(arguments: list[str]) -> int:
    """Runs one command and answers its exit code."""
    signal.signal(signal.SIGTERM, _end)
    # These two hand on everything that follows them, options too.
    if arguments[:1] == ["test"]:
        return _test(arguments[1:])
    if arguments[:1] == ["sandbox"]:
        return _sandbox(arguments[1:])
    options = _parser().parse_args(arguments)
    from shared.errors import Misconfigured, TrueUpError

    try:
        code: int = options.run(options)
    except Misconfigured as error:
        print("\n".join([*error.problems, error.remedy]).strip(), file=sys.stderr)
        return 2
    except TrueUpError as error:
        print(f"{error}\n{error.remedy}".strip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _end(*_: object) -> NoReturn:
    """SIGTERM unwinds like an error, so that everything that was started is ended."""
    raise SystemExit(143)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py", description="TrueUp on one machine.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_demo(commands.add_parser("demo", help="four nights at a made-up MSP"))
    _add_start(commands.add_parser("start", help="the host, against the systems of local.settings.json"))
    _add_rules(commands.add_parser("rules", help="the rules as one YAML document"))
    _add_store(commands.add_parser("store", help="copies and backups of everything that is stored"))
    _add_sources(commands.add_parser("sources", help="whether every source can be read"))
    _add_consent(commands.add_parser("consent", help="the registration's roles in customers' tenants"))
    _add_doctor(commands.add_parser("doctor", help="what stands in the way of a night"))
    _add_bench(commands.add_parser("bench", help="speed against its budgets"))
    _add_soak(commands.add_parser("soak", help="nights whose hosts are killed all the time"))
    _add_package(commands.add_parser("package", help="what is deployed, as one file"))
    _add_release(commands.add_parser("release", help="whether a tag may become a release, and its notes"))
    _add_pictures(commands.add_parser("pictures", help="the console's pages for the docs"))
    commands.add_parser("lock", help="renew requirements.lock").set_defaults(run=_lock)
    _add_cost(commands.add_parser("cost", help="what a month costs in Azure"))
    commands.add_parser("check", help="style and types").set_defaults(run=_check)
    commands.add_parser("cover", help="the branches of the money core").set_defaults(run=_cover)
    commands.add_parser("sandbox", help="made-up Manage and vendors: Microsoft, Pax8, Huntress, Cove", add_help=False)
    commands.add_parser("test", help="the tests; further arguments are pytest's", add_help=False)
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Four nights at a made-up MSP: observe, applied, quiet and moved. Exit code 0 only if each night did what it "
        "should. Everything is left running until Ctrl-C, unless --once."
    )
    parser.add_argument("--companies", type=_count, default=40, help="how many companies the MSP bills")
    parser.add_argument("--seed", type=int, default=7, help="which made-up MSP")
    parser.add_argument("--once", action="store_true", help="end by itself")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the four nights as JSON")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write what is shown as SVG (for the docs)")
    parser.set_defaults(run=_demo)


def _add_start(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Runs the functions host with local.settings.json; starts the storage emulator too where the settings say "
        "AzureWebJobsStorage=UseDevelopmentStorage=true and none answers yet."
    )
    parser.add_argument("--port", type=int, default=7071, help="where the host listens, on this machine only")
    _add_settings(parser)
    parser.set_defaults(run=_start)


def _add_rules(parser: argparse.ArgumentParser) -> None:
    parser.description = "Reads and writes the rules. An import with an error changes nothing; its exit code is 2."
    parser.add_argument("action", choices=("export", "import"))
    parser.add_argument("file", help="a YAML file, - for the standard output or input")
    parser.add_argument("--as", dest="name", metavar="NAME", help="who imports, for the history; else who is signed in")
    _add_settings(parser)
    parser.set_defaults(run=_rules)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Copies everything that is stored into a file, or fills an empty store from one; lists the daily backups, or "
        "fetches one as such a file; erases a company; takes a new name of its Manage. docs/operate.md tells when a "
        "copy may be restored."
    )
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    file_help = "the copy, such as store-2026-12-01.jsonl.gz"
    for name, told in (("copy", "the store into a file"), ("restore", "a file into an empty store")):
        action = actions.add_parser(name, help=told)
        action.add_argument("file", type=Path, help=file_help)
        _add_settings(action)
    _add_settings(actions.add_parser("backups", help="which daily backups there are"))
    fetch = actions.add_parser("fetch", help="a daily backup into a file")
    fetch.add_argument("day", type=date.fromisoformat, help="such as 2026-12-01")
    fetch.add_argument("file", type=Path, help=file_help)
    _add_settings(fetch)
    erase = actions.add_parser("erase", help="what is known of a company that is not linked any more, for good")
    erase.add_argument("company", type=int, help="its record id in ConnectWise Manage")
    erase.add_argument("--as", dest="name", metavar="NAME", help="who erases, for the history; else who is signed in")
    _add_settings(erase)
    _add_settings(actions.add_parser("same-manage", help="that Manage has a new name in the settings but is the same"))
    parser.set_defaults(run=_store)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    parser.description = "Asks every source of the settings something small, and says what is wrong; writes nothing."
    _add_settings(parser)
    parser.set_defaults(run=_sources)


def _add_consent(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Gives the app registration the roles it asks for in customers' tenants, as the person who is signed in at the "
        "Azure CLI: docs/deploy.md, step 7. What is there already stays. Exit code 0 only if each tenant has them all."
    )
    parser.add_argument("--app", type=_guid, required=True, metavar="ID", help="client id of the app registration")
    parser.add_argument("--check", action="store_true", help="only say which roles are missing where")
    parser.add_argument("tenants", type=_guid, nargs="+", metavar="TENANT", help="id of a customer's tenant")
    parser.set_defaults(run=_consent)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Checks settings, storage, Manage, every source, schedules, the last night, messages left over and backups; "
        "says what is wrong and what to do. Nothing is changed. Exit code 0 only if everything is in order."
    )
    _add_settings(parser)
    parser.set_defaults(run=_doctor)


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.description = "Measures each budget and prints it beside its limit. The sandbox runs in another process."
    parser.add_argument("--companies", type=_count, default=200, help="companies of the measured nights")
    parser.add_argument("--only", metavar="NAME", action="append", help="one of the measures; may be repeated")
    parser.set_defaults(run=_bench)


def _add_soak(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Two nights undisturbed, and the same two with faults everywhere and hosts that are killed at random moments. "
        "Exit code 0 only if Manage then says the same in every field that TrueUp writes."
    )
    parser.add_argument("--companies", type=_count, default=100, help="how many companies the MSP bills")
    parser.add_argument("--kills", type=_count, default=200, help="how often a host is killed")
    parser.add_argument("--seed", type=int, default=7, help="which made-up MSP, and which moments")
    parser.set_defaults(run=_soak)


def _add_package(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Builds the package that is deployed, with the packages of requirements.lock by their hashes; says how large "
        "it is and how fast it starts. Takes Python 3.13 on Linux on a 64-bit PC."
    )
    default = REPOSITORY / ".local" / "package"
    parser.add_argument("--into", type=Path, metavar="FOLDER", default=default, help="beside which FOLDER.zip is made")
    parser.set_defaults(run=_package)


def _add_release(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prints what this version brings, for the notes of its release. Exit code 0 only if the tag is the version "
        "that shared/version.py and the newest section of CHANGELOG.md say."
    )
    parser.add_argument("tag", help="such as v0.2.0")
    parser.set_defaults(run=_release)


def _add_cost(parser: argparse.ArgumentParser) -> None:
    parser.description = "Works out what a month costs, from measured figures and list prices: docs/cost.md."
    parser.add_argument("--companies", type=_count, nargs="+", default=[40, 500, 5000], help="one row for each number")
    parser.set_defaults(run=_cost)


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Plays three nights at a made-up MSP, and takes the pictures of the console that the docs show."
    )
    default = REPOSITORY / "docs" / "pictures"
    parser.add_argument("--into", type=Path, metavar="FOLDER", default=default, help="where they are written")
    parser.set_defaults(run=_pictures)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        default=REPOSITORY / "local.settings.json",
        help="instead of local.settings.json; what the environment sets counts more than either",
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it takes at least one")
    return number


def _guid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise argparse.ArgumentTypeError("an id has 32 hexadecimal digits") from None


def _demo(options: argparse.Namespace) -> int:
    from local.demo.performance import perform

    return perform(
        options.companies, options.seed, once=options.once, report_file=options.report, picture=options.picture
    )


def _start(options: argparse.Namespace) -> int:
    from local.commands.start import start

    return start(options.settings, options.port)


def _rules(options: argparse.Namespace) -> int:
    from local.commands.rules import export_to, import_from

    return (
        export_to(options.file, options.settings)
        if options.action == "export"
        else import_from(options.file, options.settings, options.name)
    )


def _store(options: argparse.Namespace) -> int:
    from local.commands import store

    if options.action == "backups":
        return store.backups(options.settings)
    if options.action == "erase":
        return store.erase(options.company, options.settings, options.name)
    if options.action == "same-manage":
        return store.same_manage(options.settings)
    if options.action == "fetch":
        return store.fetch(options.day, options.file, options.settings)
    return (store.copy if options.action == "copy" else store.restore)(options.file, options.settings)


def _sources(options: argparse.Namespace) -> int:
    from local.commands.doctor import sources

    return sources(options.settings)


def _consent(options: argparse.Namespace) -> int:
    from local.commands.consent import consent

    return consent(options.app, options.tenants, check=options.check)


def _doctor(options: argparse.Namespace) -> int:
    from local.commands.doctor import doctor

    return doctor(options.settings)


def _package(options: argparse.Namespace) -> int:
    from local.package.build import package

    return package(options.into.resolve())


def _release(options: argparse.Namespace) -> int:
    from local.package.release import release

    return release(options.tag)


def _cost(options: argparse.Namespace) -> int:
    from local.cost import cost

    return cost(options.companies)


def _pictures(options: argparse.Namespace) -> int:
    from local.pictures import pictures

    return pictures(options.into.resolve())


def _lock(_: argparse.Namespace) -> int:
    from local.package.lock import lock

    return lock()


def _check(_: argparse.Namespace) -> int:
    """Every check runs, whatever the one before it found."""
    tools = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    return max(
        [subprocess.run([sys.executable, "-m", *tool], cwd=REPOSITORY, check=False).returncode for tool in tools]
    )


def _cover(_: argparse.Namespace) -> int:
    """Fails unless the examples alone take every branch: what only a random one reached would come and go."""
    flows = ["tests/flow/test_choices.py", "tests/flow/test_undo.py", "tests/unit/test_azure_source.py"]
    examples = ["tests/unit/billing", *flows, "-m", "not hypothesis"]
    report = ["--cov=shared/billing", "--cov-branch", "--cov-report=term-missing:skip-covered", "--cov-fail-under=100"]
    return _test([*examples, *report])


def _bench(options: argparse.Namespace) -> int:
    from local.bench.run import bench

    return bench(options.companies, options.only)


def _soak(options: argparse.Namespace) -> int:
    from local.soak.run import soak

    return soak(options.companies, options.kills, options.seed)


def _test(arguments: list[str]) -> int:
    from local.commands.test import test

    return test(arguments, REPOSITORY)


def _sandbox(arguments: list[str]) -> int:
    from local.sandbox.__main__ import main as serve

    sys.argv = ["dev.py sandbox", *arguments]
    serve()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
