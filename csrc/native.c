/* The shim's own door to Python, `PyInit__native`: needs neither cffi nor ctypes. The limited API of 3.11, buffers in.
 * The same surface as netlinkpy/native/interface.py, where it is described. */
#include <pyconfig.h>
#ifndef Py_GIL_DISABLED
#define Py_LIMITED_API 0x030b0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "shim.h"

#define MAX_NETNS 65536

/* The exception for a negative result. Gives NULL. */
static PyObject *refuse(int64_t result, PyObject *filename)
{
    const char *sentence = nlp_sentence((int)result);

    if (sentence) {
        PyErr_SetString(PyExc_ValueError, sentence);
        return NULL;
    }
    errno = (int)-result;
    return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, filename);
}

static PyObject *none_or_refuse(int result, PyObject *filename)
{
    if (result)
        return refuse(result, filename);
    Py_RETURN_NONE;
}

static int has_count(const char *name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most)
{
    if (given >= least && given <= most)
        return 1;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, not %zd", name, most, given);
    return 0;
}

static int to_int(PyObject *number, int *value)
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

static int to_size(PyObject *number, size_t *value)
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

static int to_u32(PyObject *number, uint32_t *value)
{
    unsigned long wide = PyLong_AsUnsignedLongMask(number);

    if (wide == (unsigned long)-1 && PyErr_Occurred())
        return 0;
    *value = (uint32_t)wide;
    return 1;
}

/* Buffers held during one call, released together. */
struct holding {
    Py_buffer *views;
    size_t count, room;
};

static int hold_room(struct holding *holding, size_t room)
{
    holding->count = 0;
    holding->room = room;
    holding->views = PyMem_Malloc(room * sizeof *holding->views);
    if (!holding->views)
        PyErr_NoMemory();
    return holding->views != NULL;
}

static int hold(struct holding *holding, PyObject *object, int writable, struct nlp_span *span)
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

static void release(struct holding *holding)
{
    while (holding->count)
        PyBuffer_Release(&holding->views[--holding->count]);
    PyMem_Free(holding->views);
}

static PyObject *native_setns(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    int fd, nstype;

    (void)module;
    if (!has_count("setns", count, 2, 2) || !to_int(arguments[0], &fd) || !to_int(arguments[1], &nstype))
        return NULL;
    return none_or_refuse(nlp_setns(fd, nstype), NULL);
}

static PyObject *native_unshare(PyObject *module, PyObject *flags)
{
    int value;

    (void)module;
    return to_int(flags, &value) ? none_or_refuse(nlp_unshare(value), NULL) : NULL;
}

static PyObject *native_mount(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *source = NULL, *target = NULL, *fstype = NULL, *result = NULL;
    unsigned long flags;
    int bad;

    (void)module;
    if (!has_count("mount", count, 4, 4) || !PyUnicode_FSConverter(arguments[0], &source) ||
        !PyUnicode_FSConverter(arguments[1], &target) ||
        (arguments[2] != Py_None && !PyUnicode_FSConverter(arguments[2], &fstype)))
        goto out;
    flags = PyLong_AsUnsignedLong(arguments[3]);
    if (flags == (unsigned long)-1 && PyErr_Occurred())
        goto out;
    Py_BEGIN_ALLOW_THREADS
    bad = nlp_mount(PyBytes_AsString(source), PyBytes_AsString(target), fstype ? PyBytes_AsString(fstype) : NULL, flags);
    Py_END_ALLOW_THREADS
    result = none_or_refuse(bad, arguments[1]);
out:
    Py_XDECREF(source);
    Py_XDECREF(target);
    Py_XDECREF(fstype);
    return result;
}

static PyObject *native_umount(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *target = NULL, *result = NULL;
    int flags, bad;

    (void)module;
    if (!has_count("umount", count, 2, 2) || !PyUnicode_FSConverter(arguments[0], &target) || !to_int(arguments[1], &flags))
        goto out;
    Py_BEGIN_ALLOW_THREADS
    bad = nlp_umount(PyBytes_AsString(target), flags);
    Py_END_ALLOW_THREADS
    result = none_or_refuse(bad, arguments[0]);
out:
    Py_XDECREF(target);
    return result;
}

