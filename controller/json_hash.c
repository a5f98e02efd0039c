// SPDX-License-Identifier: Apache-2.0
#include "controller/json_hash.h"

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), and a finalizer that mixes well before members are added up.
static uint64_t add_bytes(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3ULL;
    return hash;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static uint64_t start(char kind)
{
    return add_bytes(0xcbf29ce484222325ULL, &kind, 1);
}

uint64_t json_hash_text(const char *text)
{
    size_t len = 0;

    while (text[len])
        len++;
    return mix(add_bytes(start('s'), text, len)) | 1;
}

static uint64_t hash_object(json_object *object)
{
    uint64_t sum = start('o');

    json_object_object_foreach(object, key, value)
    {
        if (value)
            sum += mix(json_hash_text(key) * 31 + json_hash(value));
    }
    return sum;
}

static uint64_t hash_array(json_object *array)
{
    uint64_t hash = start('a');

    for (size_t i = 0; i < json_object_array_length(array); i++)
        hash = mix(hash ^ json_hash(json_object_array_get_idx(array, i)));
    return hash;
}

uint64_t json_hash(json_object *value)
{
    size_t len;
    const char *text;

    if (!value)
        return 0;
    if (json_object_is_type(value, json_type_object))
        return mix(hash_object(value)) | 1;
    if (json_object_is_type(value, json_type_array))
        return mix(hash_array(value)) | 1;
    if (json_object_is_type(value, json_type_string))
        return json_hash_text(json_object_get_string(value));
    text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &len);
    return mix(add_bytes(start('v'), text, len)) | 1;
}
