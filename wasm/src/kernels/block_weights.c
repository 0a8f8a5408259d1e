#include "kernels/block_weights.h"

#include <string.h>

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

enum { quads = panel_columns / 4, longest_piece = 32, word_step = 4 * panel_columns };

/* Not constant, so that the compiler doesn't see them as such: see simd_constants. */
struct block_constants {
  uint32_t nibbles, bytes;       /* of each 8 bits, of each 16 */
  uint32_t low_nibble, low_byte; /* of 32 bits */
  uint32_t zeros[4];             /* the zero points of four columns in 16 bits */
  float middle[2];               /* of 4 and 8 bits */
} block_constants = {
    .nibbles = 0x0F0F0F0F,
    .bytes = 0x00FF00FF,
    .low_nibble = 0xF,
    .low_byte = 0xFF,
    .zeros = {0xF, 0xF0, 0xF00, 0xF000},
    .middle = {8.0f, 128.0f},
};

#define CONSTANT(name) wasm_v128_load32_splat(&block_constants.name)

INLINE size_t panels_of(const struct block_weights* weights) {
  return (weights->columns + panel_columns - 1) / panel_columns;
}

/* Bytes of a block in a panel. */
INLINE size_t panel_block(const struct block_weights* weights) {
  return weights->block_size * weights->bits / 8 * panel_columns;
}

INLINE size_t piece_of(const struct block_weights* weights) {
  return weights->block_size % longest_piece == 0 ? longest_piece : 16;
}

INLINE size_t pieces_of(const struct block_weights* weights) {
  return weights->blocks * (weights->block_size / piece_of(weights));
}

INLINE size_t zeros_size(const struct block_weights* weights) {
  return weights->has_zeros == zeros_none     ? 0
         : weights->has_zeros == zeros_packed ? panel_columns * weights->bits / 8
                                              : panel_columns * sizeof(float);
}

size_t block_weights_size(const struct block_weights* weights) {
  const size_t others = panel_columns * sizeof(float) + zeros_size(weights);
  return panels_of(weights) * weights->blocks * (panel_block(weights) + others);
}

void block_weights_pack(struct block_weights* weights, char* memory, const uint8_t* kernel, const float* scales,
                        const void* zeros) {
  const size_t bits = weights->bits, blocks = weights->blocks, all = panels_of(weights) * blocks;
  const size_t words = weights->block_size * bits / 32 * blocks, zeros_bytes = (blocks * bits + 7) / 8;
  memset(memory, 0, block_weights_size(weights));
  weights->weights = (uint8_t*)memory;
  weights->scales = (float*)(memory + all * panel_block(weights));
  weights->zeros = (uint8_t*)(weights->scales + all * panel_columns);
  for (size_t column = 0; column < weights->columns; column++) {
    const size_t panel = column / panel_columns, c = column % panel_columns;
    uint8_t* to = weights->weights + panel * words * word_step + c * 4;
    for (size_t word = 0; word < words; word++) {
      memcpy(to + word * word_step, kernel + (column * words + word) * 4, 4);
    }
    for (size_t block = 0; block < blocks; block++) {
      const size_t from = column * blocks + block, place = panel * blocks + block;
      weights->scales[place * panel_columns + c] = scales[from];
      if (weights->has_zeros == zeros_floats) {
        ((float*)weights->zeros)[place * panel_columns + c] = ((const float*)zeros)[from];
      } else if (weights->has_zeros == zeros_packed) {
        const uint8_t* of_column = (const uint8_t*)zeros + column * zeros_bytes;
        if (bits == 8) {
          weights->zeros[place * panel_columns + c] = of_column[block];
        } else {
          const uint8_t zero = of_column[block / 2] >> (block % 2 * 4) & 0xF;
          weights->zeros[(place * panel_columns + c) / 2] |= (uint8_t)(zero << (c % 2 * 4));
        }
      }
    }
  }
}

