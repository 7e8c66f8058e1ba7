"""A small language model that the app trains itself, and everything that the pages do with it.

Shared by the topics that quantize it, fine-tune it and talk to it. The public API, by module:

numpy and pure functions; the window may import these:
- `relations`   the kinds of facts, with their phrasings
- `world`       `build_world(seed, people) -> World`: people and the facts about them, some of which are in no text
- `unseen_people` people outside the world, met once, in texts that teach to read rather than to remember
- `text`        `documents(world, seed)`, `completions(world)`, `questions(world)`: what a world reads like, and asks
- `table_task`  `table_task(world) -> TableTask`: rows `Harry Potter, Education, Hogwarts` and their sentences, split
- `target_modules` `check_target_modules(names, full_names)`: which layers the named target modules are
- `model_config` `ModelConfig`, `STANDARD`, `TINY`: all that the weights follow from

torch; workers only. transformers (one to four seconds) is imported inside the functions that need it:
- `libraries`   `silent_transformers()`: the one way in to transformers: no progress bars, no log lines
- `tokenizer`   `train_tokenizer(texts, vocabulary)`, `Role`: BPE with the special tokens of the pages to come
- `model`       `build_model(config)`, `linear_names(model)`, `parameter_count(model)`
- `pretrain`    `pretrain(config, progress) -> Pretrained`: from nothing to a model, under two minutes on two cores
- `cache`       `cache_folder()`, `Cache`: trained models by content hash
- `small_model` `small_model(config, progress) -> SmallModel`: from the cache, or trained and put there
- `folder`      `open_folder(path) -> SmallModel`: the user's own local Hugging Face folder
- `data`        `task_batches(...)`, `batch_loss`, `Batch`: examples as token ids, labels masked on the prompt
- `windows`     `held_out_windows(world, tokenizer)`, `file_windows(path, tokenizer)`: text to measure a loss on
- `evaluation`  `windows_loss`, `task_loss`, `exact_match`, `completion_accuracy`
- `generation`  `generate(model, tokenizer, prompts) -> list[str]`: greedy, batched, with a key-value cache
- `adapters`    `target_modules(...)`, `with_adapter(...)`, `train_steps(...)`: peft's adapters on a copy, step by step
- `memory_check` `check_memory(needed_bytes, ...)`: whether copies of a model fit into memory
- `memory`      `weight_bytes`, `gradient_bytes`, `optimizer_bytes`, `measure_step(...) -> MemoryUse`
- `torch_state` `torch_threads()`, `seeded(seed)`, `evaluating(model)`: process-wide state, put back as it was

A `progress(done, total, phase)` is `core.engine.steps.ProgressCallback`: it may raise, and then the work stops
between two steps.
Nothing here prints, downloads, or leaves process-wide state changed.
"""
