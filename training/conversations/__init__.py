"""Fine-tuning a LLaVA checkpoint on conversations: records, tokens, packed rows, a source."""