static PyObject *native_open_socket(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    int numbers[4], fd;

    (void)module;
    if (!has_count("open_socket", count, 4, 4))
        return NULL;
    for (int i = 0; i < 4; i++)
        if (!to_int(arguments[i], &numbers[i]))
            return NULL;
    Py_BEGIN_ALLOW_THREADS
    fd = nlp_open_socket(numbers[0], numbers[1], numbers[2], numbers[3]);
    Py_END_ALLOW_THREADS
    return fd < 0 ? refuse(fd, NULL) : PyLong_FromLong(fd);
}

static PyObject *list_of_ints(const int *values, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);

    for (size_t i = 0; list && i < count; i++) {
        PyObject *number = PyLong_FromLong(values[i]);
        if (!number || PyList_SetItem(list, (Py_ssize_t)i, number))
            Py_CLEAR(list);
    }
    return list;
}

static int fits_netns(size_t count)
{
    if (count <= MAX_NETNS)
        return 1;
    PyErr_Format(PyExc_ValueError, "a number of namespaces lies between 0 and %d", MAX_NETNS);
    return 0;
}

static PyObject *native_make_netns(PyObject *module, PyObject *number)
{
    PyObject *result = NULL;
    size_t count;
    int bad, *fds;

    (void)module;
    if (!to_size(number, &count) || !fits_netns(count))
        return NULL;
    fds = PyMem_Malloc(count * sizeof *fds);
    if (!fds)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS
    bad = nlp_make_netns(count, fds);
    Py_END_ALLOW_THREADS
    result = bad ? refuse(bad, NULL) : list_of_ints(fds, count);
    PyMem_Free(fds);
    return result;
}

static PyObject *native_make_netns_at(PyObject *module, PyObject *paths)
{
    PyObject *tuple = PySequence_Tuple(paths), *encoded = NULL, *result = NULL;
    const char **names = NULL;
    size_t count;
    int bad, *errors = NULL;

    (void)module;
    if (!tuple)
        return NULL;
    count = (size_t)PyTuple_Size(tuple);
    if (!fits_netns(count))
        goto out;
    encoded = PyTuple_New((Py_ssize_t)count);
    names = PyMem_Malloc(count * sizeof *names);
    errors = PyMem_Malloc(count * sizeof *errors);
    if (!encoded || !names || !errors) {
        PyErr_NoMemory();
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *path;
        if (!PyUnicode_FSConverter(PyTuple_GetItem(tuple, (Py_ssize_t)i), &path))
            goto out;
        names[i] = PyBytes_AsString(path);
        PyTuple_SetItem(encoded, (Py_ssize_t)i, path);
    }
    Py_BEGIN_ALLOW_THREADS
    bad = nlp_make_netns_at(count, names, errors);
    Py_END_ALLOW_THREADS
    result = bad ? refuse(bad, NULL) : list_of_ints(errors, count);
out:
    PyMem_Free(errors);
    PyMem_Free(names);
    Py_XDECREF(encoded);
    Py_DECREF(tuple);
    return result;
}

/* The items of a sequence that must have `count` of them, as a new tuple. */
static PyObject *items(PyObject *sequence, Py_ssize_t count, const char *sentence)
{
    PyObject *tuple = PySequence_Tuple(sequence);

    if (tuple && PyTuple_Size(tuple) != count) {
        PyErr_SetString(PyExc_ValueError, sentence);
        Py_CLEAR(tuple);
    }
    return tuple;
}

