"""The inner loops over rows of probabilities: one row at a time, in float64, without temporaries.

`rows` are (b, z) and need not sum to one: `scale` (b,) holds 1 / sum of each. `codes` (b,) are target classes.
"""

from typing import no_type_check

import numpy as np

from headstart.scores._compiled import compiled

# A source class whose remaining mass is below this share of its whole is rounding left over from a subtraction.
EMPTY = 1e-13


@compiled
@no_type_check
def count(rows, codes, scale, joint):
    """Write each row's scale; add the scaled row to its class in `joint` (C, z)."""
    for i in range(rows.shape[0]):
        row = rows[i]
        total = 0.0
        for k in range(row.size):
            total += row[k]
        inverse = 1.0 / total
        scale[i] = inverse
        into = joint[codes[i]]
        for k in range(row.size):
            into[k] += row[k] * inverse


@compiled
@no_type_check
def count_scaled(rows, codes, scale, joint):
    """Add each scaled row to its class in `joint` (C, z), the scales known."""
    for i in range(rows.shape[0]):
        row = rows[i]
        inverse = scale[i]
        into = joint[codes[i]]
        for k in range(row.size):
            into[k] += row[k] * inverse


@compiled
@no_type_check
def likelihood(rows, codes, scale, head, out):
    """out[i] = sum over z of head[y_i, z] p_i[z]."""
    for i in range(rows.shape[0]):
        row = rows[i]
        weights = head[codes[i]]
        total = 0.0
        for k in range(row.size):
            total += weights[k] * row[k]
        out[i] = total * scale[i]


@compiled
@no_type_check
def likelihood_without_own(rows, codes, scale, joint, mass, out):
    """out[i] = sum over z of p_i[z] (joint[y_i, z] - p_i[z]) / (mass[z] - p_i[z]); prior counts are in the sums."""
    for i in range(rows.shape[0]):
        row = rows[i]
        inverse = scale[i]
        counts = joint[codes[i]]
        total = 0.0
        for k in range(row.size):
            p = row[k] * inverse
            rest = mass[k] - p
            ratio = (counts[k] - p) / rest
            total += p * ratio if rest > EMPTY * mass[k] else 0.0
        out[i] = total


@compiled
@no_type_check
def expectation(rows, codes, scale, head, gradient):
    """Add p_i / f_i to `gradient` at class y_i, where f_i is the likelihood under `head`; return sum of log f_i."""
    total = 0.0
    for i in range(rows.shape[0]):
        row = rows[i]
        weights = head[codes[i]]
        inside = 0.0
        for k in range(row.size):
            inside += weights[k] * row[k]
        total += np.log(inside * scale[i])
        into = gradient[codes[i]]
        inverse = 1.0 / inside
        for k in range(row.size):
            into[k] += row[k] * inverse
    return total
