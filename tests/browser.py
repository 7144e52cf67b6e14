"""Headless Chromium over its debugging pipe: open a page, run JavaScript in it, collect what its console says."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-extensions",
)


def program() -> str | None:
    """Chromium or Chrome, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab. `said` holds errors and warnings of its console, `asked` the addresses that it asked for."""

    def __init__(self, to: int, back: int) -> None:
        self.to, self.back, self.rest, self.number = to, back, b"", 0
        self.said: list[str] = []
        self.asked: list[str] = []
        self.session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for part in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{part}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the DevTools protocol."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            read = os.read(self.back, 1 << 20)
            assert read, "the browser has ended"
            self.rest += read
        line, _, self.rest = self.rest.partition(b"\0")
        message = json.loads(line)
        method, told = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown" or (
            method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert")
        ):
            self.said.append(json.dumps(told)[:500])
        if method == "Log.entryAdded":
            self.said.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        if method == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"][:200])
        return message

    def open(self, address: str) -> None:
        """Load an address, and wait until the document is complete."""
        self.call("Page.navigate", url=address)
        end = time.monotonic() + 30
        while self.js("document.readyState + location.href.slice(0, 5)") != "complete" + address[:5]:
            assert time.monotonic() < end, f"{address} does not load"
            time.sleep(0.05)

    def js(self, code: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def look(self, width: int, height: int, dark: bool = False) -> None:
        """The size of the window and the preferred colours."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """A PNG of the page."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))


@contextmanager
def page() -> Iterator[Page]:
    """A browser with one tab."""
    chromium = program()
    assert chromium is not None
    (read, to), (back, write) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        flags = [*FLAGS, f"--user-data-dir={folder}", "--remote-debugging-pipe"]
        line = ["bash", "-c", f'exec "$0" "$@" 3<&{read} 4>&{write}', chromium, *flags]
        browser = subprocess.Popen(
            line, pass_fds=(read, write), stderr=subprocess.DEVNULL, env=os.environ | {"HOME": folder}
        )
        os.close(read)
        os.close(write)
        try:
            yield Page(to, back)
        finally:
            os.close(to)
            os.close(back)
            browser.terminate()
            browser.wait(timeout=20)
