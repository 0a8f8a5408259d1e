/* Softmax and its kin along one axis. */
#ifndef PYXNN_KERNELS_SOFTMAX_H
#define PYXNN_KERNELS_SOFTMAX_H

#include <pyxnn.h>
#include <stddef.h>

/*
 * A row of `length` floats.
 * @param output  may be `input`
 */
void softmax_row(enum pyxnn_softmax_type type, const float* input, size_t length, float* output);

/*
 * `count` neighbouring columns of `length` floats, `stride` apart: each row is read twice and written once, or twice for
 * softmax itself, while it is in the cache.
 * @param output  may be `input`
 */
void softmax_columns(enum pyxnn_softmax_type type, const float* input, size_t length, size_t stride, size_t count,
                     float* output);

#endif
