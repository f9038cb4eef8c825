"""Section 3 of the paper, repeated with peers: interactions -> contestants -> results/ -> tables and plots."""
