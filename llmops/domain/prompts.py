"""What a prompt renders to, and the words for its versions and files."""

from typing import Literal

from llmops.domain.records import record

Role = Literal["system", "user", "assistant"]
Bump = Literal["major", "minor", "patch"]
"""The part of a version that is raised."""
PromptFormat = Literal["prompty", "text", "openai", "promptfoo"]
"""Of a file that holds prompts for other tools."""


@record
class Message:
    """One message of a chat, ready to be sent."""

    role: Role
    content: str

    def to_json(self) -> dict[str, str]:
        """The OpenAI shape."""
        return {"role": self.role, "content": self.content}
