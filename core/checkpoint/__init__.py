"""Checkpoints of any size, and what quantizing them costs.

All of it without torch; the window may import it:
- `opening`      `open_checkpoint(path) -> Checkpoint`: a safetensors file, the shards of an index, a model folder
- `header`       `read_header(path)`, `StoredTensor`, `Shard`: one file's header, checked
- `names`        `layer_and_kind(name)`: what a tensor's name says
- `errors`       `WeightSums`, `FormatErrors`: sums that slices add up to, and what follows from them
- `report`       rows by tensor, by layer, in all, and the worst
- `tensor_table` those rows as columns, and the error maps of one format
- `export`       `exported(suffix, about, tables)`: CSV, JSON and Markdown
- `slices`       `slices(tensor)`: the weights, a slice at a time, never a file or a large tensor at once
- `coding`       blocks to the nearest level of a format and back
- `measuring`    `Measurer.measure(...)`: the errors of one tensor in several formats, on all cores
- `survey`       `survey(tensors, how, cache, result, progress)`: a whole checkpoint, cancelled and continued at will
- `resume_cache` `ResumeCache`: tensors that were measured already, so that a report goes on where it was stopped
"""
