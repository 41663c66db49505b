"""Kinds of task. One object per kind holds everything that depends on it; a new kind is one new file here.

    task = task_of("regression")
    task.metrics[0].name          # "r2", the metric that results are compared by
    task.width(labels, classes)   # how many outputs a network needs

Nothing here loads torch before a loss is computed.
"""

from headstart.tasks.task import TASKS, ByClass, Labels, Link, Metric, RawLabels, Task, register, softmax, task_of

__all__ = ["TASKS", "ByClass", "Labels", "Link", "Metric", "RawLabels", "Task", "register", "softmax", "task_of"]
