/* Arithmetic of sizes. */
#ifndef PYXNN_SIZES_H
#define PYXNN_SIZES_H

#include <stddef.h>

/* The quotient, rounded up. */
static inline size_t divide_up(size_t a, size_t b) {
  return (a + b - 1) / b;
}

/* The least multiple of `b` that isn't below `a`. */
static inline size_t rounded_up(size_t a, size_t b) {
  return divide_up(a, b) * b;
}

static inline size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static inline size_t larger(size_t a, size_t b) {
  return a > b ? a : b;
}

#endif
