/* Moments of float32 values, of a run of them or of each column of a matrix, and normalization by them. */
#ifndef PYXNN_KERNELS_NORMALIZE_H
#define PYXNN_KERNELS_NORMALIZE_H

#include <stddef.h>

/* What is summed to tell how far values lie apart; the mean counts as 0 but for the first. */
enum spread { spread_squared_differences, spread_squares, spread_magnitudes };

struct moments {
  double count, mean, spread;
};

/*
 * The moments of `count` values. Values are read in pieces that stay in the first-level cache, once for the mean and once for
 * the spread, and pieces are merged by Chan's formula: nothing is lost where the mean is large, and memory is read once.
 */
struct moments moments_of(const float* values, size_t count, enum spread spread);

/* The moments of two sets of values together. */
struct moments moments_merged(struct moments a, struct moments b);

/* What results are kept within. */
struct bounds {
  float min, max;
};

/* output = (input - center) * factor * scale + bias, within bounds, each value with a scale and a bias of its own. */
void normalize_each(const float* input, float* output, size_t count, float center, float factor, const float* scale,
                    const float* bias, const struct bounds* bounds);

/* output = (input - center) * factor + bias, within bounds. */
void normalize_all(const float* input, float* output, size_t count, float center, float factor, float bias,
                   const struct bounds* bounds);

/* The most columns that are taken together. */
enum { max_columns = 256 };

/* The moments of each column. */
struct column_moments {
  float count;
  float mean[max_columns], spread[max_columns];
};

/* Merges `rows` rows of `columns` values, `stride` apart, into `moments`; in pieces, like moments_of. */
void column_moments_add(struct column_moments* moments, const float* values, size_t rows, size_t stride, size_t columns,
                        enum spread spread);

/* Merges other moments of as many columns into `moments`. */
void column_moments_merge(struct column_moments* moments, const struct column_moments* other, size_t columns);

/* output = (input - center) * factor + bias, within bounds, each column with its own. */
void normalize_columns(const float* input, float* output, size_t rows, size_t stride, size_t columns,
                       const float* center, const float* factor, const float* bias, const struct bounds* bounds);

#endif
