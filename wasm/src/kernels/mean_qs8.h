/* Means of int8 numbers. */
#ifndef PYXNN_KERNELS_MEAN_QS8_H
#define PYXNN_KERNELS_MEAN_QS8_H

#include <stddef.h>
#include <stdint.h>

/* sums[column] = the sum of a column of `rows` numbers, `stride` apart from row to row. */
void sum_columns_qs8(const int8_t* input, size_t rows, size_t stride, size_t columns, int32_t* sums);

/* The sum of a row of numbers. */
int32_t sum_row_qs8(const int8_t* input, size_t count);

#endif
