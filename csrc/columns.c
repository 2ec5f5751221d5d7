/* stamp and gather: columns of values into messages, and messages into columns of values. */
#include "columns.h"

#include "framing.h"

struct column {
    uint64_t offset, width, stride, swap;
};

static int check_column(const struct column *column, struct nlp_span data, size_t template_length,
                        uint64_t start, uint64_t stop)
{
    uint64_t end;

    if (column->width > template_length || column->offset > template_length - column->width)
        return NLP_BAD_COLUMN;
    if (start == stop)
        return 0;
    if (__builtin_mul_overflow(stop - 1, column->stride, &end) ||
        __builtin_add_overflow(end, column->width, &end) || end > data.length)
        return NLP_BAD_DATA;
    return 0;
}

/* The widths of most fields are written out: a memcpy of known size is one instruction. */
static inline void copy(uint8_t *to, const uint8_t *from, size_t width)
{
    switch (width) {
    case 1: *to = *from; break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    default: memcpy(to, from, width);
    }
}

static void copy_swapped(uint8_t *to, const uint8_t *from, size_t width)
{
    for (size_t i = 0; i < width; i++)
        to[i] = from[width - 1 - i];
}

NLP_CALL(stamp)
{
    struct nlp_span out = buffers[0], row_template = buffers[1];
    struct column columns[NLP_COLUMNS];
    uint64_t start = (uint64_t)numbers[0], stop = (uint64_t)numbers[1], rows = stop - start;

    if (!row_template.length || row_template.length % 4 ||
        (numbers[2] && row_template.length < HEADER_LENGTH))
        return NLP_BAD_TEMPLATE;
    if (numbers[0] < 0 || numbers[0] > numbers[1])
        return NLP_BAD_ROWS;
    if (count > NLP_COLUMNS || buffers[2].length != count * sizeof *columns)
        return NLP_BAD_COLUMN;
    memcpy(columns, buffers[2].data, buffers[2].length);
    if (rows > out.length / row_template.length)
        rows = out.length / row_template.length;
    out.length = rows * row_template.length;
    if (overlap(out, row_template))
        return NLP_BAD_OVERLAP;
    for (size_t i = 0; i < count; i++) {
        int bad = check_column(&columns[i], list[i], row_template.length, start, stop);
        if (bad)
            return bad;
        if (overlap(out, list[i]))
            return NLP_BAD_OVERLAP;
    }
    for (uint64_t row = 0; row < rows; row++) {
        uint8_t *to = out.data + row * row_template.length;
        memcpy(to, row_template.data, row_template.length);
        for (size_t i = 0; i < count; i++) {
            const struct column *column = &columns[i];
            const uint8_t *from = list[i].data + (start + row) * column->stride;
            if (column->swap)
                copy_swapped(to + column->offset, from, column->width);
            else
                copy(to + column->offset, from, column->width);
        }
        if (numbers[2])
            store32(to + 8, (uint32_t)numbers[3] + (uint32_t)row);
    }
    return (int64_t)rows;
}

/* A plan that was checked, and the row that is being filled. */
struct gathering {
    const uint8_t *nodes, *fields;
    const struct nlp_span *columns;
    size_t row;
    uint64_t present;
};

enum { PLAN_HEAD = 8, NODE = 10, FIELD = 8 };

struct node {
    uint16_t type, first_child, children, first_field, fields;
};

struct field {
    uint16_t column, offset, width, kind;
};

static inline struct node load_node(const uint8_t *nodes, size_t number)
{
    struct node node;
    memcpy(&node, nodes + number * NODE, sizeof node);
    return node;
}

static inline struct field load_field(const uint8_t *fields, size_t number)
{
    struct field field;
    memcpy(&field, fields + number * FIELD, sizeof field);
    return field;
}

int nlp_check_plan(struct nlp_span plan, const struct nlp_span *columns, size_t count, size_t capacity)
{
    uint8_t depths[NLP_FIELDS * NLP_DEPTH + 1] = {0}; /* of the message, and a path for each field */
    uint64_t seen = 0;
    size_t nodes, fields;

    if (plan.length < PLAN_HEAD)
        return NLP_BAD_PLAN;
    nodes = load16(plan.data + 4);
    fields = load16(plan.data + 6);
    if (!nodes || nodes > sizeof depths || fields > NLP_FIELDS || fields != count ||
        plan.length != PLAN_HEAD + nodes * NODE + fields * FIELD)
        return NLP_BAD_PLAN;
    for (size_t i = 0; i < nodes; i++) {
        struct node node = load_node(plan.data + PLAN_HEAD, i);
        /* Children follow their parent, so a walk down ends. */
        if ((node.children && node.first_child <= i) || (size_t)node.first_child + node.children > nodes ||
            (size_t)node.first_field + node.fields > fields || depths[i] > NLP_DEPTH)
            return NLP_BAD_PLAN;
        for (size_t child = node.first_child; child < (size_t)node.first_child + node.children; child++)
            if (depths[child] <= depths[i])
                depths[child] = depths[i] + 1;
    }
    for (size_t i = 0; i < fields; i++) {
        struct field field = load_field(plan.data + PLAN_HEAD + nodes * NODE, i);
        size_t needed;
        if (field.column >= count || seen >> field.column & 1 || !field.width || field.kind > 1 ||
            (field.kind == 1 && field.width != 2))
            return NLP_BAD_PLAN;
        seen |= (uint64_t)1 << field.column;
        if (__builtin_mul_overflow((size_t)field.width, capacity, &needed) ||
            columns[field.column].length < needed)
            return NLP_BAD_DATA;
    }
    return 0;
}

