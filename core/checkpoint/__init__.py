"""Reads checkpoints of any size and measures the error of quantizing them.

No module here imports torch, so the window may use them:
- `opening`      `open_checkpoint(path) -> Checkpoint`: a safetensors or GGUF file, shards, or a model folder
- `header`       `read_header(path)`, `StoredTensor`, `Shard`: the checked header of one file
- `names`        `layer_and_kind(name)`: the layer that a tensor's name belongs to
- `errors`       `WeightSums`, `FormatErrors`: sums over slices, and the statistics that follow from them
- `report`       rows per tensor, per layer and in total, and the worst tensors
- `tensor_table` these rows as columns, and the error maps of one format
- `export`       `exported(suffix, about, tables)`: CSV, JSON and Markdown
- `roles`        `role_of(name, shape)`: weight matrix, norm, bias, router, embedding; only matrices count in totals
- `block_errors` the median error of a tensor's blocks, which no single weight can improve
- `incomplete`   what an incomplete download leaves behind, and how the missing files are got
- `gguf_files`   GGUF, the files of llama.cpp: header, tensor types, tensor names
- `quantized`    weights that are quantized already: recognised, counted by format, restored
- `shapes`       `layout_of(name, shape)`: rows, columns and experts, and the blocks that straddle them
- `shape_errors` `shape_errors(tensors, quantization)`: what that costs, and errors by row, column and expert
- `versions`     `compared(original, file, types)`: a quantized file, and types of GGUF, against the weights
- `slices`       `slices(tensor)`: the weights slice by slice, never a whole file or a large tensor at once
- `coding`       blocks of weights to the nearest level of a format and back
- `measuring`    `Measurer.measure(...)`: the errors of one tensor in several formats, on all cores
- `survey`       `survey(tensors, quantization, cache, result, progress)`: a whole checkpoint; can be resumed
- `resume_cache` `ResumeCache`: tensors that an earlier run measured, so that a report resumes where it was stopped
"""