/* The zero points of a block, of all columns of a panel; packed ones of 4 bits are too large by zeros_factors. */
INLINE void zero_points(size_t bits, enum block_zeros has_zeros, const uint8_t* zeros, v128_t* points) {
#pragma unroll
  for (size_t i = 0; i < quads; i += 2) {
    if (has_zeros == zeros_none) {
      points[i] = points[i + 1] = CONSTANT(middle[bits / 8]);
    } else if (has_zeros == zeros_floats) {
      points[i] = wasm_v128_load(zeros + 16 * i);
      points[i + 1] = wasm_v128_load(zeros + 16 * i + 16);
    } else if (bits == 8) {
      const v128_t wide = wasm_i16x8_load8x8(zeros + 4 * i), mask = CONSTANT(low_byte);
      points[i] = wasm_f32x4_convert_i32x4(wasm_v128_and(wasm_i32x4_extend_low_i16x8(wide), mask));
      points[i + 1] = wasm_f32x4_convert_i32x4(wasm_v128_and(wasm_i32x4_extend_high_i16x8(wide), mask));
    } else {
      const v128_t all = wasm_v128_load32_splat(zeros + 2 * i), mask = wasm_v128_load(block_constants.zeros);
      points[i] = wasm_f32x4_convert_i32x4(wasm_v128_and(all, mask));
      points[i + 1] = wasm_f32x4_convert_i32x4(wasm_v128_and(wasm_i32x4_shr(all, 16), mask));
    }
  }
}

/* What makes zero points as large as they are. */
INLINE v128_t zeros_factors(const struct block_weights* weights) {
  return weights->bits == 4 && weights->has_zeros == zeros_packed ? wasm_f32x4_const(1.0f, 0x1p-4f, 0x1p-8f, 0x1p-12f)
                                                                  : wasm_f32x4_const_splat(1.0f);
}

/* Bytes of a row's integers. */
INLINE size_t numbers_size(const struct block_weights* weights, size_t bits) {
  return weights->blocks * weights->block_size * bits / 8;
}

size_t block_row_size(const struct block_weights* weights, size_t bits) {
  return numbers_size(weights, bits) + pieces_of(weights) * sizeof(struct block_piece);
}

struct block_row block_row_at(const struct block_weights* weights, size_t bits, char* memory) {
  return (struct block_row){bits, memory, (struct block_piece*)(memory + numbers_size(weights, bits))};
}

/* The integers of a piece, in order; returns their sum. */
INLINE int32_t round_piece(size_t bits, size_t row_bits, size_t count, const float* from, float factor, char* to) {
  const v128_t factors = wasm_f32x4_splat(factor);
  v128_t sums = wasm_i32x4_splat(0);
  for (size_t k = 0; k < count; k += 8) {
    v128_t numbers[2];
#pragma unroll
    for (size_t i = 0; i < 2; i++) {
      const v128_t scaled = wasm_f32x4_mul(wasm_v128_load(from + k + 4 * i), factors);
      numbers[i] = wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(scaled));
      sums = wasm_i32x4_add(sums, numbers[i]);
    }
    const v128_t narrow = wasm_i16x8_narrow_i32x4(numbers[0], numbers[1]);
    if (row_bits == 8) {
      const v128_t order = wasm_i16x8_shuffle(narrow, narrow, 0, 2, 4, 6, 1, 3, 5, 7);
      wasm_v128_store64_lane(to + k, wasm_i8x16_narrow_i16x8(order, order), 0);
    } else if (bits == 4) {
      const v128_t order = wasm_i16x8_shuffle(narrow, narrow, 0, 2, 4, 6, 1, 3, 5, 7);
      const v128_t high = wasm_i16x8_shr(wasm_i16x8_add(order, wasm_i16x8_const_splat(128)), 8);
      const v128_t low = wasm_i16x8_sub(order, wasm_i16x8_shl(high, 8));
      wasm_v128_store(to + 2 * k, wasm_i8x16_narrow_i16x8(high, low));
    } else {
      wasm_v128_store(to + 2 * k, wasm_i16x8_shuffle(narrow, narrow, 0, 2, 1, 3, 4, 6, 5, 7));
    }
  }
  sums = wasm_i32x4_add(sums, wasm_i64x2_shuffle(sums, sums, 1, 0));
  return wasm_i32x4_extract_lane(sums, 0) + wasm_i32x4_extract_lane(sums, 1);
}

