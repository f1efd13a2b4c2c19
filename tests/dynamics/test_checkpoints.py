"""What is said of an interrupted fit."""

import pytest

from dynode.dynamics.fitting import checkpoints


@pytest.mark.parametrize("kept", [[], ["0"], ["0", "1"]], ids=len)
def test_an_interruption_notes_the_checkpoints(tmp_path, kept):
    for shot in kept:
        (tmp_path / f"a[1].fit.{shot}.checkpoint").touch()
    (tmp_path / "b.fit.0.checkpoint").touch()
    with pytest.raises(KeyboardInterrupt) as stop, checkpoints.noting_what_is_kept(tmp_path / "a[1].fit.checkpoint"):
        raise KeyboardInterrupt
    (note,) = stop.value.__notes__
    named = " and ".join(str(tmp_path / f"a[1].fit.{shot}.checkpoint") for shot in kept)
    assert note.startswith(f"the fit so far is kept in {named}, and" if kept else "nothing of the fit is kept yet")
