"""Models on the Hugging Face Hub, by the hub's own mixin, with a card that carries the audit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from huggingface_hub import ModelCard, ModelHubMixin, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

from disentone.audit import Card
from disentone.embeddings.model_files import MODEL_FILES
from disentone.errors import ArtifactError
from disentone.facets import Facets
from disentone.files import write_json

__all__ = ["HubModel", "Trained", "reporting"]

AUDIT = "audit.json"
# Raised by a hub that is not there or refuses; the bases are the HTTP library's and OSError.
_REFUSED: tuple[Any, ...] = (*HfHubHTTPError.__bases__, HFValidationError, EntryNotFoundError)


class Trained(Protocol):
    """What the hub's mixin needs of a trained model."""

    folder: Path | None

    @property
    def facets(self) -> Facets:
        """Facets of its embedding."""
        ...

    @property
    def input_format(self) -> str:
        """Its input, for people."""
        ...

    def save(self, folder: str | Path) -> None:
        """Write its files."""
        ...


class HubModel(
    ModelHubMixin,  # and not PyTorchModelHubMixin, which reads pickles
    library_name="disentone",
    repo_url="https://github.com/disentone/disentone",
    pipeline_tag="feature-extraction",
    tags=["audio", "disentanglement"],
):
    """A trained model as the hub's mixin takes it.

    Parameters
    ----------
    trained : Trained
        The audit beside the files that it was loaded from, where there is one, goes with it.
    """

    def __init__(self, trained: Trained) -> None:
        self.trained = trained

    def _save_pretrained(self, save_directory: Path) -> None:
        audit = self._audit()
        self.trained.save(save_directory)
        if audit is None:
            (save_directory / AUDIT).unlink(missing_ok=True)  # of another model
        else:
            write_json(save_directory / AUDIT, audit.to_json())

    @classmethod
    def _from_pretrained(
        cls, *, model_id: str, load: Callable[[str], Trained], **where: Any
    ) -> HubModel:
        if os.path.isdir(model_id):
            return cls(load(model_id))
        return cls(load(snapshot_download(model_id, allow_patterns=[*MODEL_FILES, AUDIT], **where)))

    def generate_model_card(self, *, title: str) -> ModelCard:
        """Write the card: the model, how to use it, and the results of its audit.

        Parameters
        ----------
        title : str
            Name on the hub, or of the folder.
        """
        model, info, audit = self.trained, self._hub_mixin_info, self._audit()
        found = ["It was not audited: what its facets predict is unknown."]
        return ModelCard(
            "\n".join(
                [
                    f"---\n{info.model_card_data.to_yaml()}\n---\n",
                    f"# {title}\n",
                    f"A model of [disentone]({info.repo_url}): it embeds sound "
                    f"({model.input_format}) as the facets {model.facets.describe()}.\n",
                    "```python\nimport disentone\n",
                    f'model = disentone.Model.from_pretrained("{title}")',
                    f'model.embed("clip.wav")["{model.facets.names[0]}"]\n```\n',
                    "## Audit\n",
                    *(found if audit is None else _findings(audit)),
                    "",
                ]
            )
        )

    def _audit(self) -> Card | None:
        folder = self.trained.folder
        return Card.load(folder / AUDIT) if folder and (folder / AUDIT).is_file() else None


def _findings(audit: Card) -> list[str]:
    """Lines about an audit: its verdict, and a table of what probes predict."""
    factors = list(audit.factors)
    cells: dict[str, dict[str, str]] = {}
    for record in audit.records:
        if record["measure"] == "probe":
            row = cells.setdefault(record["facet"], {})
            row.setdefault(
                record["factor"], f"{_range(record)}, chance {_number(record['chance'])}"
            )
    rows = [[facet, *(row.get(factor, "") for factor in factors)] for facet, row in cells.items()]
    return [
        f"{audit.verdict()}\n",
        f"What probes of each facet predict, with 95 % intervals; `{AUDIT}` has every measure:\n",
        _row(["facet", *factors]),
        _row(["---"] * (len(factors) + 1)),
        *map(_row, rows),
    ]


def _range(record: dict[str, Any]) -> str:
    value, low, high = (_number(record[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.3f}"


def _row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


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
