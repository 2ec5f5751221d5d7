/* The shim's own door to Python, `PyInit__native`: needs neither cffi nor ctypes. The limited API of 3.11,
 * buffers in. The surface is described in netlinkpy/backends/interface.py. */
#include "native.h"

#include <unistd.h>

#define MAX_NETNS 65536

static PyObject *none_or_refuse(int result, PyObject *filename)
{
    if (result)
        return native_refuse(result, filename);
    Py_RETURN_NONE;
}

static PyObject *native_setns(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    int fd, nstype;

    (void)module;
    if (!native_has_count("setns", count, 2, 2) || !native_to_int(arguments[0], &fd) ||
        !native_to_int(arguments[1], &nstype))
        return NULL;
    return none_or_refuse(nlp_setns(fd, nstype), NULL);
}

static PyObject *native_unshare(PyObject *module, PyObject *flags)
{
    int value;

    (void)module;
    return native_to_int(flags, &value) ? none_or_refuse(nlp_unshare(value), NULL) : NULL;
}

static PyObject *native_mount(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *source = NULL, *target = NULL, *fstype = NULL, *result = NULL;
    unsigned long flags;
    int bad;

    (void)module;
    if (!native_has_count("mount", count, 4, 4) || !PyUnicode_FSConverter(arguments[0], &source) ||
        !PyUnicode_FSConverter(arguments[1], &target) ||
        (arguments[2] != Py_None && !PyUnicode_FSConverter(arguments[2], &fstype)))
        goto out;
    flags = PyLong_AsUnsignedLong(arguments[3]);
    if (flags == (unsigned long)-1 && PyErr_Occurred())
        goto out;
    Py_BEGIN_ALLOW_THREADS bad = nlp_mount(PyBytes_AsString(source), PyBytes_AsString(target),
                                           fstype ? PyBytes_AsString(fstype) : NULL, flags);
    Py_END_ALLOW_THREADS result = none_or_refuse(bad, arguments[1]);
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
    if (!native_has_count("umount", count, 2, 2) || !PyUnicode_FSConverter(arguments[0], &target) ||
        !native_to_int(arguments[1], &flags))
        goto out;
    Py_BEGIN_ALLOW_THREADS bad = nlp_umount(PyBytes_AsString(target), flags);
    Py_END_ALLOW_THREADS result = none_or_refuse(bad, arguments[0]);
out:
    Py_XDECREF(target);
    return result;
}

static PyObject *native_prctl(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    unsigned long words[4];
    int option, result;

    (void)module;
    if (!native_has_count("prctl", count, 5, 5) || !native_to_int(arguments[0], &option))
        return NULL;
    for (int i = 0; i < 4; i++) {
        words[i] = PyLong_AsUnsignedLong(arguments[i + 1]);
        if (words[i] == (unsigned long)-1 && PyErr_Occurred())
            return NULL;
    }
    result = nlp_prctl(option, words[0], words[1], words[2], words[3]);
    return result < 0 ? native_refuse(result, NULL) : PyLong_FromLong(result);
}

static PyObject *native_capset(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    unsigned long long sets[3];

    (void)module;
    if (!native_has_count("capset", count, 3, 3))
        return NULL;
    for (int i = 0; i < 3; i++) {
        sets[i] = PyLong_AsUnsignedLongLong(arguments[i]);
        if (sets[i] == (unsigned long long)-1 && PyErr_Occurred())
            return NULL;
    }
    return none_or_refuse(nlp_capset(sets[0], sets[1], sets[2]), NULL);
}

static PyObject *native_open_socket(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    int numbers[4], fd;

    (void)module;
    if (!native_has_count("open_socket", count, 4, 4))
        return NULL;
    for (int i = 0; i < 4; i++)
        if (!native_to_int(arguments[i], &numbers[i]))
            return NULL;
    Py_BEGIN_ALLOW_THREADS fd = nlp_open_socket(numbers[0], numbers[1], numbers[2], numbers[3]);
    Py_END_ALLOW_THREADS return fd < 0 ? native_refuse(fd, NULL) : PyLong_FromLong(fd);
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
    if (!native_to_size(number, &count) || !fits_netns(count))
        return NULL;
    fds = PyMem_Malloc(count * sizeof *fds);
    if (!fds)
        return PyErr_NoMemory();
    Py_BEGIN_ALLOW_THREADS bad = nlp_make_netns(count, fds);
    Py_END_ALLOW_THREADS result = bad ? native_refuse(bad, NULL) : list_of_ints(fds, count);
    for (size_t i = 0; !result && !bad && i < count; i++)
        close(fds[i]); /* there is no list to give them in */
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
    Py_BEGIN_ALLOW_THREADS bad = nlp_make_netns_at(count, names, errors);
    Py_END_ALLOW_THREADS result = bad ? native_refuse(bad, NULL) : list_of_ints(errors, count);
out:
    PyMem_Free(errors);
    PyMem_Free(names);
    Py_XDECREF(encoded);
    Py_DECREF(tuple);
    return result;
}

#define FAST(name) {#name, (PyCFunction)(void (*)(void))native_##name, METH_FASTCALL, NULL}

static PyMethodDef methods[] = {
    FAST(setns),
    {"unshare", native_unshare, METH_O, NULL},
    FAST(mount),
    FAST(umount),
    FAST(prctl),
    FAST(capset),
    FAST(open_socket),
    {"make_netns", native_make_netns, METH_O, NULL},
    {"make_netns_at", native_make_netns_at, METH_O, NULL},
    FAST(stamp),
    FAST(gather),
    FAST(exchange),
    FAST(visit), FAST(open_ahead), FAST(opened),
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
    .m_doc = "The shim of netlinkpy; see netlinkpy.backends.interface.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