static inline void keep_fields(struct gathering *into, const struct node *node, const uint8_t *payload,
                               size_t length)
{
    for (size_t i = node->first_field; i < (size_t)node->first_field + node->fields; i++) {
        struct field field = load_field(into->fields, i);
        uint8_t *cell = into->columns[field.column].data + into->row * field.width;
        if (field.kind == 1) {
            store16(cell, (uint16_t)length);
        } else if (length >= (size_t)field.offset + field.width) {
            copy(cell, payload + field.offset, field.width);
        } else if (field.offset && field.offset >= length) {
            continue;
        } else {
            size_t there = length - field.offset;
            memcpy(cell, payload + field.offset, there);
            memset(cell + there, 0, field.width - there);
        }
        into->present |= (uint64_t)1 << field.column;
    }
}

static int gather_attributes(struct gathering *into, const struct node *parent, const uint8_t *at,
                             size_t left)
{
    while (left >= ATTRIBUTE_LENGTH) {
        size_t length = load16(at), step;
        uint16_t type = (uint16_t)(load16(at + 2) & NLA_TYPE_MASK);

        if (length < ATTRIBUTE_LENGTH || length > left)
            return NLP_BAD_ATTRIBUTE;
        for (size_t i = parent->first_child; i < (size_t)parent->first_child + parent->children; i++) {
            struct node child;
            if (load16(into->nodes + i * NODE) != type)
                continue;
            child = load_node(into->nodes, i);
            keep_fields(into, &child, at + ATTRIBUTE_LENGTH, length - ATTRIBUTE_LENGTH);
            if (child.children) {
                int bad = gather_attributes(into, &child, at + ATTRIBUTE_LENGTH, length - ATTRIBUTE_LENGTH);
                if (bad)
                    return bad;
            }
            break;
        }
        step = aligned(length);
        if (step >= left)
            break;
        at += step;
        left -= step;
    }
    return 0;
}

static void clear_absent(const struct gathering *into, size_t fields)
{
    for (size_t i = 0; i < fields; i++) {
        struct field field = load_field(into->fields, i);
        if (!(into->present >> field.column & 1))
            memset(into->columns[field.column].data + into->row * field.width, 0, field.width);
    }
}

int nlp_gather_rows(struct nlp_span data, struct nlp_span plan, const struct nlp_span *columns,
                    struct nlp_span present, size_t row, size_t capacity, struct nlp_gathered *gathered)
{
    size_t at = (size_t)gathered->position, header = load16(plan.data + 2), fields = load16(plan.data + 6);
    uint16_t type = load16(plan.data);
    struct gathering into = {.nodes = plan.data + PLAN_HEAD,
                             .fields = plan.data + PLAN_HEAD + (size_t)load16(plan.data + 4) * NODE,
                             .columns = columns,
                             .row = row};
    struct node root = load_node(into.nodes, 0);

    while (at < data.length && into.row < capacity) {
        struct message message;
        if (!read_message(data.data + at, data.length - at, &message))
            return NLP_BAD_MESSAGE;
        if (message.type == NLMSG_DONE || message.type == NLMSG_ERROR)
            break;
        if (message.type == type) {
            const uint8_t *body = data.data + at + HEADER_LENGTH;
            size_t body_length = message.length - HEADER_LENGTH;
            if (body_length < header)
                return NLP_BAD_HEADER;
            into.present = 0;
            keep_fields(&into, &root, body, header);
            if (body_length > aligned(header)) {
                int bad =
                    gather_attributes(&into, &root, body + aligned(header), body_length - aligned(header));
                if (bad)
                    return bad;
            }
            clear_absent(&into, fields);
            if (present.data)
                memcpy(present.data + into.row * sizeof into.present, &into.present, sizeof into.present);
            into.row++;
        }
        gathered->flags |= message.flags;
        at = following(at, message.length, data.length);
    }
    gathered->added = into.row - row;
    gathered->position = at;
    return 0;
}

NLP_CALL(gather)
{
    struct nlp_span data = {buffers[0].data, nlp_size(numbers[0])}, plan = buffers[1], present = buffers[2],
                    told = buffers[3];
    size_t row = nlp_size(numbers[1]), capacity = nlp_size(numbers[2]);
    struct nlp_gathered gathered = {.position = nlp_size(numbers[3])};
    int bad = nlp_check_plan(plan, list, count, capacity);

    if (bad)
        return bad;
    if (data.length > buffers[0].length || gathered.position > data.length ||
        told.length != sizeof gathered || (present.data && capacity > present.length / sizeof(uint64_t)))
        return NLP_BAD_DATA;
    if (row > capacity)
        return NLP_BAD_ROWS;
    bad = overlap(data, present);
    for (size_t i = 0; i < count; i++)
        bad |= overlap(data, list[i]);
    if (bad)
        return NLP_BAD_OVERLAP;
    bad = nlp_gather_rows(data, plan, list, present, row, capacity, &gathered);
    if (!bad)
        memcpy(told.data, &gathered, sizeof gathered);
    return bad;
}
