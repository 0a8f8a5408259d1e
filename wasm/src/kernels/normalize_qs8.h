/* Normalization of int8 rows. */
#ifndef PYXNN_KERNELS_NORMALIZE_QS8_H
#define PYXNN_KERNELS_NORMALIZE_QS8_H

#include "kernels/requantize.h"

/* Sums over a row, exact. */
struct sums_qs8 {
  int64_t sum, squares;
};

struct sums_qs8 sums_of_row_qs8(const int8_t* input, size_t length);

/*
 * output[i] = (input[i] - center) * factor * scale[i] + bias[i], in steps of the result.
 * @param output  apart from `input`
 */
void normalize_row_qs8(const int8_t* input, size_t length, float center, float factor, const float* scale,
                       const float* bias, const struct requantizer* to, int8_t* output);

#endif
