"""The messages of rtnetlink (linux/rtnetlink.h), one file for each object."""
