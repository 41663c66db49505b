"""A matplotlib figure that a notebook shows; importing this needs matplotlib."""

import io

from matplotlib.figure import Figure


class Drawing(Figure):
    """A figure outside pyplot: it changes no global state, and a notebook shows it as it is returned."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=110)
        return content.getvalue()
