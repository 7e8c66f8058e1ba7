"""Pictures that more than one page uses, on pyqtgraph, and what they share: axes, ticks, colours."""
