"""Dates in an image without a time zone database, which dateutil needs only for named zones."""

import json

from tests.handler.deployment import run_python

ENCODE = """
import json, sys
if sys.argv[1] == "without":
    sys.modules["tzdata"] = None
from handler.inputs import DateInput
moments = DateInput(name="at", column="at", fill_value="2001-02-03").encode(json.loads(sys.argv[2]))
print(json.dumps(moments.tolist()))
"""
TEXTS = ["2024-03-10 10:00 EST", "10 March 2024 10am CET", "2024-03-10T10:00:00Z", "2024-03-10T10:00+02:00", "nothing"]


def test_dates_are_read_without_a_time_zone_database() -> None:
    asked = json.dumps(TEXTS)
    with_zones = run_python("-W", "ignore", "-c", ENCODE, "with", asked)
    without = run_python("-W", "ignore", "-c", ENCODE, "without", asked, PYTHONTZPATH="")
    assert (without.returncode, without.stderr) == (0, "")
    assert without.stdout == with_zones.stdout
    assert json.loads(without.stdout)[0][:6] == [2024, 3, 10, 6, 70, 10]