static int read_column(PyObject *object, struct holding *holding, struct nlp_column *column)
{
    PyObject *tuple = items(object, 5, "a column is (offset, width, data, stride, swap)");
    struct nlp_span data;
    int good;

    if (!tuple)
        return 0;
    good = to_size(PyTuple_GetItem(tuple, 0), &column->offset) && to_size(PyTuple_GetItem(tuple, 1), &column->width) &&
           hold(holding, PyTuple_GetItem(tuple, 2), 0, &data) && to_size(PyTuple_GetItem(tuple, 3), &column->stride);
    if (good) {
        column->data = data.data;
        column->length = data.length;
        column->swap = PyObject_IsTrue(PyTuple_GetItem(tuple, 4));
        good = column->swap >= 0;
    }
    Py_DECREF(tuple);
    return good;
}

static PyObject *native_stamp(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    struct nlp_column columns[NLP_COLUMNS];
    struct nlp_span out, row_template;
    struct holding holding;
    PyObject *tuple, *result = NULL;
    size_t start, stop, column_count;
    uint32_t sequence = 0;
    int numbered;
    int64_t rows;

    (void)module;
    if (!has_count("stamp", count, 6, 6))
        return NULL;
    tuple = PySequence_Tuple(arguments[2]);
    if (!tuple)
        return NULL;
    column_count = (size_t)PyTuple_Size(tuple);
    numbered = arguments[5] != Py_None;
    if (!hold_room(&holding, NLP_COLUMNS + 2))
        goto out_tuple;
    if (!hold(&holding, arguments[0], 1, &out) || !hold(&holding, arguments[1], 0, &row_template) ||
        !to_size(arguments[3], &start) || !to_size(arguments[4], &stop) || (numbered && !to_u32(arguments[5], &sequence)))
        goto out;
    if (column_count > NLP_COLUMNS) {
        refuse(NLP_BAD_COLUMN, NULL);
        goto out;
    }
    for (size_t i = 0; i < column_count; i++)
        if (!read_column(PyTuple_GetItem(tuple, (Py_ssize_t)i), &holding, &columns[i]))
            goto out;
    Py_BEGIN_ALLOW_THREADS
    rows = nlp_stamp(out, row_template.data, row_template.length, columns, column_count, start, stop, numbered, sequence);
    Py_END_ALLOW_THREADS
    result = rows < 0 ? refuse(rows, NULL) : PyLong_FromLongLong(rows);
out:
    release(&holding);
out_tuple:
    Py_DECREF(tuple);
    return result;
}

static PyObject *native_gather(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    struct nlp_span columns[NLP_FIELDS], data, plan, present = {NULL, 0};
    struct holding holding;
    PyObject *tuple, *result = NULL;
    size_t length, row, capacity, position = 0, added, column_count;
    uint32_t flags;
    int bad;

    (void)module;
    if (!has_count("gather", count, 7, 8))
        return NULL;
    tuple = PySequence_Tuple(arguments[3]);
    if (!tuple)
        return NULL;
    column_count = (size_t)PyTuple_Size(tuple);
    if (!hold_room(&holding, NLP_FIELDS + 3))
        goto out_tuple;
    if (!hold(&holding, arguments[0], 0, &data) || !to_size(arguments[1], &length) || !hold(&holding, arguments[2], 0, &plan) ||
        (arguments[4] != Py_None && !hold(&holding, arguments[4], 1, &present)) || !to_size(arguments[5], &row) ||
        !to_size(arguments[6], &capacity) || (count == 8 && !to_size(arguments[7], &position)))
        goto out;
    if (column_count > NLP_FIELDS || length > data.length) {
        refuse(column_count > NLP_FIELDS ? NLP_BAD_PLAN : NLP_BAD_DATA, NULL);
        goto out;
    }
    for (size_t i = 0; i < column_count; i++)
        if (!hold(&holding, PyTuple_GetItem(tuple, (Py_ssize_t)i), 1, &columns[i]))
            goto out;
    Py_BEGIN_ALLOW_THREADS
    bad = nlp_gather(data.data, length, &position, plan.data, plan.length, columns, column_count, present, row, capacity,
                     &added, &flags);
    Py_END_ALLOW_THREADS
    result = bad ? refuse(bad, NULL) : Py_BuildValue("nnI", (Py_ssize_t)added, (Py_ssize_t)position, (unsigned int)flags);
out:
    release(&holding);
out_tuple:
    Py_DECREF(tuple);
    return result;
}

