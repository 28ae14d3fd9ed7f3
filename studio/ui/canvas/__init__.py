"""The painting canvas: a document with layers, colour hints and a mask, the view that edits it, the tools beside it."""
