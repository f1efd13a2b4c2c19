"""What this machine has of all that the package uses, a line a check with its remedy: `dynode doctor`."""
