"""Controls that more than one page uses: player, segments, switcher, legend, tables, code."""
