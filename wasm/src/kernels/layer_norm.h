/* Normalization of one row. */
#ifndef PYXNN_KERNELS_LAYER_NORM_H
#define PYXNN_KERNELS_LAYER_NORM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * output = (input - mean) / sqrt(variance + epsilon) * scale + bias, with the mean and the variance of the row.
 * The row is read once for the mean, once for the variance and once for the output: a row stays in the first-level cache,
 * and differences from the mean lose nothing where the mean is large.
 * @param centered  false: the mean counts as 0, so that it is the root of the mean square that divides
 * @param output    may be `input`
 */
void layer_norm_row(const float* input, const float* scale, const float* bias, float* output, size_t channels,
                    float epsilon, bool centered);

#endif
