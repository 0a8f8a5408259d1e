/* Copies of elements of 1, 2, 4 or 8 bytes. Source and target don't overlap. */
#ifndef PYXNN_KERNELS_MOVE_H
#define PYXNN_KERNELS_MOVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wasm_simd128.h>

/* Copies 64 bytes. */
static inline void move_line(uint8_t* to, const uint8_t* from) {
  const v128_t a = wasm_v128_load(from), b = wasm_v128_load(from + 16);
  const v128_t c = wasm_v128_load(from + 32), d = wasm_v128_load(from + 48);
  wasm_v128_store(to, a);
  wasm_v128_store(to + 16, b);
  wasm_v128_store(to + 32, c);
  wasm_v128_store(to + 48, d);
}

/* Copies bytes; faster than memcpy where they are few. */
static inline void move_bytes(uint8_t* to, const uint8_t* from, size_t count) {
  if (count >= 512) {
    memcpy(to, from, count);
  } else if (count >= 16) {
    size_t i = 0;
    if (count >=
        128) { /* stores across cache lines cost more than such loads: the end of the first vector is stored again */
      wasm_v128_store(to, wasm_v128_load(from));
      i = 16 - (uintptr_t)to % 16;
    }
    for (; i + 64 <= count; i += 64) {
      move_line(to + i, from + i);
    }
    for (; i + 16 <= count; i += 16) {
      wasm_v128_store(to + i, wasm_v128_load(from + i));
    }
    if (i < count) {
      wasm_v128_store(to + count - 16, wasm_v128_load(from + count - 16));
    }
  } else if (count >= 8) {
    const v128_t last = wasm_v128_load64_zero(from + count - 8);
    wasm_v128_store64_lane(to, wasm_v128_load64_zero(from), 0);
    wasm_v128_store64_lane(to + count - 8, last, 0);
  } else if (count >= 4) {
    const v128_t last = wasm_v128_load32_zero(from + count - 4);
    wasm_v128_store32_lane(to, wasm_v128_load32_zero(from), 0);
    wasm_v128_store32_lane(to + count - 4, last, 0);
  } else {
    for (size_t i = 0; i < count; i++) {
      to[i] = from[i];
    }
  }
}

/*
 * Copies rows of elements. Fast are columns that lie side by side on both sides, and rows that do where they come from while
 * columns do where they go: a transposition.
 * @param from, to                     the first element of each
 * @param from_row, to_row             elements from one row to the next
 * @param from_column, to_column       elements from one column to the next; 0 for `from_column` repeats one
 * @param element_size                 in bytes: 1, 2, 4 or 8
 */
void move_block(const void* from, ptrdiff_t from_row, ptrdiff_t from_column, void* to, ptrdiff_t to_row,
                ptrdiff_t to_column, size_t rows, size_t columns, size_t element_size);

#endif
