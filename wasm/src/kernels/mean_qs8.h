/* Means of int8 numbers: of a sum, (sum - offset) * factor, rounded to nearest, ties to even, + zero, within min and max. */
#ifndef PYXNN_KERNELS_MEAN_QS8_H
#define PYXNN_KERNELS_MEAN_QS8_H

#include <stddef.h>
#include <stdint.h>

struct mean_scaling {
  int32_t offset;
  float factor, zero, min, max;
};

/* Means of `count` sums, a multiple of eight; less the offset they have 32 bits. */
void means_qs8(const int32_t* sums, size_t count, const struct mean_scaling* scaling, int8_t* means);

/* sums[column] = the sum of a column of `rows` numbers, `stride` apart from row to row. */
void sum_columns_qs8(const int8_t* input, size_t rows, size_t stride, size_t columns, int32_t* sums);

/* The sum of a row of numbers. */
int32_t sum_row_qs8(const int8_t* input, size_t count);

#endif
