"""Features that were computed elsewhere, under the name of a model: `rows/384`."""

from typing import TYPE_CHECKING

from headstart.errors import ModelNameError
from headstart.records import ModelCard
from headstart.sources.adapters import Adapter, adapter

if TYPE_CHECKING:
    from headstart.sources.source import Source


@adapter
class RowsOfNumbers(Adapter):
    """Arrays of numbers, which need no model; the rest of the name is their width."""

    name = "rows"
    placeholder = "WIDTH"
    about = "in Python: no model, for arrays of features that were computed elsewhere"
    example = "rows/384"
    media = ("arrays",)
    typed = False

    def load(self, card: ModelCard, trust_pickle: bool) -> "Source":
        """The network that starts as the identity."""
        from headstart.sources.rows import row_source

        width = card.name.removeprefix(self.prefix)
        if not width.isdigit() or not int(width):
            raise ModelNameError(f"the name must end in the number of features, as in `{self.example}`.")
        return row_source(card, int(width))
