"""Draw docs/answer.svg: answers of the shipped bundles as `ludwig-serverless ask` prints them."""

import io
import re
from pathlib import Path

from rich.console import Console
from rich.text import Text

from handler.hexabot import load_service
from handler.local_commands import answer_table
from handler.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "answer.svg"
MESSAGES = (
    "book me a flight to New York next friday morning",
    "je cherche un vol pour Tunis demain matin",
    "أريد حجز غرفة في القاهرة",
)
FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
"""rich's SVG loads fonts from another host; without these rules, the reader's monospace font is used."""


def render() -> str:
    """Return the picture as SVG. Numbers have two decimals, so that they are the same on every processor."""
    service = load_service(Settings(bundles=(str(ROOT / "examples" / "bundles"),), open=True))
    console = Console(record=True, width=104, file=io.StringIO(), force_terminal=True)
    for message in MESSAGES:
        console.print(
            Text.assemble(("$ ", "dim"), ("ludwig-serverless ask bundles ", "green"), (f'"{message}"', "bold"))
        )
        lines = answer_table(message, service.predict({"text": message}).answer).splitlines()[1:]
        for line in lines:
            console.print(Text(re.sub(r"\d\.\d{3}", lambda found: f"{float(found[0]):.2f}", line)))
        console.print()
    drawn = console.export_svg(title="ludwig-serverless", unique_id="answer")
    return FONTS.sub("", drawn)


if __name__ == "__main__":
    PICTURE.write_text(render(), encoding="utf-8")
