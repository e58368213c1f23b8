"""A start imports msgspec without what it does not need, and leaves no trace of that."""

import json

from tests.handler.deployment import run_python

CODE = """
import sys
import handler.light_imports
light = sorted({"platform", "typing_extensions", "_uuid", "msgspec.inspect", "msgspec._json_schema"} & set(sys.modules))
import gc, json, platform, typing, typing_extensions, uuid
import msgspec

class Node(msgspec.Struct):
    value: "int"
    next: "Node | None" = None

started = gc.isenabled()
handler.light_imports.loaded()
node = msgspec.json.decode(b'{"value": 1, "next": {"value": 2}}', type=Node)
assert uuid.uuid1().version == 1
assert not hasattr(msgspec, "nothing") and not hasattr(msgspec.json, "nothing")
assert msgspec.inspect.type_info(int) == msgspec.inspect.IntType()
assert msgspec.json.schema(int) == {"type": "integer"}
from msgspec.json import schema_components
assert schema_components([int]) == (({"type": "integer"},), {})
print(json.dumps([
    light, started, gc.isenabled(), node.next.value, platform.system(), uuid._platform_system,
    typing.get_type_hints(Node)["value"].__name__, typing_extensions.__name__,
]))
"""


def test_nothing_is_missing_after_a_light_import() -> None:
    finished = run_python("-c", CODE)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout) == [[], False, True, 2, "Linux", "Linux", "int", "typing_extensions"]
