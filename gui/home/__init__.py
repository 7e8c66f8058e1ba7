"""The first page of the window: the questions that people are asked, with the answers of the runs on this machine."""
