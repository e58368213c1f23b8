"""The one loader of YAML: configurations and Rasa's training data are read with it.

PyYAML keeps the last of two equal keys and says nothing, so half of a file can vanish. This loader refuses them.
"""

from collections.abc import Iterator
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MERGE = "<<"


def compose_documents(text: str) -> list[yaml.Node]:
    """Return the root node of each document in a YAML text; empty documents have none.

    Args:
        text: The content of a YAML file, one document or several separated by `---`.

    Returns:
        The nodes, which know their lines.

    Raises:
        ValueError: If the text is not YAML, or a mapping has the same key twice. The message names the lines.
    """
    try:
        nodes = [node for node in yaml.compose_all(text, Loader=LOADER) if not _is_empty(node)]
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"is not YAML{line}: {error.problem or error}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"is not YAML: {error}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    for node in nodes:
        _refuse_repeated_keys(node)
    return nodes


def load_document(text: str) -> Any:
    """Return the one document of a YAML text as Python objects; None for an empty text.

    Args:
        text: The content of a YAML file.

    Returns:
        What the document holds: a dict for a mapping, a list for a sequence.

    Raises:
        ValueError: If the text is not YAML, repeats a key, or holds several documents. The message names the lines.
    """
    nodes = compose_documents(text)
    if len(nodes) > 1:
        raise ValueError(
            f"holds {len(nodes)} YAML documents, the second at line {nodes[1].start_mark.line + 1}; expected one: "
            "remove the `---` between them, or make a file of each"
        )
    try:
        found = yaml.load_all(text, Loader=LOADER)
        return next((document for document in found if document is not None), None)
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"is not YAML{line}: {error.problem or error}") from None
    except ValueError as error:  # a value such as the date 2024-13-45
        raise ValueError(f"holds a value that cannot be read: {error}") from None


def _refuse_repeated_keys(root: yaml.Node) -> None:
    """Raise ValueError for the first mapping that has a key twice."""
    for node in _nodes(root):
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.value == MERGE:
                continue
            line, name = key.start_mark.line + 1, (key.tag, key.value)
            if name in lines:
                raise ValueError(
                    f"has the key {key.value!r} twice, at line {lines[name]} and at line {line}: "
                    "join the two, or remove one"
                )
            lines[name] = line


def _is_empty(node: yaml.Node) -> bool:
    """Tell whether a document holds nothing, as one between two `---` does."""
    return isinstance(node, yaml.ScalarNode) and node.value == "" and not node.style


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Yield a node and all below it, each once: aliases may share nodes."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            waiting += [part for pair in reversed(node.value) for part in reversed(pair)]
