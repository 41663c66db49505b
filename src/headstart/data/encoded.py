"""Text that comes as bytes, as numpy and HDF5 keep it."""

import numpy as np

from headstart.errors import TargetError


def decoded(value: object, where: str) -> object:
    """Bytes as the text that they are in UTF-8; anything else as it is.

    Raises:
        TargetError: They are in another encoding.

    Example:
        >>> decoded("käse".encode(), "`labels`"), decoded(3, "`labels`")
        ('käse', 3)
    """
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise TargetError(
            f"{where}: {value[:40]!r} is not UTF-8; if it is text, decode it, for example with "
            "`np.char.decode(array, 'latin-1')`."
        ) from error


def text_array(array: np.ndarray, where: str) -> np.ndarray:
    """An array of byte strings as one of text; any other array as it is. Raises as `decoded` does."""
    if not np.issubdtype(array.dtype, np.bytes_):
        return array
    return np.array([decoded(value, where) for value in array.ravel().tolist()], dtype=np.str_).reshape(array.shape)
