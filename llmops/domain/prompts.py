"""What a prompt renders to."""

from typing import Literal

from llmops.domain.records import record

Role = Literal["system", "user", "assistant"]


@record
class Message:
    """One message of a chat, ready to be sent."""

    role: Role
    content: str

    def to_json(self) -> dict[str, str]:
        """The OpenAI shape."""
        return {"role": self.role, "content": self.content}
