#include "kernels/block_weights.h"

#include <math.h>
#include <string.h>

#include "kernels/simd.h"

#define INLINE static inline __attribute__((always_inline))

/* Sums that don't wait for each other. A column is gone through after the other: as it lies in memory. */
enum { blocks_at_once = 2 };

/* Vectors of sums of 16 bits that can't overflow. */
enum { most_vectors = 8 };

INLINE size_t block_bytes(const struct block_weights* weights) {
  return weights->block_size * weights->bits / 8;
}

float block_zero(const struct block_weights* weights, size_t column, size_t block) {
  const size_t bits = weights->bits;
  if (weights->float_zeros != NULL) {
    return weights->float_zeros[column * weights->blocks + block];
  }
  if (weights->zeros == NULL) {
    return (float)(1 << (bits - 1));
  }
  const uint8_t* zeros = weights->zeros + column * ((weights->blocks * bits + 7) / 8);
  return bits == 8 ? zeros[block] : (zeros[block / 2] >> (block % 2 * 4)) & 0xF;
}

/* Where digit 0 of number i of a block goes, from the block's first; the next digit lies `*step` further. */
INLINE size_t place_of(size_t bits, size_t chunk, size_t digits, size_t i, size_t* step) {
  const size_t halves = bits == 4 ? 2 : 1, inside = i % chunk;
  *step = halves * 16;
  return i / chunk * digits * *step + (bits == 4 ? inside % 2 * 16 + inside / 2 : inside);
}

void block_split(const struct block_weights* weights, const float* row, size_t length, const struct block_row* split) {
  const size_t bits = weights->bits, size = weights->block_size, chunk = chunk_of(bits, size), digits = split->digits;
  const size_t bytes = block_numbers(weights, digits);
  const float most = digits == 1 ? 127.0f : 16383.0f;
  memset(split->numbers, 0, weights->blocks * bytes);
  for (size_t block = 0; block < weights->blocks; block++) {
    const size_t first = block * size, count = length - first < size ? length - first : size;
    float highest = 0.0f;
    for (size_t i = 0; i < count; i++) {
      highest = fmaxf(highest, fabsf(row[first + i]));
    }
    const float scale = highest / most, inverse = highest == 0.0f ? 0.0f : most / highest;
    int32_t sum = 0;
    int8_t* to = split->numbers + block * bytes;
    for (size_t i = 0; i < count; i++) {
      const int32_t number = (int32_t)rintf(row[first + i] * inverse);
      size_t step;
      const size_t place = place_of(bits, chunk, digits, i, &step);
      if (digits == 1) {
        to[place] = (int8_t)number;
      } else {
        to[place] = (int8_t)(number >> 7);
        to[place + step] = (int8_t)(number & 0x7F);
      }
      sum += number;
    }
    split->scales[block] = scale;
    split->sums[block] = (float)sum * scale;
  }
}

/* The sum of the lanes. */
INLINE float sum_lanes(v128_t a) {
  a = wasm_f32x4_add(a, wasm_i64x2_shuffle(a, a, 1, 0));
  return wasm_f32x4_extract_lane(a, 0) + wasm_f32x4_extract_lane(a, 1);
}

/* Four weights of a column from place k on, a multiple of 4, not yet scaled; of 4 bits every other is 16 times too large. */
INLINE v128_t four_weights(size_t bits, const uint8_t* column, size_t k) {
  if (bits == 8) {
    const v128_t bytes = wasm_v128_load32_zero(column + k);
    return wasm_f32x4_convert_u32x4(wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(bytes)));
  }
  const v128_t pair = wasm_v128_load16_splat(column + k / 2);
  const v128_t apart = wasm_i8x16_shuffle(pair, pair, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return wasm_f32x4_convert_i32x4(wasm_v128_and(apart, wasm_i32x4_const(0x0F, 0xF0, 0x0F, 0xF0)));
}

/* What makes the numbers of four_weights as large as they are. */
INLINE v128_t parts_of(size_t bits) {
  return bits == 8 ? wasm_f32x4_const_splat(1.0f) : wasm_f32x4_const(1.0f, 0.0625f, 1.0f, 0.0625f);
}

/* What a column's zero points take off its product with a row. */
static float zeros_product(const struct block_weights* weights, const struct block_row* row, size_t column) {
  const size_t blocks = weights->blocks, bits = weights->bits;
  const float* scales = weights->scales + column * blocks;
  const uint8_t* zeros = weights->zeros == NULL ? NULL : weights->zeros + column * ((blocks * bits + 7) / 8);
  v128_t sums = wasm_f32x4_const_splat(0.0f), zero = wasm_f32x4_splat((float)(1 << (bits - 1)));
  size_t block = 0;
  for (; weights->float_zeros == NULL && block + 4 <= blocks; block += 4) {
    if (zeros != NULL) {
      zero = wasm_f32x4_mul(four_weights(bits, zeros, block), parts_of(bits));
    }
    const v128_t scaled = wasm_f32x4_mul(wasm_v128_load(scales + block), wasm_v128_load(row->sums + block));
    sums = simd_madd(scaled, zero, sums);
  }
  float sum = sum_lanes(sums);
  for (; block < blocks; block++) {
    sum += scales[block] * row->sums[block] * block_zero(weights, column, block);
  }
  return sum;
}

