"""Host systems that tune the generator on a shot and stitch its edited frames: STIT, TCSVE, and DynODE in TCSVE."""
