/* What the functions of the native door share: arguments in, exceptions out. Internal to the shim. */
#ifndef NETLINKPY_NATIVE_H
#define NETLINKPY_NATIVE_H

#include <pyconfig.h>
#ifndef Py_GIL_DISABLED
#define Py_LIMITED_API 0x030b0000 /* the first with the buffer protocol */
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shim.h"

/* The exception for a negative result of the shim. Gives NULL. */
PyObject *native_refuse(int64_t result, PyObject *filename);

/* 1, or 0 with a TypeError. */
int native_has_count(const char *name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most);

/* A Python int as a C number: 1, or 0 with an exception. A u32 is taken modulo 2**32. */
int native_to_int(PyObject *number, int *value);
int native_to_size(PyObject *number, size_t *value);
int native_to_u32(PyObject *number, uint32_t *value);

/* Buffers held during one call, released together. */
struct holding {
    Py_buffer *views;
    size_t count, room;
};

/* Make room for that many buffers; take one; give all back (after a native_hold_room that succeeded). 1, or 0
 * with an exception. */
int native_hold_room(struct holding *holding, size_t room);
int native_hold(struct holding *holding, PyObject *object, int writable, struct nlp_span *span);
void native_release(struct holding *holding);

/* The functions of native_bulk.c. */
PyObject *native_stamp(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *native_gather(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *native_exchange(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *native_visit(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *native_open_ahead(PyObject *module, PyObject *const *arguments, Py_ssize_t count);
PyObject *native_opened(PyObject *module, PyObject *const *arguments, Py_ssize_t count);

#endif
