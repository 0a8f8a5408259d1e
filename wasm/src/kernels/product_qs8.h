/*
 * Products of int8 matrices, brought back to int8. Rows are widened to int16, less their zero point, so that one instruction
 * multiplies four pairs of numbers and adds the products of each pair, exactly, in int32.
 *
 * Packed columns: blocks of eight, the last one filled up with zeros; in a block, for each pair of depths, the pair of each
 * column. Depths are filled up with zeros to a multiple of `product_depths`.
 */
#ifndef PYXNN_KERNELS_PRODUCT_QS8_H
#define PYXNN_KERNELS_PRODUCT_QS8_H

#include <stddef.h>
#include <stdint.h>

/* The most rows of a tile; the columns of a block. */
enum { product_rows = 6, product_columns = 8, product_depths = 8 };

/* One call: up to `product_rows` rows by any number of columns. */
struct product_tile {
  const int16_t* rows;        /* `depth` numbers each, one after the other */
  size_t count;               /* of rows, 1 to product_rows */
  size_t depth;               /* a multiple of product_depths */
  const int32_t* row_offsets; /* added to the sums of each row; NULL for none */
  const int8_t* columns;      /* packed */
  const int32_t* bias;        /* by column, filled up to a block */
  const float* multipliers;   /* by column, filled up to a block */
  size_t num_columns;
  int8_t* output;              /* [count, num_columns] */
  size_t output_stride;        /* between rows of the output */
  int8_t zero_point, min, max; /* of the output */
};

/* A result is its sum times the multiplier of its column, rounded (ties to even), plus the zero point, within the bounds. */
void product_qs8(const struct product_tile* tile);

/* The sums of rows of `depth` numbers, a multiple of product_depths. */
void product_row_sums(const int16_t* rows, size_t count, size_t depth, int32_t* sums);

/* Zeros `product_depths` numbers: what a row is filled up with, before it is widened. */
void product_clear(int16_t* to);

/* Widens numbers less their zero point. */
void product_widen(const int8_t* from, size_t count, int8_t zero_point, int16_t* to);

#endif
