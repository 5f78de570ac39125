pm.variables.set(about.variable, "0".repeat(40));
