/*
 * Weights of 4 or 8 bits with a scale and a zero point for each block of a column. They lie in panels of columns, a word of 32
 * bits after the other of each column in turn, so that a vector has as much of four columns. Each of a panel's vectors is in
 * another quarter of all weights, and there panels lie in groups, in the order in which products go through them: four long
 * streams come from memory, which the processor's prefetching keeps ahead.
 */
#ifndef PYXNN_KERNELS_BLOCK_WEIGHTS_H
#define PYXNN_KERNELS_BLOCK_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Columns of a panel, of a group of panels, and of what is unpacked at once. Those of the last panel that aren't there have scales
 * of 0.
 */
enum { panel_columns = 16, group_columns = 4 * panel_columns, unpacked_columns = 8 };

enum block_zeros {
  zeros_none,   /* half of the range */
  zeros_packed, /* of as many bits as the weights */
  zeros_floats,
};

/* Where the parts of all blocks lie. */
struct block_weights {
  size_t bits, block_size, blocks, columns; /* blocks of a column */
  enum block_zeros has_zeros;
  size_t stretch; /* blocks of a row that the first-level cache holds while a group's panels go by */
  /*
   * [vectors of a panel, groups, stretches, panels, blocks of a stretch]: 4 scales, floats, and [words of a block, 4, 4]
   * weights, of 4 bits the lower half of a byte first.
   */
  uint8_t* panels;
  /* [groups, stretches, panels, blocks]: [4, bits / 2], those of every fourth column together; or panel_columns floats. */
  uint8_t* zeros;
};

/* Bytes that all parts take together. */
size_t block_weights_size(const struct block_weights* weights);

/*
 * Lays out the parts and copies them.
 * @param weights  knows its first five members; receives the others
 * @param memory   for the parts, block_weights_size bytes, of a vector's alignment
 * @param kernel   [columns, blocks, block bytes]
 * @param scales   [columns, blocks]
 * @param zeros    [columns, bytes], those of a column from a new byte on, or floats [columns, blocks]; NULL for none
 */
void block_weights_pack(struct block_weights* weights, char* memory, const uint8_t* kernel, const float* scales,
                        const void* zeros);

/* Of some of a block's numbers. */
struct block_piece {
  float scale, sum; /* of the numbers, times the scale, negated */
};

/*
 * A row of floats as integers of 8 or 16 bits, by pieces of a block: so short that no sum of products is too large for the
 * integers that it is made in. They lie in the order in which the weights' products take them; those of 16 bits, for weights of
 * 4, as eight higher bytes and then the eight lower ones, signed both.
 */
struct block_row {
  size_t bits; /* 8, for weights of 4 bits only, or 16 */
  char* numbers;
  struct block_piece* pieces;
};

/* Bytes of a row, a multiple of a vector's. */
size_t block_row_size(const struct block_weights* weights, size_t bits);

/* The row of so many bits that lies at `memory`. */
struct block_row block_row_at(const struct block_weights* weights, size_t bits, char* memory);

/*
 * Rounds a row.
 * @param from    `length` floats, all of the blocks but maybe the end of the last
 * @param row     receives the integers
 */
void block_round(const struct block_weights* weights, const float* from, size_t length, const struct block_row* row);

/* The most rows whose products are made at once. */
enum { block_rows = 2 };

/*
 * The products of rows with the columns of a group.
 * @param rows    1 to block_rows, of as many bits
 * @param output  receives [count, group_columns], of the last group maybe less of each row
 */
void block_products(const struct block_weights* weights, const struct block_row* rows, size_t count, size_t group,
                    float* output);

/*
 * The floats of some columns.
 * @param column  the first, a multiple of unpacked_columns
 * @param floats  receives [blocks * block_size, unpacked_columns]
 */
void block_unpack(const struct block_weights* weights, size_t column, float* floats);

#endif
