"""Models on the Hugging Face Hub, by the hub's own mixin, with a card that carries the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelHubMixin, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

from disentone.embeddings.model_card import (
    ABOUT,
    AUDIT,
    REPOSITORY,
    Trained,
    card_text,
    write_audited,
)
from disentone.embeddings.model_files import MODEL_FILES
from disentone.errors import ArtifactError

__all__ = ["HubModel", "reporting"]

# Raised by a hub that is not there or refuses; the bases are the HTTP library's and OSError.
_REFUSED: tuple[Any, ...] = (*HfHubHTTPError.__bases__, HFValidationError, EntryNotFoundError)


class HubModel(
    ModelHubMixin,  # and not PyTorchModelHubMixin, which reads pickles
    library_name=ABOUT["library_name"],
    repo_url=REPOSITORY,
    pipeline_tag=ABOUT["pipeline_tag"],
    tags=list(ABOUT["tags"]),  # to which the mixin adds its own
):
    """A trained model as the hub's mixin takes it.

    Parameters
    ----------
    trained : Trained
    """

    def __init__(self, trained: Trained) -> None:
        self.trained = trained

    def _save_pretrained(self, save_directory: Path) -> None:
        write_audited(self.trained, save_directory)

    @classmethod
    def _from_pretrained(
        cls, *, model_id: str, load: Callable[[str], Trained], **where: Any
    ) -> HubModel:
        return cls(load(snapshot_download(model_id, allow_patterns=[*MODEL_FILES, AUDIT], **where)))

    def generate_model_card(self, *, title: str) -> ModelCard:
        """Write the card, under the model's name on the hub."""
        return ModelCard(card_text(self.trained, title))


@contextmanager
def reporting(what: str) -> Iterator[None]:
    """Explain in one sentence that the hub is not there, or refuses or lacks a model."""
    try:
        yield
    except _REFUSED as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0].rstrip(".") if lines else type(error).__name__
        raise ArtifactError(
            f"{what} ({reason}): check its name, the connection, and hf auth login."
        ) from error