/* The greatest magnitude, NaN if there is one. */
static float greatest(const float* from, size_t count) {
  v128_t most = wasm_f32x4_const_splat(0.0f);
  for (size_t k = 0; k < count; k += 4) {
    most = wasm_f32x4_max(most, wasm_f32x4_abs(wasm_v128_load(from + k)));
  }
  most = wasm_f32x4_max(most, wasm_i64x2_shuffle(most, most, 1, 0));
  most = wasm_f32x4_max(most, wasm_i32x4_shuffle(most, most, 1, 0, 3, 2));
  return wasm_f32x4_extract_lane(most, 0);
}

void block_round(const struct block_weights* weights, const float* from, size_t length, const struct block_row* row) {
  const size_t piece = piece_of(weights), pieces = pieces_of(weights);
  const float most = row->bits == 8 ? 127.0f : 127.0f * 256.0f, least = 1e-30f; /* or the factor would be infinite */
  for (size_t i = 0; i < pieces; i++) {
    const size_t first = i * piece, left = length > first ? length - first : 0;
    float rest[longest_piece] = {0};
    const float* of_piece = from + first;
    if (left < piece) {
      memcpy(rest, from + (length - left), left * sizeof(float));
      of_piece = rest;
    }
    const float high = greatest(of_piece, piece), factor = high < least ? 0.0f : most / high;
    char* to = row->numbers + first * row->bits / 8;
    const int32_t sum = row->bits == 8       ? round_piece(4, 8, piece, of_piece, factor, to)
                        : weights->bits == 4 ? round_piece(4, 16, piece, of_piece, factor, to)
                                             : round_piece(8, 16, piece, of_piece, factor, to);
    const v128_t scale = wasm_f32x4_splat(high / most), total = wasm_f32x4_splat((float)-sum);
    wasm_v128_store(row->pieces[i].scale, scale);
    wasm_v128_store(row->pieces[i].sums, wasm_f32x4_mul(wasm_f32x4_mul(total, scale), zeros_factors(weights)));
  }
}

/* Sums of four columns: of 4 bits, of 16 bits each; those of the numbers' lower bytes are apart. */
struct sums {
  v128_t first, lower;
};

/* Takes in numbers' products with as many weights of each column of a panel. */
INLINE void add_dots(size_t bits, size_t row_bits, const v128_t* weights, const char* numbers, struct sums* sums) {
  const v128_t first = wasm_v128_load32_splat(numbers);
  if (bits == 8) {
#pragma unroll
    for (size_t i = 0; i < quads; i++) {
      sums[i].first = wasm_i32x4_add(sums[i].first, wasm_i32x4_dot_i16x8(weights[i], first));
    }
    return;
  }
  const v128_t lower = row_bits == 16 ? wasm_v128_load32_splat(numbers + 8) : first;
#pragma unroll
  for (size_t i = 0; i < quads; i++) {
    sums[i].first = wasm_i16x8_add(sums[i].first, simd_dot_bytes(first, weights[i]));
    if (row_bits == 16) {
      sums[i].lower = wasm_i16x8_add(sums[i].lower, simd_dot_bytes(lower, weights[i]));
    }
  }
}

