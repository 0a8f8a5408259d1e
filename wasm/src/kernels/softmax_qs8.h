/* Softmax of int8 rows. */
#ifndef PYXNN_KERNELS_SOFTMAX_QS8_H
#define PYXNN_KERNELS_SOFTMAX_QS8_H

#include "kernels/requantize.h"

/* What all rows have in common. */
struct softmax_qs8 {
  float powers[256]; /* e^(-i * scale of the input): of a number that is i below the greatest of its row */
  float in_scale;
  float steps; /* of the result in 1 */
  struct requantizer to;
};

/* The softmax of a row of `length` numbers, at least one; `output` is apart from `input`. */
void softmax_row_qs8(const struct softmax_qs8* by, const int8_t* input, size_t length, int8_t* output);

/* Its logarithm. */
void log_softmax_row_qs8(const struct softmax_qs8* by, const int8_t* input, size_t length, int8_t* output);

#endif
