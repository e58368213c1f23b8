"""Generate the documentation that comes from the code: commands, files, and the description of the API.

`make reference` writes docs/reference/commands.md, the tables in ARCHITECTURE.md, docs/openapi.json and its examples. A
test checks that they are up to date.
"""

import argparse
import ast
import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS_PAGE = ROOT / "docs" / "reference" / "commands.md"
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
OPENAPI = ROOT / "docs" / "openapi.json"
FOLDERS = (
    "handler",
    "export",
    "export/language",
    "training",
    "training/choice",
    "training/imports",
    "training/evaluation",
    "training/review",
    "training/publishing",
    "training/launch",
    "training/many",
    "training/parallel",
    "training/search",
    "ludwig_serverless",
    "ludwig_serverless/batch",
    "ludwig_serverless/cost",
    "ludwig_serverless/simulation",
    "deploy",
    "scripts",
    "benchmarks",
    "benchmarks/quality",
)
TABLE = re.compile(r"(<!-- files of (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
COLUMNS = "100"
HEAD = """# Commands

`make reference` writes this page from the commands' own help. In a checkout of the repository,
`python -m ludwig_serverless` runs the same commands without an installation.

"""


def main() -> int:
    """Write all pages, and return the exit status."""
    from handler.openapi import EXAMPLES
    from scripts import api_examples

    COMMANDS_PAGE.write_text(commands_page(), encoding="utf-8")
    ARCHITECTURE.write_text(architecture(), encoding="utf-8")
    EXAMPLES.write_text(api_examples.page(), encoding="utf-8")
    OPENAPI.write_text(openapi(), encoding="utf-8")
    print("\n".join(str(path.relative_to(ROOT)) for path in (COMMANDS_PAGE, ARCHITECTURE, EXAMPLES, OPENAPI)))
    return 0


def commands_page() -> str:
    """Return the page of commands: one section per command and subcommand."""
    os.environ["COLUMNS"] = COLUMNS  # argparse wraps to the terminal's width
    from handler.command_line import build_parser
    from ludwig_serverless.cli import ABOUT, find_commands

    program = "ludwig-serverless"
    parser = build_parser(program, ABOUT, find_commands())
    return HEAD + "\n".join([_section(f"## {program}", parser), *_subcommands(parser, program)])


def openapi() -> str:
    """Return the description of the API with every optional route, the default limits and no particular models."""
    from scripts.api_examples import ask, every_route

    described = json.loads(ask(every_route(), "GET", "/openapi.json").body)
    return json.dumps(described, ensure_ascii=False, indent=1) + "\n"


def architecture() -> str:
    """Return ARCHITECTURE.md with updated tables; a file's line is the first paragraph of its docstring."""
    return TABLE.sub(
        lambda found: found[1] + files_table(found[2]) + found[4], ARCHITECTURE.read_text(encoding="utf-8")
    )


def files_table(folder: str) -> str:
    """Return a table of the Python files in one folder of the repository.

    Args:
        folder: Path in the repository, such as `training/imports`. Subfolders have separate tables.
    """
    lines = ["| file | purpose |", "|---|---|"]
    for path in sorted((ROOT / folder).glob("*.py")):
        if path.name != "__init__.py":
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            lines.append(f"| `{path.name}` | {docstring.partition('\n\n')[0].replace('\n', ' ').replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def _subcommands(parser: argparse.ArgumentParser, program: str) -> list[str]:
    """Return the sections of a parser's subcommands, in the order of their definition."""
    sections = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                sections.append(_section(f"### {program} {name}", command))
                sections += _subcommands(command, f"{program} {name}")
    return sections


def _section(title: str, parser: argparse.ArgumentParser) -> str:
    return f"{title}\n\n```text\n{parser.format_help().strip()}\n```\n"


if __name__ == "__main__":
    raise SystemExit(main())
