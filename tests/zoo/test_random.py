"""Random models: whatever Ludwig trains of the supported choices, put together in any way, is exported exactly.

A few in each run of the tests, always the same; `make fuzz EXAMPLES=500` draws as many others as you have hours for.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tests.zoo.models import ENCODERS, INPUTS, OUTPUTS, PREPROCESSING, TOKENIZERS, Config, model
from tests.zoo.proof import TrainingFailed, train_and_prove

EXAMPLES = os.environ.get("ZOO_EXAMPLES")
MOST_FEATURES = 3
SEQUENCES = ("sequence", "tagger")

pytestmark = [pytest.mark.ludwig, pytest.mark.filterwarnings("ignore")]


def single_outputs() -> list[Config]:
    """Return the outputs that need no sequence and no other output."""
    configs = [
        config["output_features"] for name, config in OUTPUTS.items() if not any(word in name for word in SEQUENCES)
    ]
    return [outputs[0] for outputs in configs if len(outputs) == 1]


def by_name(features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep one feature per name."""
    return list({feature["name"]: feature for feature in features}.values())


@st.composite
def configurations(draw: st.DrawFn) -> Config:
    source = draw(st.sampled_from([*TOKENIZERS.values(), *PREPROCESSING.values()]))
    encoder = draw(st.sampled_from([feature["encoder"] for feature in ENCODERS.values()]))
    others = draw(st.lists(st.sampled_from(list(INPUTS.values())), max_size=MOST_FEATURES))
    outputs = by_name(draw(st.lists(st.sampled_from(single_outputs()), min_size=1, max_size=MOST_FEATURES)))
    answered = {output["name"] for output in outputs}
    inputs = [feature for feature in by_name(others) if feature["name"] not in answered]
    return model({**source, "encoder": encoder}, *inputs, outputs=outputs)


@settings(
    max_examples=int(EXAMPLES or 5),
    derandomize=EXAMPLES is None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(config=configurations())
def test_a_random_model_is_exported_exactly(config: Config) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            parities = train_and_prove(config, Path(folder))
        except TrainingFailed:
            assume(False)
        else:
            assert all(parity.passed for parity in parities.values())
