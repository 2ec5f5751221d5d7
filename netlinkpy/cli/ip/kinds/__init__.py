"""What is irregular in the words of kinds of link, and in how `ip` shows them: see ../kind.py."""
