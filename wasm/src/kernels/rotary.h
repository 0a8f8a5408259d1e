/* Pairs of numbers turned by angles. */
#ifndef PYXNN_KERNELS_ROTARY_H
#define PYXNN_KERNELS_ROTARY_H

#include <stddef.h>

/*
 * Turns `half` pairs: (x, y) to (x * cos - y * sin, x * sin + y * cos). The first of a pair is number i, the second number half + i.
 * @param output  2 * half numbers; may be the input
 */
void rotary_halves(const float* input, const float* cosines, const float* sines, size_t half, float* output);

/* The same of pairs that lie side by side. */
void rotary_pairs(const float* input, const float* cosines, const float* sines, size_t half, float* output);

#endif