/* The products of a piece of a panel and of rows; `weights` and `numbers` go on to the next. */
INLINE void piece_products(size_t bits, size_t row_bits, size_t piece, size_t rows, const uint8_t** weights,
                           const char** numbers, v128_t mask, v128_t products[][quads]) {
  struct sums sums[block_rows][quads];
  const uint8_t *from = *weights, *end = from + piece * bits / 32 * word_step;
  const char* of_rows[block_rows];
#pragma unroll
  for (size_t row = 0; row < rows; row++) {
    of_rows[row] = numbers[row];
#pragma unroll
    for (size_t i = 0; i < quads; i++) {
      sums[row][i].first = sums[row][i].lower = wasm_i32x4_const_splat(0);
    }
  }
/* Unrolled here, it is added up in an order for which registers don't suffice; V8 unrolls it better. */
#pragma clang loop unroll(disable)
  for (; from < end; from += word_step) {
    v128_t low[quads], high[quads];
#pragma unroll
    for (size_t i = 0; i < quads; i++) {
      const v128_t word = wasm_v128_load(from + 16 * i);
      low[i] = wasm_v128_and(word, mask);
      high[i] = bits == 8 ? wasm_u16x8_shr(word, 8) : wasm_v128_and(wasm_u16x8_shr(word, 4), mask);
    }
#pragma unroll
    for (size_t row = 0; row < rows; row++) {
      add_dots(bits, row_bits, low, of_rows[row], sums[row]);
      add_dots(bits, row_bits, high, of_rows[row] + 4, sums[row]);
      of_rows[row] += 32 / bits * row_bits / 8;
    }
  }
  *weights = from;
#pragma unroll
  for (size_t row = 0; row < rows; row++) {
    numbers[row] = of_rows[row];
#pragma unroll
    for (size_t i = 0; i < quads; i++) {
      const struct sums* of = &sums[row][i];
      v128_t sum = bits == 8 ? of->first : wasm_i32x4_extadd_pairwise_i16x8(of->first);
      if (bits == 4 && row_bits == 16) {
        sum = wasm_i32x4_add(wasm_i32x4_shl(sum, 8), wasm_i32x4_extadd_pairwise_i16x8(of->lower));
      }
      products[row][i] = wasm_f32x4_convert_i32x4(sum);
    }
  }
}

/* Those of a panel; the first four, and one piece a block, are known when this is compiled. */
INLINE void products(size_t bits, size_t row_bits, size_t piece, size_t count, size_t per_block,
                     const struct block_weights* weights, const struct block_row* rows, size_t panel, float* output) {
  const v128_t mask = bits == 8 ? CONSTANT(bytes) : CONSTANT(nibbles);
  const size_t blocks = weights->blocks, zeros_step = zeros_size(weights);
  const enum block_zeros has_zeros = weights->has_zeros;
  const uint8_t* from = weights->weights + panel * blocks * panel_block(weights);
  const uint8_t* zeros = weights->zeros + panel * blocks * zeros_step;
  const float* scales = weights->scales + panel * blocks * panel_columns;
  const float* end = scales + blocks * panel_columns;
  const char* numbers[block_rows];
  const struct block_piece* pieces[block_rows];
  v128_t totals[block_rows][quads];
#pragma unroll
  for (size_t row = 0; row < count; row++) {
    numbers[row] = rows[row].numbers;
    pieces[row] = rows[row].pieces;
#pragma unroll
    for (size_t i = 0; i < quads; i++) {
      totals[row][i] = wasm_f32x4_const_splat(0.0f);
    }
  }
  for (; scales < end; scales += panel_columns) {
    for (size_t piece_of_block = 0; piece_of_block < per_block; piece_of_block++) {
      v128_t sums[block_rows][quads], points[quads];
      piece_products(bits, row_bits, piece, count, &from, numbers, mask, sums);
      zero_points(bits, has_zeros, zeros, points);
#pragma unroll
      for (size_t row = 0; row < count; row++) {
#pragma unroll
        for (size_t i = 0; i < quads; i++) {
          const v128_t scaled = wasm_f32x4_mul(sums[row][i], wasm_v128_load(pieces[row]->scale));
          const v128_t moved = simd_madd(points[i], wasm_v128_load(pieces[row]->sums), scaled);
          totals[row][i] = simd_madd(moved, wasm_v128_load(scales + 4 * i), totals[row][i]);
        }
        pieces[row]++;
      }
    }
    zeros += zeros_step;
  }
#pragma unroll
  for (size_t row = 0; row < count; row++) {
#pragma unroll
    for (size_t i = 0; i < quads; i++) {
      wasm_v128_store(output + row * panel_columns + 4 * i, totals[row][i]);
    }
  }
}