static int append(PyObject *list, PyObject *item)
{
    int good = item && !PyList_Append(list, item);

    Py_XDECREF(item);
    return good;
}

/* Gives (errno, rows done, failures): netlinkpy.native.capi makes the exception. */
static PyObject *native_exchange(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    struct nlp_exchange exchange;
    struct nlp_failure *failures = NULL;
    struct nlp_span buffer;
    struct holding holding;
    PyObject *list = NULL, *result = NULL;
    size_t room, failed;
    long long timeout;
    int state;

    (void)module;
    if (!has_count("exchange", count, 8, 8) || !to_int(arguments[0], &exchange.fd) || !hold_room(&holding, 1))
        return NULL;
    if (!hold(&holding, arguments[1], 1, &buffer) || !to_size(arguments[2], &exchange.length) ||
        !to_u32(arguments[3], &exchange.first_sequence) || !to_size(arguments[4], &exchange.rows) ||
        !to_size(arguments[5], &exchange.chunk_bytes) || !to_size(arguments[6], &exchange.chunk_rows))
        goto out;
    timeout = PyLong_AsLongLong(arguments[7]);
    if (timeout == -1 && PyErr_Occurred())
        goto out;
    exchange.timeout_ns = timeout;
    exchange.buffer = buffer.data;
    state = exchange.length > buffer.length ? NLP_BAD_DATA : nlp_exchange_begin(&exchange);
    if (state < 0) {
        refuse(state, NULL);
        goto out;
    }
    room = exchange.chunk_rows < exchange.rows ? exchange.chunk_rows : exchange.rows;
    failures = PyMem_Malloc(room * sizeof *failures);
    list = PyList_New(0);
    if (!failures || !list) {
        PyErr_NoMemory();
        goto out;
    }
    do {
        failed = 0;
        Py_BEGIN_ALLOW_THREADS
        state = nlp_exchange_step(&exchange, failures, room, &failed);
        Py_END_ALLOW_THREADS
        for (size_t i = 0; i < failed; i++)
            if (!append(list, Py_BuildValue("niy#", (Py_ssize_t)failures[i].row, failures[i].error,
                                            (const char *)failures[i].tlvs, (Py_ssize_t)failures[i].tlv_length)))
                goto out;
        if (PyErr_CheckSignals())
            goto out;
    } while (state == 1);
    result = Py_BuildValue("inO", -state, (Py_ssize_t)exchange.rows_done, list);
out:
    Py_XDECREF(list);
    PyMem_Free(failures);
    release(&holding);
    return result;
}

static int read_puts(PyObject *object, struct nlp_step *step)
{
    PyObject *tuple = PySequence_Tuple(object);
    int good;

    if (!tuple)
        return 0;
    step->puts_count = (size_t)PyTuple_Size(tuple);
    good = step->puts_count <= NLP_PUTS;
    if (!good)
        refuse(NLP_BAD_PUT, NULL);
    for (size_t i = 0; good && i < step->puts_count; i++)
        good = to_size(PyTuple_GetItem(tuple, (Py_ssize_t)i), &step->puts[i]);
    Py_DECREF(tuple);
    return good;
}

/* A pair, or None; *pair is then a new reference or NULL. */
static int read_pair(PyObject *object, PyObject **pair, const char *sentence)
{
    *pair = NULL;
    return object == Py_None || (*pair = items(object, 2, sentence)) != NULL;
}

