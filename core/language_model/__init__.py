"""A small language model that comes with the program, with the data and the training that made it, and evaluation.

The topics that quantize or fine-tune it share this package. The public API, by module:

Numpy and pure functions. The window may import these:
- `relations`   the kinds of facts and their phrasings
- `world`       `build_world(seed, people) -> World`: people and facts about them; some facts appear in no text
- `unseen_people` people outside the world. Each appears once, so these texts teach copying instead of memorizing
- `text`        `documents(world, seed)`, `completions(world)`, `questions(world)`: training texts and test prompts
- `table_task`  `table_task(world) -> TableTask`: rows such as `Harry Potter, Education, Hogwarts` and their sentences
- `target_modules` `check_target_modules(names, full_names)`: whether the named target modules exist
- `model_config` `ModelConfig`, `STANDARD`, `TINY`: everything that determines the weights
- `shipped`     `shipped_folder(config)`: the model that comes with the program, if it has this config

Torch, in workers only. transformers takes one to four seconds to import, so functions import it when they need it:
- `libraries`   `silent_transformers()`: imports transformers without progress bars or log lines
- `tokenizer`   `train_tokenizer(texts, vocabulary)`, `Role`: byte-level BPE with special tokens
- `model`       `build_model(config)`, `linear_names(model)`, `parameter_count(model)`
- `pretrain`    `pretrain(config, progress) -> Pretrained`: trains from scratch in under two minutes on two cores
- `cache`       `cache_folder()`, `Cache`: trained models by content hash
- `small_model` `small_model(config, progress) -> SmallModel`: the shipped one, or loaded from the cache, or trained
- `ship`        `ship(folder)`: trains the model that comes with the program (`make model`)
- `folder`      `open_folder(path) -> SmallModel`: the user's own Hugging Face model folder
- `opening`     `open_model(folder, dtype, config) -> SmallModel`: that folder, or the small model without one
- `folder_files` `inspect(path) -> FolderFiles`, `check_fits(files)`: a model folder by its files alone, before a run
- `folder_config` `size_problem(config)`, `least_parameters(config)`: the sizes in a config.json, and their bounds
- `data`        `task_batches(...)`, `batch_loss`, `Batch`: examples as token ids; prompt tokens carry no loss
- `windows`     `held_out_windows(world, tokenizer)`, `file_windows(path, tokenizer)`: text for measuring the loss
- `evaluation`  `windows_loss`, `task_loss`, `exact_match`, `completion_accuracy`
- `generation`  `generate(model, tokenizer, prompts) -> list[str]`: greedy, batched, with a KV cache
- `adapters`    `target_modules(...)`, `with_adapter(...)`, `train_steps(...)`: PEFT adapters on a copy of a model
- `memory_check` `check_memory(needed_bytes, ...)`: whether copies of a model fit into memory
- `memory`      `weight_bytes`, `gradient_bytes`, `optimizer_bytes`, `measure_step(...) -> MemoryUse`
- `torch_state` `torch_threads()`, `seeded(seed)`, `evaluating(model)`: process-wide state, restored afterwards

A `progress(done, total, phase)` is a `core.engine.steps.ProgressCallback`. It may raise; the work then stops between
two steps. Nothing in this package prints, downloads or leaves process-wide state changed.
"""
