/* Numbers times factors plus addends. */
#ifndef PYXNN_KERNELS_MULTIPLY_ADD_H
#define PYXNN_KERNELS_MULTIPLY_ADD_H

#include <stdbool.h>
#include <stddef.h>

/* Where rows lie; distances count elements. */
struct multiply_add_rows {
  size_t rows, columns;
  ptrdiff_t input, factors, addends, output; /* from row to row */
};

/*
 * Multiplies, adds and clamps; NaN stays NaN.
 * @param has_columns  whether each column has a factor and an addend of its own, side by side, rather than each row one
 * @param output       may be the input
 */
void multiply_add(struct multiply_add_rows rows, const float* input, const float* factors, const float* addends,
                  bool has_columns, float min, float max, float* output);

#endif
