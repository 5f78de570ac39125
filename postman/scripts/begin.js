// A new order has an identifier of its own.
pm.collectionVariables.set(about.variable, pm.variables.replaceIn("{{$guid}}"));
