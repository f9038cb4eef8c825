"""The paper's section 3 again, beside peers: interactions -> contestants -> results/ -> tables and plots."""
