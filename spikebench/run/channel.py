"""What a server, and the process of a job while it works, say to their parent, and what they are answered."""

import json
import os
from typing import TextIO


class Channel:
    """Lines of JSON between a process and its parent: the process says something, and may wait for the answer."""

    def __init__(self, say: TextIO, heard: int) -> None:
        """`say` is where it writes. It reads answers from a copy of the descriptor `heard`, so that this one may be closed."""
        self._say, self._answers = say, os.fdopen(os.dup(heard), "rb", buffering=0)

    def tell(self, **line: object) -> None:
        """Say something that wants no answer."""
        print(json.dumps(line), file=self._say)

    def _ask(self, **line: object) -> dict[str, str]:
        self.tell(**line)
        return json.loads(self._answers.readline() or b"{}")

    def turn(self) -> None:
        """Wait until the parent lets this process take its next sample, while those it is interleaved with wait."""
        self._ask(turn=True)

    def draw(self, what: str, event: list[str | int] | None = None) -> str:
        """A seed that the parent draws now, for what it is told; it notes its own clock, too."""
        return self._ask(draw=what, event=event)["seed"]

    def nonce(self) -> str:
        """The number that a result needs to count. Nobody in this process can know it before its work is over."""
        return self._ask(done=True).get("nonce", "")
