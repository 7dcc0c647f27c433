"""``python -m disentone``: the command line."""

from disentone.cli import main

main()
