/*
 * Weights of 4 or 8 bits with a scale and a zero point for each block of a column: the column is [blocks, block bytes], of 4
 * bits the lower half of a byte first.
 */
#ifndef PYXNN_KERNELS_BLOCK_WEIGHTS_H
#define PYXNN_KERNELS_BLOCK_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

enum { most_digits = 2 };

/* The weights that a vector has: half of it, of 4 bits, where blocks aren't made of whole ones. */
static inline size_t chunk_of(size_t bits, size_t block_size) {
  return bits == 8 || block_size % 32 != 0 ? 16 : 32;
}

/* Where the parts of one block lie. */
struct block_weights {
  size_t bits, block_size, blocks; /* of a column */
  const uint8_t* weights;          /* [columns, blocks, block bytes] */
  const float* scales;             /* [columns, blocks] */
  const uint8_t* zeros;            /* [columns, bytes]: packed as the weights are; NULL for none */
  const float* float_zeros;        /* [columns, blocks]; NULL for none. Without both, half of the range */
};

/* The zero point of a block. */
float block_zero(const struct block_weights* weights, size_t column, size_t block);

/*
 * A row of floats as numbers of `digits` digits to the base of 128, the first of them signed, by block. Four bits: of each
 * chunk of 32, the digits of those at even places lie before those at odd places.
 */
struct block_row {
  size_t digits;   /* 1 to most_digits */
  int8_t* numbers; /* [blocks, chunks, digits, 1 or 2 halves, 16] */
  float* scales;   /* [blocks] */
  float* sums;     /* [blocks]: of the numbers, times their scale */
};

/* Bytes of the numbers of a block. */
static inline size_t block_numbers(const struct block_weights* weights, size_t digits) {
  const size_t chunks = weights->block_size / chunk_of(weights->bits, weights->block_size);
  return chunks * digits * (weights->bits == 4 ? 32 : 16);
}

/*
 * Splits a row into digits.
 * @param row    `length` floats, all of the blocks but maybe the end of the last
 * @param split  receives the digits
 */
void block_split(const struct block_weights* weights, const float* row, size_t length, const struct block_row* split);

/* The products of a row with columns [first, first + count). */
void block_products(const struct block_weights* weights, const struct block_row* row, size_t first, size_t count,
                    float* output);

/*
 * Floats of a panel of columns.
 * @param first   the first of `width` columns, a multiple of 4
 * @param count   of them there are so many
 * @param length  of each column
 * @param panel   receives [length, width]; its columns beyond `count` are those of the last
 */
void block_unpack(const struct block_weights* weights, size_t first, size_t count, size_t width, size_t length,
                  float* panel);

#endif
