/* The native door to stamp, gather, exchange and visit. */
#include "native.h"

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
    good = native_to_size(PyTuple_GetItem(tuple, 0), &column->offset) &&
           native_to_size(PyTuple_GetItem(tuple, 1), &column->width) &&
           native_hold(holding, PyTuple_GetItem(tuple, 2), 0, &data) &&
           native_to_size(PyTuple_GetItem(tuple, 3), &column->stride);
    if (good) {
        column->data = data.data;
        column->length = data.length;
        column->swap = PyObject_IsTrue(PyTuple_GetItem(tuple, 4));
        good = column->swap >= 0;
    }
    Py_DECREF(tuple);
    return good;
}

PyObject *native_stamp(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
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
    if (!native_has_count("stamp", count, 6, 6))
        return NULL;
    tuple = PySequence_Tuple(arguments[2]);
    if (!tuple)
        return NULL;
    column_count = (size_t)PyTuple_Size(tuple);
    numbered = arguments[5] != Py_None;
    if (!native_hold_room(&holding, NLP_COLUMNS + 2))
        goto out_tuple;
    if (!native_hold(&holding, arguments[0], 1, &out) ||
        !native_hold(&holding, arguments[1], 0, &row_template) || !native_to_size(arguments[3], &start) ||
        !native_to_size(arguments[4], &stop) || (numbered && !native_to_u32(arguments[5], &sequence)))
        goto out;
    if (column_count > NLP_COLUMNS) {
        native_refuse(NLP_BAD_COLUMN, NULL);
        goto out;
    }
    for (size_t i = 0; i < column_count; i++)
        if (!read_column(PyTuple_GetItem(tuple, (Py_ssize_t)i), &holding, &columns[i]))
            goto out;
    Py_BEGIN_ALLOW_THREADS rows = nlp_stamp(out, row_template.data, row_template.length, columns,
                                            column_count, start, stop, numbered, sequence);
    Py_END_ALLOW_THREADS result = rows < 0 ? native_refuse(rows, NULL) : PyLong_FromLongLong(rows);
out:
    native_release(&holding);
out_tuple:
    Py_DECREF(tuple);
    return result;
}

