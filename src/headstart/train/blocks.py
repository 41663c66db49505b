"""Splits any `nn.Module` into blocks, ordered from input to output.

Partial freezing, gradual unfreezing, layer-wise learning rates and features of earlier layers all use this list. timm
models define their own groups (`group_matcher`), and transformers models name the classes that must stay whole
(`_no_split_modules`). Other models are split where a container holds repeated composite layers, and one forward pass
shows the order in which the blocks run.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from headstart.errors import ModelError

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class Block:
    """Adjacent layers that share a learning rate and are frozen and unfrozen together; names are dotted."""

    name: str
    parameters: tuple[str, ...]
    modules: tuple[str, ...]  # the modules that are entirely in this block
    head: bool = False


def ordered_blocks(
    module: nn.Module, *, head: str | Sequence[str] | None = None, run: Callable[[], object] | None = None
) -> tuple[Block, ...]:
    """The model's blocks from input to output. Each parameter is in exactly one block; the head, if any, is last.

    Args:
        module: Any model; it is not changed.
        head: Dotted name of the classifier inside `module`, or of several that the model averages.
        run: Runs the model on a small batch, to find the order in which blocks run. By default they keep the order in
            which they were registered. timm models do not need it.

    Raises:
        ModelError: `head` names no module (the message lists candidates), or the model has no parameters.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
        >>> [(block.name, len(block.parameters)) for block in ordered_blocks(net, head="4")]
        [('0', 4), ('4', 2)]
    """
    names = [name for name, _ in module.named_parameters()]
    if not names:
        raise ModelError(f"{type(module).__name__} has no parameters, so there is nothing to order or to train.")
    heads = [head] if isinstance(head, str) else list(head or ())
    in_head = {name for single in heads for name in _head_parameters(module, single)}
    groups = _timm_groups(module) or _cut_groups(module, heads, run)
    groups = [[name for name in group if name not in in_head] for group in groups]
    groups = [group for group in groups if group]
    sizes = {name: parameter.numel() for name, parameter in module.named_parameters()}
    everywhere = _prefix_sizes(names, sizes)
    blocks = [(_block_name(group, sizes, everywhere), group, False) for group in groups]
    if in_head:
        blocks.append((heads[0], [name for name in names if name in in_head], True))
    owners = _module_owners(module, [group for _, group, _ in blocks])
    return tuple(
        Block(name, tuple(group), tuple(m for m, owner in owners.items() if owner == i), is_head)
        for i, (name, group, is_head) in enumerate(_distinct(blocks))
    )


def _head_parameters(module: nn.Module, head: str) -> frozenset[str]:
    try:
        layer = module.get_submodule(head)
    except AttributeError:
        kinds = (nn.Linear, nn.Conv1d, nn.Conv2d)
        found = [f"`{name}`" for name, layer in module.named_modules() if isinstance(layer, kinds) and name]
        candidates = ", ".join(found[::-1][:5]) or "none"
        raise ModelError(
            f"`head` must name a module of {type(module).__name__}; there is no {head!r}. Candidates: {candidates}."
        ) from None
    own = {id(parameter) for parameter in layer.parameters()}
    return frozenset(name for name, parameter in module.named_parameters() if id(parameter) in own)


def _timm_groups(module: nn.Module) -> list[list[str]]:
    """The groups that a timm model defines, also inside a wrapper, whose own parameters come last."""
    name, inner = next(((n, m) for n, m in module.named_modules() if hasattr(m, "group_matcher")), ("", None))
    if inner is None:
        return []
    from timm.models import group_parameters

    prefix = f"{name}." if name else ""
    grouped = group_parameters(inner, inner.group_matcher(coarse=False))
    groups = [[prefix + parameter for parameter in grouped[i]] for i in sorted(grouped)]
    placed = {parameter for group in groups for parameter in group}
    added: dict[str, list[str]] = {}
    for parameter, _ in module.named_parameters():
        if parameter not in placed:
            added.setdefault(parameter.rpartition(".")[0], []).append(parameter)
    return [*groups, *added.values()]


def _cut_groups(module: nn.Module, heads: list[str], run: Callable[[], object] | None) -> list[list[str]]:
    """Split the module tree into units, sort them, and merge norms and single parameters into adjacent units."""
    units = [unit for unit in _units(module, _unsplittable(module), heads) if unit[0] not in heads]
    while len(units) < 2 and (widest := _splittable(units)) is not None:
        position = units.index(widest)
        prefix, whole = widest
        parts = [(f"{prefix}.{name}" if prefix else name, child) for name, child in whole.named_children()]
        units[position : position + 1] = [(name, child) for name, child in parts if _has_parameters(child)]
    if run is not None:
        units = _in_order_of_use(units, run)
    return _join(module, units)


def _unsplittable(module: nn.Module) -> frozenset[str]:
    """The classes that transformers does not split, if the model has several of each."""
    named = {name for layer in module.modules() for name in getattr(layer, "_no_split_modules", None) or ()}
    counts = [type(layer).__name__ for layer in module.modules()]
    return frozenset(name for name in named if counts.count(name) >= 2)


def _units(
    module: nn.Module, whole: frozenset[str], heads: list[str], prefix: str = ""
) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        path = f"{prefix}.{name}" if prefix else name
        if not _has_parameters(child):
            continue
        holds_head = any(head.startswith(f"{path}.") for head in heads)
        if type(child).__name__ not in whole and (holds_head or _expands(child)):
            yield from _units(child, whole, heads, path)
        else:
            yield path, child


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _weights(module: nn.Module) -> int:
    """The number of layers in the module that have a weight matrix."""
    return sum(any(p.ndim >= 2 for p in layer.parameters(recurse=False)) for layer in module.modules())


def _expands(module: nn.Module) -> bool:
    """Whether the module is a stack of layers, such as a stage, and not a single one, such as a residual block."""
    if isinstance(module, _CONTAINERS):
        return _weights(module) >= 2
    stacks = (layer for layer in module.modules() if isinstance(layer, _CONTAINERS))
    return any(sum(_weights(child) >= 2 for child in stack.children()) >= 2 for stack in stacks)


def _splittable(units: list[tuple[str, nn.Module]]) -> tuple[str, nn.Module] | None:
    """The unit with the most parameters among those of several layers; None if each is a single layer."""
    composite = [unit for unit in units if _weights(unit[1]) >= 2 and any(True for _ in unit[1].children())]
    return max(composite, key=lambda unit: sum(p.numel() for p in unit[1].parameters()), default=None)


def _in_order_of_use(units: list[tuple[str, nn.Module]], run: Callable[[], object]) -> list[tuple[str, nn.Module]]:
    """Sort units by when they first run; a unit that never runs stays behind the one before it."""
    called: dict[int, int] = {}

    def note(layer: nn.Module, _: object) -> None:
        called.setdefault(id(layer), len(called))

    hooks = [layer.register_forward_pre_hook(note) for _, unit in units for layer in unit.modules()]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    keys: list[float] = []
    for _, unit in units:  # of a ModuleList only the parts run
        first = min((called[id(layer)] for layer in unit.modules() if id(layer) in called), default=None)
        keys.append(first if first is not None else (keys[-1] if keys else -1.0))
    return [unit for _, unit in sorted(zip(keys, units, strict=True), key=lambda pair: pair[0])]


def _join(module: nn.Module, units: list[tuple[str, nn.Module]]) -> list[list[str]]:
    """Parameter names per block: a norm joins the block before it, a lone parameter the first block near it."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    groups: list[list[str]] = []
    placed: set[int] = set()
    for _, unit in units:
        fresh = [p for p in unit.parameters() if id(p) not in placed]  # a tied weight belongs to its first unit
        placed.update(id(p) for p in fresh)
        if groups and all(p.ndim <= 1 for p in fresh):
            groups[-1].extend(names[id(p)] for p in fresh)
        elif fresh:
            groups.append([names[id(p)] for p in fresh])
    lone = [name for key, name in names.items() if key not in placed]
    if not groups:
        return [lone]
    for name in lone:  # class tokens and position embeddings belong to a module that was split
        owner = name.rpartition(".")[0]
        beside = (group for group in groups if any(other.startswith(f"{owner}.") or not owner for other in group))
        next(beside, groups[0]).insert(0, name)
    return groups


