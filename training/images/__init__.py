"""Container images: a program each that builds one into the local engine, and the table of substitutes."""