PyObject *native_gather(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    struct nlp_span columns[NLP_FIELDS], data, plan, present = {NULL, 0};
    struct holding holding;
    PyObject *tuple, *result = NULL;
    struct nlp_gathered gathered = {0};
    size_t length, row, capacity, column_count;
    int bad;

    (void)module;
    if (!native_has_count("gather", count, 7, 8))
        return NULL;
    tuple = PySequence_Tuple(arguments[3]);
    if (!tuple)
        return NULL;
    column_count = (size_t)PyTuple_Size(tuple);
    if (!native_hold_room(&holding, NLP_FIELDS + 3))
        goto out_tuple;
    if (!native_hold(&holding, arguments[0], 0, &data) || !native_to_size(arguments[1], &length) ||
        !native_hold(&holding, arguments[2], 0, &plan) ||
        (arguments[4] != Py_None && !native_hold(&holding, arguments[4], 1, &present)) ||
        !native_to_size(arguments[5], &row) || !native_to_size(arguments[6], &capacity) ||
        (count == 8 && !native_to_size(arguments[7], &gathered.position)))
        goto out;
    if (!PyBytes_Check(arguments[2])) { /* another thread, or a column, could change it once it is checked */
        native_refuse(NLP_BAD_PLAN, NULL);
        goto out;
    }
    if (column_count > NLP_FIELDS || length > data.length) {
        native_refuse(column_count > NLP_FIELDS ? NLP_BAD_PLAN : NLP_BAD_DATA, NULL);
        goto out;
    }
    for (size_t i = 0; i < column_count; i++)
        if (!native_hold(&holding, PyTuple_GetItem(tuple, (Py_ssize_t)i), 1, &columns[i]))
            goto out;
    Py_BEGIN_ALLOW_THREADS bad = nlp_gather(data.data, length, plan.data, plan.length, columns, column_count,
                                            present, row, capacity, &gathered);
    Py_END_ALLOW_THREADS result = bad ? native_refuse(bad, NULL)
                                      : Py_BuildValue("nnI", (Py_ssize_t)gathered.added,
                                                      (Py_ssize_t)gathered.position,
                                                      (unsigned int)gathered.flags);
out:
    native_release(&holding);
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

/* Gives (errno, rows done, failures): netlinkpy.backends.native makes the exception. */
PyObject *native_exchange(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
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
    if (!native_has_count("exchange", count, 8, 8) || !native_to_int(arguments[0], &exchange.fd) ||
        !native_hold_room(&holding, 1))
        return NULL;
    if (!native_hold(&holding, arguments[1], 1, &buffer) || !native_to_size(arguments[2], &exchange.length) ||
        !native_to_u32(arguments[3], &exchange.first_sequence) ||
        !native_to_size(arguments[4], &exchange.rows) ||
        !native_to_size(arguments[5], &exchange.chunk_bytes) ||
        !native_to_size(arguments[6], &exchange.chunk_rows))
        goto out;
    timeout = PyLong_AsLongLong(arguments[7]);
    if (timeout == -1 && PyErr_Occurred())
        goto out;
    exchange.timeout_ns = timeout;
    exchange.buffer = buffer.data;
    state = exchange.length > buffer.length ? NLP_BAD_DATA : nlp_exchange_begin(&exchange);
    if (state < 0) {
        native_refuse(state, NULL);
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
        Py_BEGIN_ALLOW_THREADS state = nlp_exchange_step(&exchange, failures, room, &failed);
        Py_END_ALLOW_THREADS for (size_t i = 0; i < failed;
                                  i++) if (!append(list,
                                                   Py_BuildValue(
                                                       "niy#", (Py_ssize_t)failures[i].row, failures[i].error,
                                                       (const char *)failures[i].tlvs,
                                                       (Py_ssize_t)failures[i].tlv_length))) goto out;
        if (PyErr_CheckSignals())
            goto out;
    } while (state == 1);
    result = Py_BuildValue("inO", -state, (Py_ssize_t)exchange.rows_done, list);
out:
    Py_XDECREF(list);
    PyMem_Free(failures);
    native_release(&holding);
    return result;
}

/* Fills in the results: netlinkpy.backends.native reads them. */
PyObject *native_visit(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    struct nlp_span script, datagrams, netns_fds, sockets = {NULL, 0}, results;
    struct holding holding;
    PyObject *result = NULL;
    long long timeout;
    int bad, beside;

    (void)module;
    if (!native_has_count("visit", count, 7, 7) || !native_to_int(arguments[4], &beside))
        return NULL;
    timeout = PyLong_AsLongLong(arguments[5]);
    if ((timeout == -1 && PyErr_Occurred()) || !native_hold_room(&holding, 5))
        return NULL;
    if (!native_hold(&holding, arguments[0], 0, &script) ||
        !native_hold(&holding, arguments[1], 1, &datagrams) ||
        !native_hold(&holding, arguments[2], 0, &netns_fds) ||
        (arguments[3] != Py_None && !native_hold(&holding, arguments[3], 1, &sockets)) ||
        !native_hold(&holding, arguments[6], 1, &results))
        goto out;
    if (!PyBytes_Check(arguments[0])) { /* another thread could change it once it is checked */
        native_refuse(NLP_BAD_SCRIPT, NULL);
        goto out;
    }
    Py_BEGIN_ALLOW_THREADS bad =
        nlp_visit(script, datagrams, netns_fds, sockets, beside, timeout, results);
    Py_END_ALLOW_THREADS if (bad) native_refuse(bad, NULL);
    else result = Py_NewRef(Py_None);
out:
    native_release(&holding);
    return result;
}

static const char AHEAD[] = "netlinkpy.ahead", USED[] = "netlinkpy.opened";

/* Nobody asked for the socket. */
static void discard(PyObject *capsule)
{
    struct nlp_ahead *ahead = PyCapsule_IsValid(capsule, AHEAD) ? PyCapsule_GetPointer(capsule, AHEAD) : NULL;

    if (ahead)
        nlp_discard(ahead);
}

PyObject *native_open_ahead(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    struct nlp_ahead *ahead;
    PyObject *capsule;
    int netns_fd, bad;

    (void)module;
    if (!native_has_count("open_ahead", count, 1, 1) || !native_to_int(arguments[0], &netns_fd))
        return NULL;
    bad = nlp_open_ahead(netns_fd, &ahead);
    if (bad)
        return native_refuse(bad, NULL);
    capsule = PyCapsule_New(ahead, AHEAD, discard);
    if (!capsule)
        nlp_discard(ahead);
    return capsule;
}

PyObject *native_opened(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    struct nlp_ahead *ahead;
    int fd;

    (void)module;
    if (!native_has_count("opened", count, 1, 1))
        return NULL;
    ahead = PyCapsule_GetPointer(arguments[0], AHEAD);
    if (!ahead || PyCapsule_SetName(arguments[0], USED)) /* a second time is a ValueError */
        return NULL;
    Py_BEGIN_ALLOW_THREADS fd = nlp_opened(ahead);
    Py_END_ALLOW_THREADS return fd < 0 ? native_refuse(fd, NULL) : PyLong_FromLong(fd);
}
