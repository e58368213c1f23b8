"""Assemble a page from `handler/pages`: one self-contained response with a strict Content-Security-Policy."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from handler.messages import Answer

PAGES = Path(__file__).parent / "pages"
INLINED = re.compile(
    r'<link rel="stylesheet" href="(?P<style>[\w-]+\.css)">|<script src="(?P<script>[\w-]+\.js)"></script>'
)
"""The tags that a page's HTML uses for files of the same folder. Each is replaced by the content of its file."""
SAFE_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@cache
def page(name: str, *, connects_to: str = "'self'") -> Answer:
    """Return a page with its stylesheets and scripts inlined.

    The policy allows exactly the inlined styles and scripts, by their hashes. A page must not use `style` attributes or
    event handler attributes; scripts may set `element.style`.

    Args:
        name: The page's name: `playground` is `handler/pages/playground.html`.
        connects_to: The addresses that the page's scripts may send requests to, as CSP's `connect-src` lists them.

    Returns:
        The response, status 200. It is read and hashed once.

    Raises:
        ValueError: A file contains the end tag of the element that it is inlined into.
    """
    hashes: dict[str, list[str]] = {"script": [], "style": []}

    def inline(found: re.Match[str]) -> str:
        tag = str(found.lastgroup)
        content = f"\n{(PAGES / found[tag]).read_text(encoding='utf-8')}"
        if f"</{tag}" in content.lower():
            raise ValueError(f"{found[tag]} contains </{tag}, which would end its element: split the string.")
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        hashes[tag].append(f"'sha256-{digest}'")
        return f"<{tag}>{content}</{tag}>"

    body = INLINED.sub(inline, (PAGES / f"{name}.html").read_text(encoding="utf-8"))
    policy = (
        f"default-src 'none'; script-src {_sources(hashes['script'])}; style-src {_sources(hashes['style'])}; "
        f"img-src data:; connect-src {connects_to}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Answer(200, {**SAFE_HEADERS, "content-security-policy": policy}, body.encode())


def _sources(hashes: list[str]) -> str:
    return " ".join(hashes) or "'none'"
