"""Converts a model to fewer KV heads by mean-pooling its K and V projections (Ainslie et al. 2023, arXiv 2305.13245,
section 2.1), and measures what is lost and what a short tuning recovers.

- `layers`    `attention_layers(model)`: the attention layers of a model, or why it cannot be converted
- `grouping`  which KV heads are pooled: neighbours, the most similar, random. numpy only
- `pooling`   `reordered_copy`, `pooled_copy`: the converted model
- `measuring` `gram_matrices`, `head_errors`: similarity of heads on text, and their errors
- `texts`     `small_model_source`, `folder_source`: a model with text to tune and to measure it on
- `tuning`    `tune(...)`: a short training with a loss curve
- `study`     `study(source, settings, tuning, seed)`: the generator that runs all of it
"""
