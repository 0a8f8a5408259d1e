/* Elementwise operations on two rows of one type. */
#ifndef PYXNN_KERNELS_TYPED_BINARY_H
#define PYXNN_KERNELS_TYPED_BINARY_H

#include <pyxnn.h>
#include <stddef.h>

/* `output` may be an operand that has as many elements of the same size. */
typedef void (*typed_row)(const void* a, const void* b, void* output, size_t count);

/* One operation, for operands that are rows or a single element. */
struct typed_binary {
  typed_row row_row, row_one, one_row;
};

/* The kernels of an operation; NULL when there are none. */
const struct typed_binary* typed_binary_find(enum pyxnn_binary_type type, enum pyxnn_element element);

#endif
