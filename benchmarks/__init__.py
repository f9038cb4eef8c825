"""Measurements behind the README's claims on speed and accuracy, with peers in the same run; see README.md here."""
