"""What a type checker says of calls, checked by `make types`: there an `ignore` that hides no error is an error."""

import headstart as hs


def calls() -> None:
    hs.transfer("x", "y", epochs=3, rank=2, label_column="z")
    hs.transfer("x", "y", epohcs=3)  # type: ignore[call-arg]  # there is no such option
    hs.transfer("x", "y", epochs="3")  # type: ignore[arg-type]  # an int is wanted
