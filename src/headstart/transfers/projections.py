"""Where a transformer layer projects back to its width: after attention, and at the end of its feed-forward part.

Found by what a forward pass does, not by name: a layer's last matrix product leads back from a wider space, the product
that led there came from the layer's width, and the last one before that with this width ended the attention.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from headstart.transfers.network import Transferable


@dataclass(frozen=True)
class Projections:
    """Names of the two modules whose outputs are added to a transformer layer's stream, and its width."""

    attention: str
    feed_forward: str
    width: int


@dataclass(frozen=True)
class _Product:
    """One call of a module that multiplies tokens by a matrix."""

    module: str
    entering: int
    leaving: int


def projections(model: Transferable) -> dict[str, Projections]:
    """Block -> its projections, for the blocks that are transformer layers."""
    found = {}
    for block, products in _products(model).items():
        pair = _pair(products)
        if pair is not None:
            found[block] = Projections(pair[0].module, pair[1].module, pair[1].leaving)
    return found


def _pair(products: list[_Product]) -> tuple[_Product, _Product] | None:
    down = products[-1]
    if down.entering == down.leaving:
        return None
    ups = [i for i, p in enumerate(products) if p.entering == down.leaving and p.leaving % down.entering == 0]
    if not ups:
        return None
    first = ups[-1]
    while first - 1 in ups:  # a gated unit has two products side by side
        first -= 1
    before = [product for product in products[:first] if product.leaving == down.leaving]
    return (before[-1], down) if before else None


def _products(model: Transferable) -> dict[str, list[_Product]]:
    """Block -> its matrix products over tokens, in the order in which the probe meets them."""
    owner = {module: block.name for block in model.body for module in block.modules}
    met: dict[str, list[_Product]] = {}
    hooks = []
    for name, module in model.network.named_modules():
        if name in owner and _multiplies(module):

            def note(
                _: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any, name: str = name
            ) -> None:
                entering = next((x for x in (*inputs, *named.values()) if isinstance(x, Tensor)), None)
                leaving = output[0] if isinstance(output, tuple) else output
                if entering is not None and leaving.ndim >= 3:
                    met.setdefault(owner[name], []).append(_Product(name, entering.shape[-1], leaving.shape[-1]))

            hooks.append(module.register_forward_hook(note, with_kwargs=True))
    model.observe(hooks)
    return met


def _multiplies(module: nn.Module) -> bool:
    """Whether a module is a linear layer of any library, or torch's attention, which projects without calling one."""
    if isinstance(module, nn.MultiheadAttention):
        return True
    weight = getattr(module, "weight", None)
    alone = next(module.children(), None) is None and not isinstance(module, nn.Embedding)
    return alone and isinstance(weight, Tensor) and weight.ndim == 2
