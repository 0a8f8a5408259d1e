/* Elementwise operations on rows of two tensors of one type. */
#ifndef PYXNN_KERNELS_TYPED_BINARY_H
#define PYXNN_KERNELS_TYPED_BINARY_H

#include <pyxnn.h>
#include <stddef.h>

/*
 * Does rows, whose elements lie beside each other; `output` may be an operand that has as many elements of the same size.
 * @param strides  of a, b and output from row to row, in elements
 */
typedef void (*typed_rows)(const void* a, const void* b, void* output, size_t rows, size_t columns,
                           const ptrdiff_t* strides);

/* One operation, for operands whose rows are of many elements or of one. */
struct typed_binary {
  typed_rows row_row, row_one, one_row;
};

/* The kernels of an operation; NULL when there are none. */
const struct typed_binary* typed_binary_find(enum pyxnn_binary_type type, enum pyxnn_element element);

#endif
