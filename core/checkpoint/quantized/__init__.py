"""Files whose weights are quantized already: which tensors belong together, in which format, and the weights again.

- `layouts`   `Layout`, `QuantizedWeight`: the formats that files come in, and one weight with its codes and scales
- `finding`   `find_quantized(tensors)`: recognises them by names, dtypes and shapes; reads no data
- `floats`    the values of 8-bit and 4-bit floats, and packed integers
- `restoring` `restored_rows(weight)`: the weights again, some rows at a time
- `storage`   `storage_rows(checkpoint)`: the share of the bytes in each format
"""
