// The request builder.
