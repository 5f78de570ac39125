// The signature checker.
