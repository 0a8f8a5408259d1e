/* Pairs of numbers turned by angles. */
#ifndef PYXNN_KERNELS_ROTARY_H
#define PYXNN_KERNELS_ROTARY_H

#include <stddef.h>

/* The elements from one row to the next. */
struct rotary_steps {
  size_t input, output, table;
};

/*
 * Turns `half` pairs of each row: (x, y) to (x * cos - y * sin, x * sin + y * cos). The first of a pair is number i, the second
 * number half + i.
 * @param cosines, sines  `half` numbers a row
 * @param output          2 * half numbers a row; may be the input
 */
void rotary_halves(const float* input, const float* cosines, const float* sines, size_t half, float* output,
                   size_t rows, struct rotary_steps steps);

/* The same of pairs that lie side by side. */
void rotary_pairs(const float* input, const float* cosines, const float* sines, size_t half, float* output, size_t rows,
                  struct rotary_steps steps);

#endif
