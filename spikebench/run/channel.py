"""What the process of a job says to its parent, and is answered, while it works."""

import json
import os
from typing import TextIO


class Channel:
    """Lines between a job's process and the parent: it says something, and waits for the answer."""

    def __init__(self, say: TextIO, heard: int) -> None:
        self._say, self._answers = say, os.fdopen(os.dup(heard), "rb", buffering=0)

    def tell(self, **line: object) -> None:
        """Say something that wants no answer."""
        print(json.dumps(line), file=self._say)

    def _ask(self, **line: object) -> dict[str, str]:
        self.tell(**line)
        return json.loads(self._answers.readline() or b"{}")

    def turn(self) -> None:
        """Comes back when the parent gives this process its turn."""
        self._ask(turn=True)

    def draw(self, what: str, event: list[str | int] | None = None) -> str:
        """A seed that the parent draws now, for what it is told; it notes its own clock, too."""
        return self._ask(draw=what, event=event)["seed"]

    def nonce(self) -> str:
        """The number that a result needs to count. Nobody in this process can know it before its work is over."""
        return self._ask(done=True).get("nonce", "")