/* A function each, so that none has too many values alive. */
typedef void (*products_function)(const struct block_weights*, const struct block_row*, size_t panel, float* output);

#define DEFINE_PRODUCT(name, bits, row_bits, piece, count, per_block)                                                \
  static void name(const struct block_weights* weights, const struct block_row* rows, size_t panel, float* output) { \
    products(bits, row_bits, piece, count, per_block, weights, rows, panel, output);                                 \
  }
#define DEFINE_PRODUCTS(name, bits, row_bits, count)                              \
  DEFINE_PRODUCT(name##_16, bits, row_bits, 16, count, 1)                         \
  DEFINE_PRODUCT(name##_16s, bits, row_bits, 16, count, weights->block_size / 16) \
  DEFINE_PRODUCT(name##_32, bits, row_bits, 32, count, 1)                         \
  DEFINE_PRODUCT(name##_32s, bits, row_bits, 32, count, weights->block_size / 32)
DEFINE_PRODUCTS(four_by_8, 4, 8, 1)
DEFINE_PRODUCTS(four_by_two_8, 4, 8, 2)
DEFINE_PRODUCTS(four_by_16, 4, 16, 1)
DEFINE_PRODUCTS(eight_by_16, 8, 16, 1)

void block_products(const struct block_weights* weights, const struct block_row* rows, size_t count, size_t panel,
                    float* output) {
  const size_t size = weights->block_size, row_bits = rows->bits;
#define BY_SIZE(name) (size == 16 ? name##_16 : size == 32 ? name##_32 : size % 32 == 0 ? name##_32s : name##_16s)
  if (count == 2 && row_bits == 8) {
    BY_SIZE(four_by_two_8)(weights, rows, panel, output);
    return;
  }
  const products_function function = weights->bits == 8 ? BY_SIZE(eight_by_16)
                                     : row_bits == 8    ? BY_SIZE(four_by_8)
                                                        : BY_SIZE(four_by_16);
#undef BY_SIZE
  for (size_t row = 0; row < count; row++) {
    function(weights, rows + row, panel, output + row * panel_columns);
  }
}

INLINE void unpack(size_t bits, const struct block_weights* weights, size_t column, float* floats) {
  enum { some = unpacked_columns / 4 };
  const v128_t mask = bits == 8 ? CONSTANT(low_byte) : CONSTANT(low_nibble);
  const v128_t factors = wasm_f32x4_neg(zeros_factors(weights));
  const size_t words = weights->block_size * bits / 32, within = column % panel_columns;
  const size_t first = column / panel_columns * weights->blocks;
  const uint8_t* from = weights->weights + first * panel_block(weights) + 4 * within;
  for (size_t block = 0; block < weights->blocks; block++) {
    const size_t place = first + block;
    v128_t points[quads], offsets[some], scales[some];
    zero_points(bits, weights->has_zeros, weights->zeros + place * zeros_size(weights), points);
#pragma unroll
    for (size_t i = 0; i < some; i++) {
      scales[i] = wasm_v128_load(weights->scales + place * panel_columns + within + 4 * i);
      const v128_t point = within == 0 ? points[i] : points[some + i];
      offsets[i] = wasm_f32x4_mul(wasm_f32x4_mul(point, factors), scales[i]);
    }
    for (size_t word = 0; word < words; word++) {
#pragma unroll
      for (size_t i = 0; i < some; i++) {
        const v128_t all = wasm_v128_load(from + 16 * i);
#pragma unroll
        for (size_t k = 0; k < 32 / bits; k++) {
          const v128_t number = wasm_f32x4_convert_i32x4(wasm_v128_and(wasm_i32x4_shr(all, k * bits), mask));
          wasm_v128_store(floats + k * unpacked_columns + 4 * i, simd_madd(number, scales[i], offsets[i]));
        }
      }
      from += word_step;
      floats += 32 / bits * unpacked_columns;
    }
  }
}

void block_unpack(const struct block_weights* weights, size_t column, float* floats) {
  if (weights->bits == 4) {
    unpack(4, weights, column, floats);
  } else {
    unpack(8, weights, column, floats);
  }
}
