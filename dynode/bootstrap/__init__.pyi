from dynode.bootstrap.commands import main as main
