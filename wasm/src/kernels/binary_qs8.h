/* Sums and products of two rows of int8 numbers, each with a scale and a zero point. */
#ifndef PYXNN_KERNELS_BINARY_QS8_H
#define PYXNN_KERNELS_BINARY_QS8_H

#include <stddef.h>
#include <stdint.h>

/* A result is kept between `min` and `max`. */
struct binary_qs8 {
  int16_t a_zero, b_zero;
  float a_multiplier, b_multiplier;
  float out_zero;
  int8_t min, max;
};

/*
 * output[i] = f(a[i * a_step], b[i * b_step]), rounded to nearest, ties to even.
 * @param a_step  0 or 1, as b_step; one of them is 1
 * @param output  may be an operand whose step is 1
 */
typedef void (*binary_qs8_kernel)(const int8_t* a, size_t a_step, const int8_t* b, size_t b_step, int8_t* output,
                                  size_t count, const struct binary_qs8* by);

/* f(a, b) = a_multiplier * (a - a_zero) + b_multiplier * (b - b_zero) + out_zero */
void add_qs8(const int8_t* a, size_t a_step, const int8_t* b, size_t b_step, int8_t* output, size_t count,
             const struct binary_qs8* by);

/* f(a, b) = a_multiplier * (a - a_zero) * (b - b_zero) + out_zero */
void multiply_qs8(const int8_t* a, size_t a_step, const int8_t* b, size_t b_step, int8_t* output, size_t count,
                  const struct binary_qs8* by);

#endif
