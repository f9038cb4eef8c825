"""What the README claims about speed and accuracy, measured beside peers in the same run; see README.md here."""
