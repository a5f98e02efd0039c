// SPDX-License-Identifier: Apache-2.0
// Paths of the API: /apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE/NAME/SUBRESOURCE, each part percent-encoded.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
#pragma once

// base: "/api/v1", "/apis/batch/v1". namespace_name: NULL for all namespaces or what has none. name, subresource: NULL
// for the collection, or the object itself. Caller frees.
char *k8s_path(const char *base, const char *namespace_name, const char *resource, const char *name,
               const char *subresource);
// What may stand as a part of a path or as a value of a query (RFC 3986, unreserved characters stay). Caller frees.
char *k8s_path_encode(const char *text);
