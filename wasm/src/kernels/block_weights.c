#include "kernels/block_weights.h"

#include <stdbool.h>
#include <string.h>

#include "kernels/simd.h"
#include "sizes.h"

#define INLINE static inline __attribute__((always_inline))

enum {
  quads = panel_columns / 4,
  group_panels = group_columns / panel_columns,
  longest_piece = 32,
  stretch_numbers = 2048,
  word_step = 4 * 4, /* of four columns */
  scales_size = word_step
};

/* Not constant, so that the compiler doesn't see them as such: see simd_constants. */
struct block_constants {
  uint32_t nibbles, bytes;       /* of each 8 bits, of each 16 */
  uint32_t low_nibble, low_byte; /* of 32 bits */
  uint32_t higher_bytes;         /* what they stand for, in each 16 bits */
  float middle[2];               /* of 4 and 8 bits */
} block_constants = {
    .nibbles = 0x0F0F0F0F,
    .bytes = 0x00FF00FF,
    .low_nibble = 0xF,
    .low_byte = 0xFF,
    .higher_bytes = 0x01000100,
    .middle = {8.0f, 128.0f},
};

#define CONSTANT(name) wasm_v128_load32_splat(&block_constants.name)

INLINE size_t panels_of(const struct block_weights* weights) {
  return divide_up(weights->columns, panel_columns);
}

/* Bytes of a block of four columns, their scales included. */
INLINE size_t quad_block(const struct block_weights* weights) {
  return scales_size + weights->block_size * weights->bits / 8 * 4;
}

INLINE size_t panel_block(const struct block_weights* weights) {
  return quads * quad_block(weights);
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

/* Of a panel's blocks, how many of all come before one. */
INLINE size_t place_of(const struct block_weights* weights, size_t panel, size_t block) {
  const size_t within = panel % group_panels, before = panel - within, left = panels_of(weights) - before;
  const size_t first = block - block % weights->stretch, rest = weights->blocks - first;
  return before * weights->blocks + (smaller(left, group_panels)) * first + within * (smaller(rest, weights->stretch)) +
         block - first;
}

/* From the blocks of four columns of a panel to those of the next four. */
INLINE size_t quad_step(const struct block_weights* weights) {
  return panels_of(weights) * weights->blocks * quad_block(weights);
}

size_t block_weights_size(const struct block_weights* weights) {
  return panels_of(weights) * weights->blocks * (panel_block(weights) + zeros_size(weights));
}

void block_weights_pack(struct block_weights* weights, char* memory, const uint8_t* kernel, const float* scales,
                        const void* zeros) {
  const size_t bits = weights->bits, blocks = weights->blocks;
  const size_t words = weights->block_size * bits / 32, zeros_bytes = (blocks * bits + 7) / 8;
  memset(memory, 0, block_weights_size(weights));
  weights->stretch = 1 + (stretch_numbers - 1) / weights->block_size;
  weights->panels = (uint8_t*)memory;
  weights->zeros = weights->panels + panels_of(weights) * blocks * panel_block(weights);
  for (size_t column = 0; column < weights->columns; column++) {
    const size_t panel = column / panel_columns, c = column % panel_columns;
    for (size_t block = 0; block < blocks; block++) {
      const size_t from = column * blocks + block, place = place_of(weights, panel, block);
      uint8_t* to = weights->panels + place * quad_block(weights) + c / 4 * quad_step(weights) + c % 4 * 4;
      memcpy(to, scales + from, 4);
      for (size_t word = 0; word < words; word++) {
        memcpy(to + scales_size + word * word_step, kernel + (from * words + word) * 4, 4);
      }
      if (weights->has_zeros == zeros_floats) {
        ((float*)weights->zeros)[place * panel_columns + c] = ((const float*)zeros)[from];
      } else if (weights->has_zeros == zeros_packed) {
        const uint8_t* of_column = (const uint8_t*)zeros + column * zeros_bytes;
        uint8_t* zero = weights->zeros + place * zeros_size(weights) + c % 4 * bits / 2;
        if (bits == 8) {
          zero[c / 4] = of_column[block];
        } else {
          zero[c / 8] |= (uint8_t)((of_column[block / 2] >> (block % 2 * 4) & 0xF) << (c / 4 % 2 * 4));
        }
      }
    }
  }
}

/* The zero points of a block, of all columns of a panel. */
INLINE void zero_points(size_t bits, enum block_zeros has_zeros, const uint8_t* zeros, v128_t* points) {
  if (has_zeros == zeros_packed) {
    const v128_t all = bits == 8 ? wasm_v128_load(zeros) : wasm_i32x4_load16x4(zeros);
    const v128_t mask = bits == 8 ? CONSTANT(low_byte) : CONSTANT(low_nibble);
#pragma unroll
    for (size_t i = 0; i < quads; i++) {
      points[i] = wasm_f32x4_convert_i32x4(wasm_v128_and(wasm_i32x4_shr(all, i * bits), mask));
    }
    return;
  }
#pragma unroll
  for (size_t i = 0; i < quads; i++) {
    points[i] = has_zeros == zeros_none ? CONSTANT(middle[bits / 8]) : wasm_v128_load(zeros + 16 * i);
  }
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
    const float scale = high / most;
    row->pieces[i] = (struct block_piece){scale, (float)-sum * scale};
  }
}

