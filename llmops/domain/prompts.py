"""What a prompt renders to."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat, ready to be sent."""

    role: Role
    content: str

    def to_json(self) -> dict[str, str]:
        """The OpenAI shape."""
        return {"role": self.role, "content": self.content}
