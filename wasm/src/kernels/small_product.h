/* The product of two small matrices, which are used as they lie. */
#ifndef PYXNN_KERNELS_SMALL_PRODUCT_H
#define PYXNN_KERNELS_SMALL_PRODUCT_H

#include <stddef.h>

enum { small_product_rows = 4 };

/*
 * output [rows, columns] = a [rows, depth] * b [depth, columns], all dense.
 * @param rows  1 to small_product_rows
 */
void small_product(const float* a, const float* b, float* output, size_t rows, size_t depth, size_t columns);

#endif