/* Sums of four columns: of 4 bits, of 16 bits each; those of the numbers' lower bytes are apart. */
struct sums {
  v128_t first, lower;
};

/* Takes in numbers' products with as many weights of each column of a panel; the first are all that there is. */
INLINE void add_dots(size_t bits, size_t row_bits, bool is_first, const v128_t* weights, const char* numbers,
                     struct sums* sums) {
  const v128_t first = wasm_v128_load32_splat(numbers);
  if (bits == 8) {
#pragma unroll
    for (size_t i = 0; i < quads; i++) {
      const v128_t dots = wasm_i32x4_dot_i16x8(weights[i], first);
      sums[i].first = is_first ? dots : wasm_i32x4_add(sums[i].first, dots);
    }
    return;
  }
  const v128_t lower = row_bits == 16 ? wasm_v128_load32_splat(numbers + 8) : first;
#pragma unroll
  for (size_t i = 0; i < quads; i++) {
    const v128_t dots = simd_dot_bytes(first, weights[i]);
    sums[i].first = is_first ? dots : wasm_i16x8_add(sums[i].first, dots);
    if (row_bits == 16) {
      const v128_t of_lower = simd_dot_bytes(lower, weights[i]);
      sums[i].lower = is_first ? of_lower : wasm_i16x8_add(sums[i].lower, of_lower);
    }
  }
}

/* Takes in the products of a word of each column; `numbers` go on to the next. */
INLINE void add_words(size_t bits, size_t row_bits, size_t rows, bool is_first, const uint8_t* words, size_t step,
                      const char** numbers, v128_t mask, struct sums sums[][quads]) {
  v128_t low[quads], high[quads];
#pragma unroll
  for (size_t i = 0; i < quads; i++) {
    const v128_t word = wasm_v128_load(words + i * step);
    low[i] = wasm_v128_and(word, mask);
    high[i] = bits == 8 ? wasm_u16x8_shr(word, 8) : wasm_v128_and(wasm_u16x8_shr(word, 4), mask);
  }
#pragma unroll
  for (size_t row = 0; row < rows; row++) {
    add_dots(bits, row_bits, is_first, low, numbers[row], sums[row]);
    add_dots(bits, row_bits, false, high, numbers[row] + 4, sums[row]);
    numbers[row] += 32 / bits * row_bits / 8;
  }
}

/* The products of a piece of a panel and of rows; `weights` and `numbers` go on to the next. */
INLINE void piece_products(size_t bits, size_t row_bits, size_t piece, size_t rows, const uint8_t** weights,
                           size_t step, const char** numbers, v128_t mask, v128_t products[][quads]) {
  struct sums sums[block_rows][quads];
  const uint8_t *from = *weights, *end = from + piece * bits / 32 * word_step;
  const char* of_rows[block_rows];
#pragma unroll
  for (size_t row = 0; row < rows; row++) {
    of_rows[row] = numbers[row];
  }
  add_words(bits, row_bits, rows, true, from, step, of_rows, mask, sums);
/* Unrolled here, it is added up in an order for which registers don't suffice; V8 unrolls it better. */
#pragma clang loop unroll(disable)
  for (from += word_step; from < end; from += word_step) {
    add_words(bits, row_bits, rows, false, from, step, of_rows, mask, sums);
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
        sum = wasm_i32x4_dot_i16x8(of->first, CONSTANT(higher_bytes));
        sum = wasm_i32x4_add(sum, wasm_i32x4_extadd_pairwise_i16x8(of->lower));
      }
      products[row][i] = wasm_f32x4_convert_i32x4(sum);
    }
  }
}