def _prefix_sizes(parameters: Iterable[str], sizes: dict[str, int]) -> dict[str, int]:
    """The number of weights under each dotted prefix."""
    found: dict[str, int] = {}
    for name in parameters:
        parts = name.split(".")[:-1]
        for depth in range(1, len(parts) + 1):
            prefix = ".".join(parts[:depth])
            found[prefix] = found.get(prefix, 0) + sizes[name]
    return found


def _block_name(parameters: list[str], sizes: dict[str, int], everywhere: dict[str, int]) -> str:
    """The shortest prefix that is this block's alone and covers most of its weights, such as `layer4.1`."""
    covered = _prefix_sizes(parameters, sizes)
    total = sum(sizes[name] for name in parameters)
    most = [prefix for prefix, size in covered.items() if size * 2 > total]
    alone = [prefix for prefix in most if covered[prefix] == everywhere[prefix]]
    if alone:
        return min(alone, key=lambda name: name.count("."))
    return max(most, key=lambda name: name.count("."), default=parameters[0].rpartition(".")[0] or parameters[0])


def _distinct(blocks: list[tuple[str, list[str], bool]]) -> Iterator[tuple[str, list[str], bool]]:
    """Make names unique: where two blocks share a prefix, the second is named after its first module."""
    seen = {name for name, _, is_head in blocks if is_head}
    for name, group, is_head in blocks:
        if not is_head and name in seen:
            options = [parameter.rpartition(".")[0] for parameter in group]
            name = next((option for option in options if option and option not in seen), group[0])
        seen.add(name)
        yield name, group, is_head


def _module_owners(module: nn.Module, groups: list[list[str]]) -> dict[str, int]:
    """The block index of each module; modules that span several blocks are left out.

    A module without parameters (dropout, activation) belongs to its parent's block or, if the parent spans several,
    to that of the module registered before it.
    """
    block_of = {name: i for i, group in enumerate(groups) for name in group}
    by_id = {id(parameter): block_of[name] for name, parameter in module.named_parameters()}
    owners: dict[str, int] = {}
    last: dict[str, int] = {}  # parent -> block of its latest child with a block
    for name, layer in module.named_modules():
        inside = {by_id[id(parameter)] for parameter in layer.parameters()}
        parent = name.rpartition(".")[0]
        if len(inside) == 1:
            owners[name] = inside.pop()
        elif not inside:
            owners[name] = owners.get(parent, last.get(parent, 0)) if name else 0
        if name in owners or inside:
            last[parent] = owners.get(name, max(inside, default=0))
    return owners
