"""A score's value and its value without each group, where the score has no closed form for the second."""

from collections.abc import Callable

import numpy as np

from headstart.errors import InputError
from headstart.scores._inputs import Inputs
from headstart.scores._table import Measured


def leave_groups_out(
    inputs: Inputs, value: float, again: Callable[[np.ndarray], float], notes: tuple[str, ...] = ()
) -> Measured:
    """`value` on all examples, and `again(kept rows)` for each group left out.

    When a group cannot be left out (a class would vanish, say) there is no interval, and a note says why.
    """
    if inputs.group_count == 0:
        return Measured(value, None, notes)
    try:
        deleted = np.array([again(inputs.kept(group)) for group in range(inputs.group_count)])
    except InputError as error:
        reason = str(error).removesuffix(".")  # a note is put into a sentence
        return Measured(value, None, (*notes, f"no interval: with a group left out, {reason}"))
    return Measured(value, deleted, notes)
