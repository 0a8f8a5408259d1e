/* Products of bytes: rows of either sign, widened to 16 bits and less their zero points, with columns of int8. */
#ifndef PYXNN_KERNELS_INTEGER_PRODUCT_H
#define PYXNN_KERNELS_INTEGER_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The most rows of a tile, and its columns. */
enum { integer_rows = 4, integer_columns = 8 };

/*
 * Widens rows side by side: [pairs of channels, rows, 2]. A zero follows an odd number of channels.
 * @param count      of rows, 1 to integer_rows
 * @param rows       the first byte of each; NULL stands for a row of zero points
 * @param zeros      the zero point of each
 * @param is_signed  whether bytes are int8, else uint8
 * @param channels   bytes of each row
 * @param packed     receives (channels + 1) / 2 * count * 2 numbers
 */
void integer_pack_rows(size_t count, const uint8_t* const* rows, const int32_t* zeros, bool is_signed, size_t channels,
                       int16_t* packed);

/*
 * Sums each of the rows that integer_pack_rows has packed.
 * @param sums  receives `count` numbers
 */
void integer_row_sums(size_t count, size_t pairs, const int16_t* rows, int32_t* sums);

/*
 * Multiplies rows with columns; sums wrap.
 * @param count    of rows, 1 to integer_rows
 * @param pairs    of channels
 * @param rows     as integer_pack_rows packs them
 * @param columns  [pairs, integer_columns, 2]
 * @param output   receives [count, integer_columns]
 */
void integer_products(size_t count, size_t pairs, const int16_t* rows, const int8_t* columns, int32_t* output);

#endif
