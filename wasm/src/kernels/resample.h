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

/*
 * Makes two rows of the same rows.
 * @param weights  [2, taps]
 * @param to       floats between the rows of the output
 */
void resample_two_rows(const float* rows, size_t stride, const float* weights, size_t taps, float* output, size_t to,
                       size_t count);

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
 * Makes each of `columns` pixels of two neighbours in one row and two in the next. Products and sums are rounded one by one, in
 * onnxruntime's sequence, so that what is half way between two bytes becomes the same one.
 * @param top      the first row
 * @param bottom   the next
 * @param across   the weights of the rows
 * @param inner    floats of a pixel; pixels are dense
 * @param firsts   by column, the first of its neighbours
 * @param weights  [columns, 2]
 */
void resample_quads(const float* top, const float* bottom, const float* across, size_t inner, const int32_t* firsts,
                    const float* weights, float* output, size_t columns);

/*
 * resample_columns of pixels of one float, four columns at a time, for many rows alike: where the first neighbours of each four lie
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

/* resample_quads by the table, that of two taps. */
void resample_quad_fours(const float* top, const float* bottom, const float* across, const void* table, float* output,
                         size_t columns);

/* Makes the columns of a row by the table. */
void resample_fours(const float* row, const void* table, size_t taps, float* output, size_t columns);

/* A row whose pixels all become two columns alike, those at its ends being repeated beyond: no table is read for it. */
struct resample_phases {
  size_t taps;  /* 2 or 4 */
  size_t apart; /* how far the first neighbour of the second column is from that of the first, 0 or 1 */
  /* [2, taps], of the table that they were found in; where columns are 1 apart the second's are the first's turned around */
  const float* weights;
};

/*
 * Finds out whether a row is such; arguments as resample_find_fours has them.
 * @param phases  receives how; it refers to `weights`
 */
bool resample_find_phases(const int32_t* firsts, const float* weights, size_t taps, size_t pixels, size_t columns,
                          struct resample_phases* phases);

/* Rows of an image, and how others are made of them: each is the sum of neighbours by their weights. */
struct resample_stack {
  const float* image;
  size_t stride, taps; /* pixels of a row; neighbours, one of which needs no weight */
  const int32_t* firsts;
  const float* weights; /* [rows, taps] */
};

/*
 * Makes rows of neighbours along both axes; sums of rows aren't laid down.
 * @param rows    taps are 1 or those of columns
 * @param output  `number` dense rows of twice the pixels
 */
void resample_phases(const struct resample_stack* rows, const struct resample_phases* phases, float* output,
                     size_t number);

#endif
