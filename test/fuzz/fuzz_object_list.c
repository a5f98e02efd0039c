// SPDX-License-Identifier: Apache-2.0
// object_list_parse takes any text without harm, and what it read, written with every name quoted, is read as the same.
#include "common/base/buffer.h"
#include "common/base/memory.h"
#include "common/contract/object_list.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void put_quoted(Buffer *out, const char *name)
{
    buffer_putc(out, '"');
    for (; *name; name++) {
        if (*name == '"')
            buffer_putc(out, '"');
        buffer_putc(out, *name);
    }
    buffer_putc(out, '"');
}

// "schema"."table", as one item in the quotes of CSV.
static void write_list(const ObjectList *list, Buffer *out)
{
    for (size_t i = 0; i < list->count; i++) {
        auto_buffer Buffer item = {0};
        put_quoted(&item, list->items[i].schema);
        if (list->items[i].table) {
            buffer_putc(&item, '.');
            put_quoted(&item, list->items[i].table);
        }
        if (i > 0)
            buffer_putc(out, ',');
        put_quoted(out, item.data);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ObjectList list, again;
    Error err = {0};
    auto_free char *text = memory_alloc(size + 1);

    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    if (object_list_parse(text, &list, &err)) {
        require(err.code == ERROR_USAGE && list.count == 0);
        return 0;
    }
    auto_buffer Buffer written = {0};
    write_list(&list, &written);
    require(object_list_parse(written.data, &again, &err) == 0 && again.count == list.count);
    for (size_t i = 0; i < list.count; i++) {
        const ObjectName *a = &list.items[i], *b = &again.items[i];
        require(strcmp(a->schema, b->schema) == 0 && !a->table == !b->table);
        require(!a->table || strcmp(a->table, b->table) == 0);
    }
    object_list_free(&again);
    object_list_free(&list);
    return 0;
}
