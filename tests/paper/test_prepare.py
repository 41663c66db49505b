"""What a request of the table comes to: which rows can be run with the data and the models at hand."""

import pytest

from headstart.errors import InputError
from headstart_paper import reproduce
from headstart_paper.data_sets import DataSet
from headstart_paper.reproduce import Request, prepare


def test_a_data_set_is_opened_once_however_many_rows_are_drawn_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    def open_data_set(name: str, **options: object) -> DataSet:
        opened.append(name)
        if name == "cifar100":
            raise InputError("it is not here")
        return DataSet(name, name, None, None)  # type: ignore[arg-type]  # not looked into

    monkeypatch.setattr(reproduce, "open_data_set", open_data_set)
    monkeypatch.setattr(reproduce, "_unfit", lambda part, data, scale: None)
    setup = prepare(Request("table1", models=("cifar10=net",)))
    assert sorted(opened) == ["cifar100", "fashion-mnist"]
    assert len(setup.pieces) > 5
    assert sum("it is not here" in reason for reason in setup.missing) > 5
