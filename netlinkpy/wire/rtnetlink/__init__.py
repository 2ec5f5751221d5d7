"""The messages of rtnetlink (linux/rtnetlink.h), one file an object, each described once."""
