"""matplotlib's backend in the confined process: Agg, whose `show` outputs the open figures."""

# pyright: basic
import sys

from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas  # pyright: ignore

__all__ = ["FigureCanvas", "show"]


def show(*_: object, **__: object) -> None:
    """Output every open figure as an image, and close it."""
    sys.modules["kernel"].put_figures()
