"""The types of the requests' fields, from which the API's description is generated.

The routes read fields one by one, so that each error names what is wrong. A test compares the names that they read with
these types. Nothing loads this module before a request asks for the description.
"""

from typing import Literal, NotRequired, TypedDict

from handler.tables import RequestTable

Names = str | list[str] | None


class PredictFields(TypedDict):
    """One row of values. Other fields than these are values of the models' input columns.

    Attributes:
        text: The message. Every model with one input reads it; null is a missing value, which some models can fill in.
        model: The models to ask, as a list or separated by commas; all models if it is missing, empty or null.
    """

    text: NotRequired[str | None]
    model: NotRequired[Names]


class BatchFields(TypedDict):
    """Several rows of values.

    Attributes:
        dataset: The rows, in pandas' "split" orientation. A form sends the same as a JSON string.
        model: The models to ask, as a list or separated by commas; all models if it is missing, empty or null.
    """

    dataset: RequestTable
    model: NotRequired[Names]


class UnderstandFields(TypedDict):
    """A message to understand.

    Attributes:
        text: The message.
        intents: The only intents to answer, as a list or separated by commas; all if missing, empty or null.
        model: The models to ask, as a list or separated by commas; all models if it is missing, empty or null.
        explain: True adds `explanation` to the answer: the thresholds, and why each label counts or not.
    """

    text: str
    intents: NotRequired[Names]
    model: NotRequired[Names]
    explain: NotRequired[bool | Literal["true", "1", "false", "0", ""] | None]


class ParseFields(TypedDict):
    """A message in the format of Hexabot v2's helpers. Other fields are ignored.

    Attributes:
        q: The message.
    """

    q: str
