"""Tasks: one object holds everything that depends on the task. A new task is one file in this folder.

    task = task_of("regression")
    task.metrics[0].name          # "r2", the default metric
    task.width(labels, classes)   # how many outputs a network needs

torch is loaded only when a loss is computed.
"""

from headstart.tasks.task import TASKS, ByClass, Labels, Link, Metric, RawLabels, Task, register, softmax, task_of

__all__ = ["TASKS", "ByClass", "Labels", "Link", "Metric", "RawLabels", "Task", "register", "softmax", "task_of"]