static int read_step(PyObject *object, struct holding *holding, struct nlp_step *step)
{
    PyObject *tuple = items(object, 5, "a step is (datagrams, length, take, puts, replies)"), *take = NULL, *replies = NULL;
    int good;

    if (!tuple)
        return 0;
    step->take_type = -1;
    step->take_offset = step->stride = 0;
    step->replies.data = NULL;
    step->replies.length = 0;
    good = read_puts(PyTuple_GetItem(tuple, 3), step) &&
           hold(holding, PyTuple_GetItem(tuple, 0), step->puts_count > 0, &step->datagrams) &&
           to_size(PyTuple_GetItem(tuple, 1), &step->length) &&
           read_pair(PyTuple_GetItem(tuple, 2), &take, "a take is (nlmsg_type, offset)") &&
           read_pair(PyTuple_GetItem(tuple, 4), &replies, "replies are (buffer, stride)");
    if (good && take) {
        size_t type;
        good = to_size(PyTuple_GetItem(take, 0), &type) && to_size(PyTuple_GetItem(take, 1), &step->take_offset);
        step->take_type = good && type <= UINT16_MAX ? (int)type : -1;
        if (good && type > UINT16_MAX) {
            PyErr_SetString(PyExc_ValueError, "a message type fits 16 bits");
            good = 0;
        }
    }
    if (good && replies)
        good = hold(holding, PyTuple_GetItem(replies, 0), 1, &step->replies) && to_size(PyTuple_GetItem(replies, 1), &step->stride);
    Py_XDECREF(replies);
    Py_XDECREF(take);
    Py_DECREF(tuple);
    return good;
}

static PyObject *native_visit(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    struct nlp_step *steps = NULL;
    struct nlp_visited *visited = NULL;
    struct nlp_span netns_fds;
    struct holding holding;
    PyObject *tuple, *list = NULL, *result = NULL;
    size_t rows, step_count;
    long long timeout;
    int bad;

    (void)module;
    if (!has_count("visit", count, 3, 3))
        return NULL;
    timeout = PyLong_AsLongLong(arguments[2]);
    if (timeout == -1 && PyErr_Occurred())
        return NULL;
    tuple = PySequence_Tuple(arguments[1]);
    if (!tuple)
        return NULL;
    step_count = (size_t)PyTuple_Size(tuple);
    if (!hold_room(&holding, 1 + 2 * NLP_STEPS))
        goto out_tuple;
    if (!hold(&holding, arguments[0], 0, &netns_fds))
        goto out;
    if (!step_count || step_count > NLP_STEPS || netns_fds.length % 4) {
        refuse(netns_fds.length % 4 ? NLP_BAD_DATA : NLP_BAD_STEP, NULL);
        goto out;
    }
    rows = netns_fds.length / 4;
    steps = PyMem_Malloc(step_count * sizeof *steps);
    visited = PyMem_Malloc(rows * sizeof *visited);
    if (!steps || !visited) {
        PyErr_NoMemory();
        goto out;
    }
    for (size_t i = 0; i < step_count; i++)
        if (!read_step(PyTuple_GetItem(tuple, (Py_ssize_t)i), &holding, &steps[i]))
            goto out;
    Py_BEGIN_ALLOW_THREADS
    bad = nlp_visit(netns_fds.data, rows, steps, step_count, timeout, visited);
    Py_END_ALLOW_THREADS
    if (bad) {
        refuse(bad, NULL);
        goto out;
    }
    list = PyList_New(0);
    for (size_t i = 0; list && i < rows; i++)
        if (!append(list, Py_BuildValue("iiiy#I", visited[i].error, visited[i].step, visited[i].message,
                                        (const char *)visited[i].tlvs, (Py_ssize_t)visited[i].tlv_length,
                                        (unsigned int)visited[i].kept)))
            Py_CLEAR(list);
    result = list;
out:
    PyMem_Free(visited);
    PyMem_Free(steps);
    release(&holding);
out_tuple:
    Py_DECREF(tuple);
    return result;
}

#define FAST(name) {#name, (PyCFunction)(void (*)(void))native_##name, METH_FASTCALL, NULL}

static PyMethodDef methods[] = {
    FAST(setns),
    {"unshare", native_unshare, METH_O, NULL},
    FAST(mount),
    FAST(umount),
    FAST(open_socket),
    {"make_netns", native_make_netns, METH_O, NULL},
    {"make_netns_at", native_make_netns_at, METH_O, NULL},
    FAST(stamp),
    FAST(gather),
    FAST(exchange),
    FAST(visit),
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "The shim of netlinkpy; see netlinkpy.native.interface.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
