"""The model of the lora page: AdaLoRA's formulas, and how many parameters an adapter has. numpy only."""