/* The sums of the products of some chunks of a block, by lane: so few chunks that none overflows. */
INLINE v128_t piece_sums(size_t bits, size_t digits, size_t weight_bytes, size_t chunks, const uint8_t* weights,
                         const int8_t* numbers) {
  const v128_t low_half = wasm_i8x16_const_splat(0x0F);
  v128_t low_sums[most_digits], high_sums[most_digits]; /* of 4 bits all are in the former */
#pragma unroll
  for (size_t digit = 0; digit < digits; digit++) {
    low_sums[digit] = high_sums[digit] = wasm_i16x8_const_splat(0);
  }
  for (size_t chunk = 0; chunk < chunks; chunk++) {
    const v128_t bytes = weight_bytes == 8 ? wasm_v128_load64_zero(weights) : wasm_v128_load(weights);
    const v128_t low = wasm_v128_and(bytes, low_half), high = wasm_v128_and(wasm_u16x8_shr(bytes, 4), low_half);
    weights += weight_bytes;
#pragma unroll
    for (size_t digit = 0; digit < digits; digit++) {
      const v128_t even = wasm_v128_load(numbers);
      low_sums[digit] = wasm_i16x8_add(low_sums[digit], simd_dot_bytes(even, low));
      if (bits == 4) {
        low_sums[digit] = wasm_i16x8_add(low_sums[digit], simd_dot_bytes(wasm_v128_load(numbers + 16), high));
      } else {
        high_sums[digit] = wasm_i16x8_add(high_sums[digit], simd_dot_bytes(even, high));
      }
      numbers += bits == 4 ? 32 : 16;
    }
  }
  v128_t sum = wasm_i32x4_dot_i16x8(low_sums[digits - 1], wasm_i16x8_const_splat(1));
  if (digits == 2) {
    sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(low_sums[0], wasm_i16x8_const_splat(128)));
  }
  if (bits == 8) {
    sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(high_sums[digits - 1], wasm_i16x8_const_splat(16)));
    if (digits == 2) {
      sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(high_sums[0], wasm_i16x8_const_splat(16 * 128)));
    }
  }
  return wasm_f32x4_convert_i32x4(sum);
}

/* Those of one block of a column. */
INLINE v128_t block_sums(size_t bits, size_t digits, size_t weight_bytes, size_t chunks, const uint8_t* weights,
                         const int8_t* numbers) {
  const size_t most = bits == 4 ? most_vectors / 2 : most_vectors;
  const size_t numbers_size = digits * (bits == 4 ? 32 : 16);
  if (chunks <= most) {
    return piece_sums(bits, digits, weight_bytes, chunks, weights, numbers);
  }
  v128_t total = wasm_f32x4_const_splat(0.0f);
  for (size_t chunk = 0; chunk < chunks; chunk += most) {
    const size_t count = chunks - chunk < most ? chunks - chunk : most;
    total = wasm_f32x4_add(total, piece_sums(bits, digits, weight_bytes, count, weights + chunk * weight_bytes,
                                             numbers + chunk * numbers_size));
  }
  return total;
}

/* One column; all before `weights` are known when this is compiled. */
INLINE float product(size_t bits, size_t digits, size_t weight_bytes, size_t chunks,
                     const struct block_weights* weights, const struct block_row* row, size_t column) {
  const size_t bytes = chunks * weight_bytes, blocks = weights->blocks;
  const size_t numbers_size = chunks * digits * (bits == 4 ? 32 : 16);
  const uint8_t* from = weights->weights + column * blocks * bytes;
  const float* scales = weights->scales + column * blocks;
  const int8_t* numbers = row->numbers;
  v128_t sums[blocks_at_once];
#pragma unroll
  for (size_t i = 0; i < blocks_at_once; i++) {
    sums[i] = wasm_f32x4_const_splat(0.0f);
  }
  size_t block = 0;
  for (; block + blocks_at_once <= blocks; block += blocks_at_once) {
#pragma unroll
    for (size_t i = 0; i < blocks_at_once; i++) {
      const float scale = row->scales[block + i] * scales[block + i];
      const v128_t total = block_sums(bits, digits, weight_bytes, chunks, from, numbers);
      sums[i] = simd_madd(total, wasm_f32x4_splat(scale), sums[i]);
      from += bytes;
      numbers += numbers_size;
    }
  }
  for (; block < blocks; block++) {
    const float scale = row->scales[block] * scales[block];
    const v128_t total = block_sums(bits, digits, weight_bytes, chunks, from, numbers);
    sums[0] = simd_madd(total, wasm_f32x4_splat(scale), sums[0]);
    from += bytes;
    numbers += numbers_size;
  }
#pragma unroll
  for (size_t i = 1; i < blocks_at_once; i++) {
    sums[0] = wasm_f32x4_add(sums[0], sums[i]);
  }
  return sum_lanes(sums[0]) - zeros_product(weights, row, column);
}

