"""The paper's experiments as commands, and experiments beyond it: tasks, outcomes, tables, results on disk."""
