"""The model of the fine-tuning page: counts that follow from shapes. Pure functions, fast enough to follow a slider."""
