/* Rows of products of bytes (kernels/byte_product.h): what lies under windows that slide over images. */
#ifndef PYXNN_PRODUCT_WINDOWS_H
#define PYXNN_PRODUCT_WINDOWS_H

#include "kernels/byte_product.h"
#include "window.h"

struct product_windows {
  struct slide slides[window_axes];
  size_t channels, depth; /* of a group; the bytes under a window */
  size_t pixel_step;      /* bytes from one pixel of the image to the next */
  size_t runs;            /* of bytes that a row is widened as */
  bool is_signed;
  bool is_pointwise; /* output pixels take one input pixel each, in sequence */
  bool is_line;      /* a row of a window is a run of bytes in the image */
};

/*
 * Finds out how windows lie, by their slides, channels and pixel_step.
 * @param runs  in which the columns have their depths; 0 for one, and any where that is the same
 */
void plan_windows(struct product_windows* windows, size_t runs);

/* Rows that are widened at once. */
struct window_rows {
  struct product_source source;
  struct product_runs runs;
  size_t count;
};

/*
 * The next rows: where they lie, or copied, a few of them, where they are padded.
 * @param input  the first pixel of the image, of a group
 * @param place  of the first window; receives that of the next one
 * @param most   rows
 * @param zero   what is outside of the image
 * @param bytes  room for copies of `product_rows`
 */
struct window_rows take_windows(const struct product_windows* windows, const uint8_t* input, struct window_place* place,
                                size_t most, uint8_t zero, uint8_t* bytes);

#endif
