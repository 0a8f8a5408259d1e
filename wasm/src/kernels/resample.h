/* Weighted sums of neighbours along one axis, float32. */
#ifndef PYXNN_KERNELS_RESAMPLE_H
#define PYXNN_KERNELS_RESAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Adds up `taps` rows of `count` floats by their weights.
 * @param rows     the first of them
 * @param stride   floats between rows
 * @param weights  one a row
 * @param output   `count` floats
 */
void resample_rows(const float* rows, size_t stride, const float* weights, size_t taps, float* output, size_t count);

/* Pixels whose first floats are `stride` floats apart. */
struct resample_row {
  const float* first;
  size_t stride;
  size_t pixels;
};

/*
 * Makes each of `columns` pixels of neighbours in a row.
 * @param inner    floats of a pixel
 * @param firsts   by column of the output, the first of its neighbours
 * @param weights  [columns, taps]
 * @param output   the pixels
 * @param to       floats between them
 */
void resample_columns(const struct resample_row* row, size_t inner, const int32_t* firsts, const float* weights,
                      size_t taps, float* output, size_t to, size_t columns);

/*
 * The same of pixels of one float, four columns at a time, for many rows alike: where the first neighbours of each four lie
 * within four pixels, they are picked from whole vectors.
 */

/* Bytes of the table of a row's fours. */
size_t resample_fours_size(size_t taps, size_t columns);

/*
 * Fills the table; false when there are neighbours too far apart, or fewer than four columns.
 * @param pixels  of a row
 */
bool resample_find_fours(const int32_t* firsts, const float* weights, size_t taps, size_t pixels, size_t columns,
                         void* table);

/* Makes the columns of a row by the table. */
void resample_fours(const float* row, const void* table, size_t taps, float* output, size_t columns);

#endif
