/*
 * Pools in two passes, channels innermost: of the rows that a window lies on one row is made, of its pixels the windows.
 * Strides and sizes count bytes.
 */
#ifndef PYXNN_KERNELS_POOLING_H
#define PYXNN_KERNELS_POOLING_H

#include <stddef.h>
#include <stdint.h>

/* What is made of a window; of floats where it doesn't say otherwise. NaN counts nothing in a maximum. */
enum pooling {
  pooling_maximum, /* at least the least finite float */
  pooling_maximum_u8,
  pooling_maximum_s8,
  pooling_mean,
  pooling_magnitudes, /* the sum of magnitudes */
  pooling_squares,    /* the root of the sum of squares */
  pooling_powers,     /* the root of the sum of powers of the magnitudes */
};

/* What stays alike in all windows. */
struct pooling_constants {
  enum pooling pooling;
  float power; /* of pooling_powers */
  float min, max;
};

/* How far beyond the end of a row of pixels the second pass reads, and the first writes. */
enum { pooling_slack = 16 };

/* Rows that are two axes of an image apart. */
struct pooling_rows {
  const uint8_t* first;
  size_t counts[2];
  ptrdiff_t strides[2];
};

/* Fills bytes with what changes no window. */
void pooling_fill(enum pooling pooling, uint8_t* to, size_t bytes);

/* Makes one row of `bytes` bytes of all; what changes no window where there is none. */
void pooling_add_rows(const struct pooling_constants* constants, const struct pooling_rows* rows, uint8_t* to,
                      size_t bytes);

/* Windows along one row that the first pass has made. */
struct pooling_windows {
  const uint8_t* first; /* tap of the first window */
  size_t taps;
  size_t tap_stride;
  size_t stride; /* from window to window */
  size_t count;
  const float* factors; /* by window, that the sums of a mean are multiplied by */
};

/*
 * Makes pixels of windows.
 * @param bytes  of a pixel
 * @param to     the first of them
 * @param step   from pixel to pixel there
 */
void pooling_add_columns(const struct pooling_constants* constants, const struct pooling_windows* windows, size_t bytes,
                         uint8_t* to, size_t step);

/* Windows along a row that share no pixel, straight from the rows of the image that they lie on. */
struct pooling_apart {
  struct pooling_rows rows; /* from column 0 on; at least one */
  ptrdiff_t pixel_stride;   /* between columns */
  ptrdiff_t start, width;   /* the column of the first window's first tap; how many columns there are */
  size_t taps, stride;      /* side by side; columns from window to window */
  size_t count;
  const float* factors; /* as above */
};

/*
 * Makes pixels of such windows: maxima or means of floats.
 * @param bytes  of a pixel, at least pooling_slack
 * @param to     the first of them
 * @param step   from pixel to pixel there
 */
void pooling_windows_apart(const struct pooling_constants* constants, const struct pooling_apart* windows, size_t bytes,
                           uint8_t* to, size_t step);

/* The taps of a window that are inside the image; strides count floats. */
struct pooling_taps {
  const float* first;
  size_t counts[3];
  ptrdiff_t strides[3];
};

/*
 * Where the greatest is, the first of equals.
 * @param place    of the first tap
 * @param strides  places between taps
 * @param step     added for each channel
 */
void pooling_argmax(const struct pooling_taps* taps, int64_t place, const int32_t strides[3], int64_t step,
                    int64_t* output, size_t channels);

#endif
