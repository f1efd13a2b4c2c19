"""Errors a user can cause. Everything else that is raised is a defect of ours."""


class UserError(Exception):
    """One plain sentence: what came, what was wanted, what to do. The command line prints it and exits with 2."""
