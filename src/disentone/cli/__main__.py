"""``python -m disentone.cli``: what torchrun starts."""

from disentone.cli import main

main()