/* A function each, so that none has too many values alive. */
typedef float (*product_function)(const struct block_weights*, const struct block_row*, size_t column);

#define DEFINE_PRODUCT(name, bits, digits, weight_bytes, chunks)                                       \
  static float name(const struct block_weights* weights, const struct block_row* row, size_t column) { \
    return product(bits, digits, weight_bytes, chunks, weights, row, column);                          \
  }
#define DEFINE_PRODUCTS(name, bits, weight_bytes, chunks) \
  DEFINE_PRODUCT(name##_1, bits, 1, weight_bytes, chunks) \
  DEFINE_PRODUCT(name##_2, bits, 2, weight_bytes, chunks)

DEFINE_PRODUCTS(four_by_8, 4, 8, 1)
DEFINE_PRODUCTS(four_by_16, 4, 16, 1)
DEFINE_PRODUCTS(four_by_32, 4, 16, 2)
DEFINE_PRODUCTS(four_by_64, 4, 16, 4)
DEFINE_PRODUCTS(four_halves, 4, 8, weights->block_size / 16)
DEFINE_PRODUCTS(four, 4, 16, weights->block_size / 32)
DEFINE_PRODUCTS(eight_by_16, 8, 16, 1)
DEFINE_PRODUCTS(eight_by_32, 8, 16, 2)
DEFINE_PRODUCTS(eight_by_64, 8, 16, 4)
DEFINE_PRODUCTS(eight, 8, 16, weights->block_size / 16)

static product_function function_of(const struct block_weights* weights, size_t digits) {
#define PAIR(name) (digits == 1 ? name##_1 : name##_2)
  const size_t bytes = block_bytes(weights);
  if (weights->bits == 4) {
    return bytes == 8        ? PAIR(four_by_8)
           : bytes == 16     ? PAIR(four_by_16)
           : bytes == 32     ? PAIR(four_by_32)
           : bytes == 64     ? PAIR(four_by_64)
           : bytes % 16 != 0 ? PAIR(four_halves)
                             : PAIR(four);
  }
  return bytes == 16   ? PAIR(eight_by_16)
         : bytes == 32 ? PAIR(eight_by_32)
         : bytes == 64 ? PAIR(eight_by_64)
                       : PAIR(eight);
#undef PAIR
}

void block_products(const struct block_weights* weights, const struct block_row* row, size_t first, size_t count,
                    float* output) {
  const product_function product_of = function_of(weights, row->digits);
  for (size_t c = 0; c < count; c++) {
    output[c] = product_of(weights, row, first + c);
  }
}

INLINE void unpack_four(size_t bits, const struct block_weights* weights, const size_t* columns, size_t width,
                        size_t length, float* panel) {
  const size_t bytes = block_bytes(weights);
  const v128_t parts = parts_of(bits);
  for (size_t block = 0; block < weights->blocks; block++) {
    v128_t scales[4], offsets[4];
    const uint8_t* from[4];
    for (size_t c = 0; c < 4; c++) {
      const size_t place = columns[c] * weights->blocks + block;
      const v128_t scale = wasm_v128_load32_splat(weights->scales + place);
      scales[c] = wasm_f32x4_mul(scale, parts);
      offsets[c] = wasm_f32x4_mul(scale, wasm_f32x4_splat(-block_zero(weights, columns[c], block)));
      from[c] = weights->weights + place * bytes;
    }
    const size_t first = block * weights->block_size;
    const size_t count = length - first < weights->block_size ? length - first : weights->block_size;
    float* to = panel + first * width;
    for (size_t k = 0; k < count; k += 4) {
      const v128_t a = simd_madd(four_weights(bits, from[0], k), scales[0], offsets[0]);
      const v128_t b = simd_madd(four_weights(bits, from[1], k), scales[1], offsets[1]);
      const v128_t c = simd_madd(four_weights(bits, from[2], k), scales[2], offsets[2]);
      const v128_t d = simd_madd(four_weights(bits, from[3], k), scales[3], offsets[3]);
      const v128_t ab_low = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), ab_high = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
      const v128_t cd_low = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cd_high = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
      const v128_t rows[] = {
          wasm_i64x2_shuffle(ab_low, cd_low, 0, 2),
          wasm_i64x2_shuffle(ab_low, cd_low, 1, 3),
          wasm_i64x2_shuffle(ab_high, cd_high, 0, 2),
          wasm_i64x2_shuffle(ab_high, cd_high, 1, 3),
      };
      for (size_t i = 0; i < 4 && k + i < count; i++) {
        wasm_v128_store(to + (k + i) * width, rows[i]);
      }
    }
  }
}

void block_unpack(const struct block_weights* weights, size_t first, size_t count, size_t width, size_t length,
                  float* panel) {
  for (size_t column = 0; column < width; column += 4) {
    size_t columns[4];
    for (size_t c = 0; c < 4; c++) {
      columns[c] = first + (column + c < count ? column + c : count - 1);
    }
    if (weights->bits == 4) {
      unpack_four(4, weights, columns, width, length, panel + column);
    } else {
      unpack_four(8, weights, columns, width, length, panel + column);
    }
  }
}
