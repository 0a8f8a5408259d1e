/*
 * Products of bytes, summed exactly: int32 sums that wrap, and what becomes of them.
 *
 * Rows are widened to int16 less their zero point; columns are int8 and widen as they are loaded, or before where many rows
 * share that out. One instruction multiplies eight pairs of int16 and adds each two of the products.
 *
 * Rows may lie in runs of bytes, as what is under a window does. Their depths are in the sequence of whole eights of each run,
 * then of what is left of all of them; columns come in the same sequence.
 *
 * Packed columns: blocks of eight, the last one filled up with zeros; in a block, for each pair of depths, the pair of each
 * column. Rows of a tile lie side by side: for each four depths, the four of each row. Depths are filled up with zeros to a
 * multiple of `product_depths`.
 */
#ifndef PYXNN_KERNELS_BYTE_PRODUCT_H
#define PYXNN_KERNELS_BYTE_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most rows of a tile; the columns of a block; depths of a row that lie together, and that are widened at once. */
enum { product_rows = 4, product_columns = 8, product_depths = 4, product_run_depths = 8 };

/* Rows or columns of bytes; `step` lies between them, `depth_step` between their depths. */
struct product_source {
  const uint8_t* bytes;
  size_t step, depth_step;
  bool is_signed;
};

/* The runs of bytes that a row is of. */
struct product_runs {
  size_t count, size, step; /* the latter from one to the next */
};

/*
 * Packs one block of columns as int8: unsigned bytes less 128.
 * @param columns  how many there are, 1 to product_columns
 * @param depth    of each
 * @param packed   receives the block
 */
void product_pack(const struct product_source* from, size_t columns, size_t depth, int8_t* packed);

/* Widened rows, in tiles. */
struct product_numbers {
  int16_t* numbers;
  int32_t* sums; /* by row, of its numbers; NULL when columns have no zero points */
  size_t num_rows;
  size_t tile_rows; /* of each tile but the last, which has what is left; up to `product_rows` */
  size_t depth;     /* filled up */
};

/*
 * Widens some rows.
 * @param from        they; the bytes of a run lie side by side
 * @param runs        of each row
 * @param count       of rows
 * @param zero_point  of all of them
 * @param first       which row of `to` is the first
 */
void product_widen(const struct product_source* from, const struct product_runs* runs, size_t count, int32_t zero_point,
                   const struct product_numbers* to, size_t first);

/* Packed columns, `count` numbers, as wide ones, which are int16. */
void product_widen_columns(const int8_t* columns, size_t count, int16_t* to);

/* What sums become. */
enum product_type { product_int32, product_float, product_int8 };
struct product_result {
  enum product_type type;
  float low, high;             /* bounds of floats */
  int8_t zero_point, min, max; /* of int8 */
  bool is_far;                 /* of int8: requantize_is_far */
};

/* One call: rows, tile after tile, by any number of columns. Arrays by column are filled up to `product_columns`. */
struct product_block {
  struct product_numbers rows;
  const void* columns; /* packed; int16 where they are wide, else int8 */
  bool is_wide;
  const int32_t* offsets;   /* by column, what sums begin with; NULL when all are 0 */
  const int32_t* zeros;     /* by column, zero points; NULL when all are 0 */
  const float* multipliers; /* by column; NULL for int32 */
  const float* bias;        /* by column, of floats */
  size_t num_columns;
  const float* addend; /* to floats, as the output lies; NULL for nothing */
  void* output;
  size_t output_stride; /* between rows of the output */
};

/*
 * Floats are sums times the multiplier of their column, plus its bias and the addend, within the bounds. Integers of 8 bits are sums times the
 * multiplier, rounded (ties to even), plus the zero point, within the bounds.
 */
void product_compute(const struct product_block* block, const struct product_result* result);

#endif
