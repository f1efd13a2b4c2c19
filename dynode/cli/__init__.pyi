from dynode.cli.dispatch import main as main
