"""What a prompt renders to, and the words for its versions and files."""

from base64 import b64encode
from typing import Any, Literal

from llmops.domain.records import record

Role = Literal["system", "user", "assistant"]
Bump = Literal["major", "minor", "patch"]
"""The part of a version that is raised."""
PromptFormat = Literal["prompty", "text", "openai", "promptfoo"]
"""Of a file that holds prompts for other tools."""
IMAGE = "\ufffc"
"""Unicode's object replacement character: where an image stands in a message that has images."""


@record
class Image:
    """An image file that a case brings along."""

    name: str
    """Its path as a user would type it."""
    file: str
    """Where it is read."""
    media_type: str
    """Such as `image/png`."""
    digest: str
    """Of its bytes: all that counts of it in keys."""
    data: bytes = b""
    """Its bytes, held while a call is made, no longer."""

    def to_json(self) -> dict[str, Any]:
        """The OpenAI shape of a part of a message.

        Raises:
            ValueError: its bytes have not been read.
        """
        if not self.data:
            raise ValueError(f"{self.name} has not been read")
        url = f"data:{self.media_type};base64,{b64encode(self.data).decode()}"
        return {"type": "image_url", "image_url": {"url": url}}


@record
class Message:
    """One message of a chat, ready to be sent."""

    role: Role
    content: str
    """The text; with images, `IMAGE` stands where each of them does, and nowhere else."""
    images: tuple[Image, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The OpenAI shape: a text, or with images a list of parts."""
        if not self.images:
            return {"role": self.role, "content": self.content}
        first, *others = self.content.split(IMAGE)
        parts = [_text(first)]
        for image, text in zip(self.images, others, strict=True):
            parts += [image.to_json(), _text(text)]
        return {"role": self.role, "content": [part for part in parts if part.get("text") != ""]}

    def keyed(self) -> dict[str, Any]:
        """What counts of it in keys: of an image its digest."""
        images = {"images": [image.digest for image in self.images]} if self.images else {}
        return {"role": self.role, "content": self.content, **images}

    @property
    def shown(self) -> str:
        """The text for people, with the names of its images."""
        if not self.images:
            return self.content
        first, *others = self.content.split(IMAGE)
        return first + "".join(f"[image {image.name}]{text}" for image, text in zip(self.images, others, strict=True))


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text.strip("\n")}
