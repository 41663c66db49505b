"""A real notebook: what a ranking and its figure show as the last line of a cell."""

import sys
from pathlib import Path

import pytest
from tests.records.test_ranking_text import ranking, row

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")  # Jupyter's own


def test_a_ranking_and_its_plot_are_shown_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    ranking(row("zoo/a", 1), row("zoo/b", 2)).save(tmp_path)
    cells = [
        "from headstart.records import Ranking\nranking = Ranking.load('.')\nranking",
        "print(ranking)",
        "ranking.plot()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python", "language": "python"}
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.create_kernel_manager().kernel_cmd = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    client.execute()
    shown, printed, plotted = (cell.outputs[0] for cell in notebook.cells)
    assert "<table" in shown.data["text/html"]
    assert "zoo/b" in shown.data["text/html"]
    assert len(shown.data["text/plain"].splitlines()) <= 5
    assert printed.text.startswith("toys: 250 images in 3 classes")
    assert "image/png" in plotted.data