/* Adds those of a panel's blocks in a stretch; the first four, and one piece a block, are known when this is compiled. */
INLINE void products(size_t bits, size_t row_bits, size_t piece, size_t count, size_t per_block,
                     const struct block_weights* weights, const struct block_row* rows, size_t panel, size_t first,
                     size_t end, float* output) {
  const v128_t mask = bits == 8 ? CONSTANT(bytes) : CONSTANT(nibbles);
  const size_t place = place_of(weights, panel, first), zeros_step = zeros_size(weights);
  const enum block_zeros has_zeros = weights->has_zeros;
  const size_t step = quad_step(weights);
  const uint8_t* from = weights->panels + place * quad_block(weights);
  const uint8_t* last = from + (end - first) * quad_block(weights);
  const uint8_t* zeros = weights->zeros + place * zeros_step;
  const char* numbers[block_rows];
  const struct block_piece* pieces[block_rows];
  v128_t totals[block_rows][quads];
#pragma unroll
  for (size_t row = 0; row < count; row++) {
    numbers[row] = rows[row].numbers + first * per_block * piece * row_bits / 8;
    pieces[row] = rows[row].pieces + first * per_block;
#pragma unroll
    for (size_t i = 0; i < quads; i++) {
      totals[row][i] = wasm_v128_load(output + row * group_columns + 4 * i);
    }
  }
  while (from < last) {
    const uint8_t* scales = from;
    from += scales_size;
    for (size_t piece_of_block = 0; piece_of_block < per_block; piece_of_block++) {
      v128_t sums[block_rows][quads], points[quads];
      piece_products(bits, row_bits, piece, count, &from, step, numbers, mask, sums);
      zero_points(bits, has_zeros, zeros, points);
#pragma unroll
      for (size_t row = 0; row < count; row++) {
        const v128_t scale = wasm_v128_load32_splat(&pieces[row]->scale);
        const v128_t sum = wasm_v128_load32_splat(&pieces[row]->sum);
#pragma unroll
        for (size_t i = 0; i < quads; i++) {
          const v128_t moved = simd_madd(points[i], sum, wasm_f32x4_mul(sums[row][i], scale));
          totals[row][i] = simd_madd(moved, wasm_v128_load(scales + i * step), totals[row][i]);
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
      wasm_v128_store(output + row * group_columns + 4 * i, totals[row][i]);
    }
  }
}

/* A function each, so that none has too many values alive. */
typedef void (*products_function)(const struct block_weights*, const struct block_row*, size_t panel, size_t first,
                                  size_t end, float* output);

#define DEFINE_PRODUCT(name, bits, row_bits, piece, count, per_block)                                             \
  static void name(const struct block_weights* weights, const struct block_row* rows, size_t panel, size_t first, \
                   size_t end, float* output) {                                                                   \
    products(bits, row_bits, piece, count, per_block, weights, rows, panel, first, end, output);                  \
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

void block_products(const struct block_weights* weights, const struct block_row* rows, size_t count, size_t group,
                    float* output) {
  const size_t size = weights->block_size, row_bits = rows->bits, blocks = weights->blocks;
  const size_t first_panel = group * group_panels, left = panels_of(weights) - first_panel;
  const size_t panels = smaller(left, group_panels);
#define BY_SIZE(name) (size == 16 ? name##_16 : size == 32 ? name##_32 : size % 32 == 0 ? name##_32s : name##_16s)
  const bool both = count == 2 && row_bits == 8;
  const products_function function = both                 ? BY_SIZE(four_by_two_8)
                                     : weights->bits == 8 ? BY_SIZE(eight_by_16)
                                     : row_bits == 8      ? BY_SIZE(four_by_8)
                                                          : BY_SIZE(four_by_16);
#undef BY_SIZE
  memset(output, 0, count * group_columns * sizeof(float));
  for (size_t first = 0; first < blocks; first += weights->stretch) {
    const size_t end = smaller(first + weights->stretch, blocks);
    for (size_t panel = 0; panel < panels; panel++) {
      for (size_t row = 0; row < count; row += both ? 2 : 1) {
        float* to = output + row * group_columns + panel * panel_columns;
        function(weights, rows + row, first_panel + panel, first, end, to);
      }
    }
  }
}

INLINE void unpack(size_t bits, const struct block_weights* weights, size_t column, float* floats) {
  enum { some = unpacked_columns / 4 };
  const v128_t mask = bits == 8 ? CONSTANT(low_byte) : CONSTANT(low_nibble);
  const size_t words = weights->block_size * bits / 32, within = column % panel_columns;
  for (size_t block = 0; block < weights->blocks; block++) {
    const size_t place = place_of(weights, column / panel_columns, block);
    const size_t step = quad_step(weights);
    const uint8_t* from = weights->panels + place * quad_block(weights) + within / 4 * step;
    v128_t points[quads], offsets[some], scales[some];
    zero_points(bits, weights->has_zeros, weights->zeros + place * zeros_size(weights), points);
#pragma unroll
    for (size_t i = 0; i < some; i++) {
      const v128_t point = within == 0 ? points[i] : points[some + i];
      scales[i] = wasm_v128_load(from + i * step);
      offsets[i] = wasm_f32x4_neg(wasm_f32x4_mul(point, scales[i]));
    }
    from += scales_size;
    for (size_t word = 0; word < words; word++) {
#pragma unroll
      for (size_t i = 0; i < some; i++) {
        const v128_t all = wasm_v128_load(from + i * step);
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
