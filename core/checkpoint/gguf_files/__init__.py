"""GGUF, the files of llama.cpp: their header, their tensor types and their tensor names. numpy and the package `gguf`.

- `cursor` `Cursor`: reads values one after another, never beyond the file or a limit
- `header` `read_gguf(path)`: the tensors and the metadata of one file, checked
- `types`  what the package `gguf` can restore and quantize, and both of these
- `naming` `Names`: which tensor of a GGUF holds which tensor of the model that it was made of
"""
