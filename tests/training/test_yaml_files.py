"""The YAML loader: what it rejects, and that it otherwise reads what PyYAML reads."""

import pytest
import yaml

from training.config import CONFIGS
from training.yaml_files import compose_documents, load_document


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "has the key 'a' twice, at line 1 and at line 3: merge the two, or remove one"),
        ("x:\n- y:\n    a: 1\n    a: 1\n", "has the key 'a' twice, at line 3 and at line 4"),
        ("{a: 1, a: 2}", "has the key 'a' twice, at line 1 and at line 1"),
        ("a: {}\n---\nb: 1\nb: 2\n", "has the key 'b' twice, at line 3 and at line 4"),
        ("? {a: 1, a: 2}\n: x\n", "has the key 'a' twice"),
        ("a: 1\n---\nb: 2\n", "contains 2 YAML documents, the second at line 3; expected one"),
        ("a: [\n", "is not YAML at line 2"),
        ("a: b: c\n", "is not YAML at line 1"),
        ("a: !!python/object:os.system x\n", "is not YAML at line 1: could not determine a constructor"),
        ("a: 2024-13-45\n", "contains an invalid value: month must be in 1..12"),
        ("a: \x00\n", "is not YAML"),
    ],
)
def test_ambiguous_or_broken_yaml_is_rejected_with_line_numbers(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|contains) ") as found:
        load_document(text)
    assert message in str(found.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---\n",
        "---\na: 1\n",
        "a: 1\n'1': 2\n1: 3\n",
        "a: &x {b: 1}\nc: *x\nd: *x\n",
        "a: &x {b: 1}\ny: &y {c: 1}\nz:\n  <<: *x\n  <<: *y\n",
        "- a: 1\n- a: 2\n",
        "a: &x [1, *x]\n",
        *(path.read_text(encoding="utf-8") for path in sorted(CONFIGS.glob("*.yaml"))),
    ],
)
def test_valid_yaml_is_read_like_pyyaml(text: str) -> None:
    assert repr(load_document(text)) == repr(yaml.safe_load(text))


def test_each_document_has_a_node() -> None:
    assert [node.start_mark.line for node in compose_documents("---\na: 1\n---\n---\nb: 2\n")] == [1, 4]


def test_one_loader_reads_all_yaml() -> None:
    sources = [path for path in CONFIGS.parent.rglob("*.py") if path.name != "yaml_files.py"]
    ways = ("yaml.load", "yaml.safe_load", "yaml.compose")
    loading = [path for path in sources if any(way in path.read_text("utf-8") for way in ways)]
    assert (len(sources) > 30, loading) == (True, [])
