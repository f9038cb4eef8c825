"""The paper's table 5: plan -> contestants -> cells, chosen in two ways -> rows and differences -> table and plot."""
