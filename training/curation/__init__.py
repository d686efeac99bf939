"""Papers to training conversations: figures with their words, questions and answers, a person."""
