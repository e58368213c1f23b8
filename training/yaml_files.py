"""Load YAML strictly, for configurations and Rasa's training data.

PyYAML silently keeps the last of two equal keys, so half of a file can vanish. This loader rejects duplicate keys.
"""

from collections.abc import Iterator
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MERGE = "<<"


def compose_documents(text: str) -> list[yaml.Node]:
    """Parse a YAML text into nodes.

    Args:
        text: The content of a YAML file, with one document or several documents separated by `---`.

    Returns:
        The root node of each document that is not empty. Nodes have line numbers.

    Raises:
        ValueError: The text is not YAML, or a mapping has a duplicate key. The message names the lines.
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
    """Load a YAML text with a single document.

    Args:
        text: The content of a YAML file.

    Returns:
        The document as Python objects, such as a dict for a mapping; None for an empty text.

    Raises:
        ValueError: The text is not YAML, has a duplicate key, or has several documents. The message names the lines.
    """
    nodes = compose_documents(text)
    if len(nodes) > 1:
        raise ValueError(
            f"contains {len(nodes)} YAML documents, the second at line {nodes[1].start_mark.line + 1}; expected one: "
            "remove the `---` between them, or put each into its own file"
        )
    try:
        found = yaml.load_all(text, Loader=LOADER)
        return next((document for document in found if document is not None), None)
    except yaml.MarkedYAMLError as error:
        line = f" at line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"is not YAML{line}: {error.problem or error}") from None
    except ValueError as error:  # a value such as the date 2024-13-45
        raise ValueError(f"contains an invalid value: {error}") from None


def _refuse_repeated_keys(root: yaml.Node) -> None:
    """Raise ValueError for the first mapping with a duplicate key."""
    for node in _nodes(root):
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.value == MERGE:
                continue
            line, name = key.start_mark.line + 1, (key.tag, key.value)
            if name in lines:
                raise ValueError(
                    f"has the key {key.value!r} twice, at line {lines[name]} and at line {line}: "
                    "merge the two, or remove one"
                )
            lines[name] = line


def _is_empty(node: yaml.Node) -> bool:
    """Return whether a document is empty, such as one between two `---`."""
    return isinstance(node, yaml.ScalarNode) and node.value == "" and not node.style


def _nodes(root: yaml.Node) -> Iterator[yaml.Node]:
    """Yield a node and all its descendants; each only once, although aliases may refer to it several times."""
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
