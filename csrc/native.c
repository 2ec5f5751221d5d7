/* The shim's own door to Python, `PyInit__native`, which needs neither cffi nor ctypes: the limited API of
 * 3.11. Every call takes its arguments by its letters in shim.h and returns an int;
 * netlinkpy/backends/interface.py turns negative ones into exceptions. */
#include <pyconfig.h>
#ifndef Py_GIL_DISABLED
#define Py_LIMITED_API 0x030b0000 /* the first with the buffer protocol */
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "shim.h"

enum { NUMBERS = 7, BUFFERS = 5, LIST = 64 };

/* The arguments of a call in progress. */
struct given {
    int64_t numbers[NUMBERS];
    struct nlp_span buffers[BUFFERS], list[LIST];
    Py_buffer views[BUFFERS + LIST];
    size_t number_count, buffer_count, list_count, view_count;
};

/* Take a buffer. Return 1, or 0 with an exception set. */
static int take(struct given *given, PyObject *object, char letter, struct nlp_span *span)
{
    static uint8_t nothing[1]; /* a buffer of no bytes may have no address */
    Py_buffer *view = &given->views[given->view_count];

    *span = (struct nlp_span){NULL, 0};
    if (letter == 'o' && object == Py_None)
        return 1;
    if (letter == 'b' && !PyBytes_CheckExact(object)) {
        PyErr_SetString(PyExc_TypeError, "a bytes object is needed: it cannot change");
        return 0;
    }
    if (PyObject_GetBuffer(object, view, letter == 'r' || letter == 'b' ? PyBUF_SIMPLE : PyBUF_WRITABLE))
        return 0;
    given->view_count++;
    *span = (struct nlp_span){view->buf ? view->buf : nothing, (size_t)view->len};
    return 1;
}

static int take_list(struct given *given, PyObject *list, char letter)
{
    Py_ssize_t length = PySequence_Size(list);

    if (length > LIST)
        PyErr_SetString(PyExc_ValueError, "there are more than 64 buffers in the list");
    if (length < 0 || length > LIST)
        return 0;
    while (given->list_count < (size_t)length) {
        PyObject *item = PySequence_GetItem(list, (Py_ssize_t)given->list_count);
        int good = item && take(given, item, letter, &given->list[given->list_count]);
        Py_XDECREF(item);
        if (!good)
            return 0;
        given->list_count++;
    }
    return 1;
}

static int take_one(struct given *given, PyObject *object, char letter)
{
    if (letter == 'n') {
        int64_t number = PyLong_AsLongLong(object);
        given->numbers[given->number_count++] = number;
        return number != -1 || !PyErr_Occurred();
    }
    if (letter == 'R' || letter == 'W')
        return take_list(given, object, letter == 'R' ? 'r' : 'w');
    return take(given, object, letter, &given->buffers[given->buffer_count++]);
}

static PyObject *call(const char *takes, nlp_function *function, PyObject *const *arguments, Py_ssize_t count)
{
    struct given given;
    int64_t result = 0;
    Py_ssize_t taken = 0;

    given.number_count = given.buffer_count = given.list_count = given.view_count = 0;
    while (taken < count && takes[taken] && take_one(&given, arguments[taken], takes[taken]))
        taken++;
    if (taken == count && !takes[taken]) {
        PyThreadState *state = PyEval_SaveThread();
        result = function(given.numbers, given.buffers, given.list, given.list_count);
        PyEval_RestoreThread(state);
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "another number of arguments is needed");
    }
    while (given.view_count)
        PyBuffer_Release(&given.views[--given.view_count]);
    return PyErr_Occurred() ? NULL : PyLong_FromLongLong(result);
}

#define DEFINE(name, takes)                                                                      \
    static PyObject *call_##name(PyObject *module, PyObject *const *arguments, Py_ssize_t count) \
    {                                                                                            \
        (void)module;                                                                            \
        return call(takes, nlp_##name, arguments, count);                                        \
    }
#define METHOD(name, takes) {#name, (PyCFunction)(void (*)(void))call_##name, METH_FASTCALL, NULL},

NLP_CALLS(DEFINE)

static PyMethodDef methods[] = {NLP_CALLS(METHOD){NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "The shim of netlinkpy; see netlinkpy.backends.interface.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
