"""YAML text as a tree of plain values with the line of each. Numbers and dates stay the text they are written as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

#: Where a value stands: keys and list positions from the root.
Path = tuple[str | int, ...]
Tree = dict[str, Any] | list[Any] | str | None

_DEEPEST = 20


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with the document; `line` counts from 1, `path` may be empty."""

    line: int
    path: str
    sentence: str

    def __str__(self) -> str:
        place = f"line {self.line}, {self.path}" if self.path else f"line {self.line}"
        return f"{place}: {self.sentence}"


@dataclass(slots=True)
class Outline:
    """The document as written: the tree, the line of every path in it, and what YAML itself has against it."""

    tree: Tree = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: Path, sentence: str) -> None:
        """A problem with the value at this path, or with its absence: then the line of what should hold it."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        self.problems.append(Problem(self.lines.get(known, 1), written(path), sentence))

    def place(self, path: Path) -> str:
        """Where something stands, in words for people."""
        return f"{written(path)} (line {self.lines[path]})"


def outline(text: str) -> Outline:
    """Never raises: what cannot be read is a problem."""
    found = Outline()
    try:
        root = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        found.problems.append(Problem(line, "", f"is not YAML: {error.problem or error.context}"))
    except YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        found.problems.append(Problem(line, "", "is not YAML: it holds a control character"))
    except RecursionError:
        found.problems.append(Problem(1, "", "is nested too deeply to be rules"))
    else:
        if root is None:
            found.problems.append(Problem(1, "", "the document is empty; docs/rules.example.yaml shows a whole one"))
        else:
            found.lines[()] = 1
            found.tree = _plain(root, (), found)
    return found


def written(path: Path) -> str:
    """A path as people write it: profiles[2].price.amount."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _plain(node: Node, path: Path, found: Outline) -> Tree:
    if node.anchor is not None or len(path) > _DEEPEST:
        found.add(path, "uses an anchor or is nested too deeply; write the values out where they belong")
        return None
    if isinstance(node, MappingNode):
        return _mapping(node, path, found)
    if isinstance(node, SequenceNode):
        items: list[Tree] = []
        for position, item in enumerate(node.value):
            found.lines[*path, position] = item.start_mark.line + 1
            items.append(_plain(item, (*path, position), found))
        return items
    return None if str(node.tag).endswith(":null") else str(node.value)


def _mapping(node: MappingNode, path: Path, found: Outline) -> dict[str, Tree]:
    """A field without a value counts as left out."""
    fields: dict[str, Tree] = {}
    seen: set[str] = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode):
            found.problems.append(Problem(line, written(path), "has a key that is not a word"))
            continue
        place = (*path, str(key.value))
        if key.value in seen:
            found.problems.append(Problem(line, written(place), f"stands twice; first on line {found.lines[place]}"))
            continue
        seen.add(key.value)
        found.lines[place] = line
        plain = _plain(value, place, found)
        if plain is not None:
            fields[str(key.value)] = plain
    return fields
