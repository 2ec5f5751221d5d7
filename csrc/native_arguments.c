/* Arguments in, exceptions out: what the functions of the native door share. */
#include "native.h"

#include <errno.h>
#include <limits.h>

PyObject *native_refuse(int64_t result, PyObject *filename)
{
    const char *sentence = nlp_sentence((int)result);

    if (sentence) {
        PyErr_SetString(PyExc_ValueError, sentence);
        return NULL;
    }
    errno = (int)-result;
    return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, filename);
}

int native_has_count(const char *name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most)
{
    if (given >= least && given <= most)
        return 1;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, not %zd", name, most, given);
    return 0;
}

int native_to_int(PyObject *number, int *value)
{
    long wide = PyLong_AsLong(number);

    if (wide == -1 && PyErr_Occurred())
        return 0;
    if (wide < INT_MIN || wide > INT_MAX) {
        PyErr_SetString(PyExc_OverflowError, "the number does not fit a C int");
        return 0;
    }
    *value = (int)wide;
    return 1;
}

int native_to_size(PyObject *number, size_t *value)
{
    Py_ssize_t wide = PyLong_AsSsize_t(number);

    if (wide < 0) {
        if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_OverflowError))
            PyErr_SetString(PyExc_ValueError, "a length, offset or row is negative or too large");
        return 0;
    }
    *value = (size_t)wide;
    return 1;
}

int native_to_u32(PyObject *number, uint32_t *value)
{
    unsigned long wide = PyLong_AsUnsignedLongMask(number);

    if (wide == (unsigned long)-1 && PyErr_Occurred())
        return 0;
    *value = (uint32_t)wide;
    return 1;
}

int native_hold_room(struct holding *holding, size_t room)
{
    holding->count = 0;
    holding->room = room;
    holding->views = PyMem_Malloc(room * sizeof *holding->views);
    if (!holding->views)
        PyErr_NoMemory();
    return holding->views != NULL;
}

int native_hold(struct holding *holding, PyObject *object, int writable, struct nlp_span *span)
{
    static uint8_t nothing[1]; /* a buffer of no bytes may have no address */
    Py_buffer *view = &holding->views[holding->count];

    if (holding->count == holding->room) {
        PyErr_SetString(PyExc_ValueError, "there are too many buffers");
        return 0;
    }
    if (PyObject_GetBuffer(object, view, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE))
        return 0;
    holding->count++;
    span->data = view->buf ? view->buf : nothing;
    span->length = (size_t)view->len;
    return 1;
}

void native_release(struct holding *holding)
{
    while (holding->count)
        PyBuffer_Release(&holding->views[--holding->count]);
    PyMem_Free(holding->views);
}
