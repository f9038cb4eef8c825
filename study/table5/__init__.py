"""The paper's table 5: plan -> contestants -> cells, chosen two ways -> rows and differences -> table and plot."""
