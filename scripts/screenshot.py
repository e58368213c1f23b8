"""Write docs/playground.png: the playground with the shipped bundles, in Debian's Chromium.

Run it after a visible change: `python -m scripts.screenshot`. Fonts differ between machines, so no test compares it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from scripts.ask_emulator import free_port, wait_for_port

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "playground.png"
MESSAGES = (
    "أريد تغيير حجزي رقم CD61LP",
    "is the 9 am flight to Cairo late?",
    "book a flight from Rome to Cape Town sunday",
)


@contextmanager
def running() -> Iterator[str]:
    """Serve the shipped bundles, and yield the playground's address."""
    port = free_port()
    command = [sys.executable, "-m", "handler", "serve", "examples/bundles", "--open", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_port(port, process, "The service did not start.")
            yield f"http://127.0.0.1:{port}/playground"
        finally:
            process.terminate()


def main() -> int:
    """Write the picture, and return the exit status."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("error: Chromium is not installed: `sudo apt-get install chromium`.", file=sys.stderr)
        return 1
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with running() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport={"width": 1200, "height": 1000}, reduced_motion="reduce")
        page.goto(address)
        message = page.get_by_role("textbox", name="Message")
        for text in MESSAGES:
            message.fill(text)
            message.press("Enter")
            page.locator("#history [aria-current=true] .text", has_text=text).wait_for()
        page.screenshot(path=PICTURE, full_page=True)
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
