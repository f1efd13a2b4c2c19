"""The systems that the paper compares with; STIT, TCSVE and DynODE in TCSVE tune the generator on a shot and stitch its frames."""
