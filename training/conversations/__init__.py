"""Fine-tuning a LLaVA checkpoint on conversations: records to tokens to packed rows for the loop."""
