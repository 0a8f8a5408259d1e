/* Reductions of blocks of a tensor to a few sums; a sum may be a product, a maximum and so on. */
#ifndef PYXNN_KERNELS_REDUCE_H
#define PYXNN_KERNELS_REDUCE_H

#include <stddef.h>

/* The most sums that a kernel makes at a time, a multiple of 4; from what length on rows are read one after the other. */
enum { reduce_tile = 512, reduce_long_row = 2048 };

/* What a kernel has found so far. Elements beyond those in use may be overwritten. */
struct reduce_sums {
  _Alignas(16) char sums[(reduce_tile + 4) * 8]; /* elements of the kernel's type */
  float maxima[reduce_tile + 4];                 /* for the logarithm of sums of powers, which are relative to these */
};

/* Pointers to tensors point to elements of the kernel's type; strides and counts count elements. */
struct reduce_kernel {
  size_t element_size;
  /* Sets `count` sums to those of nothing. */
  void (*begin)(struct reduce_sums* sums, size_t count);
  /* Adds to sum i the `length` neighbours from input + i * stride on, for i below `count`. */
  void (*rows)(const void* input, size_t length, size_t stride, size_t count, struct reduce_sums* sums);
  /* Adds to sum i the elements input + i + j * stride, j below `length`, for i below `count`. */
  void (*columns)(const void* input, size_t length, size_t stride, size_t count, struct reduce_sums* sums);
  /* Adds the `count` sums from `first` on of `other` to those of `sums`. */
  void (*merge)(struct reduce_sums* sums, const struct reduce_sums* other, size_t first, size_t count);
};

extern const struct reduce_kernel reduce_sum_f32, reduce_sum_abs_f32, reduce_sum_square_f32, reduce_product_f32,
    reduce_maximum_f32, reduce_minimum_f32, reduce_log_sum_exp_f32;
extern const struct reduce_kernel reduce_sum_i32, reduce_sum_abs_i32, reduce_sum_square_i32, reduce_product_i32,
    reduce_maximum_i32, reduce_minimum_i32;
extern const struct reduce_kernel reduce_sum_i64, reduce_sum_abs_i64, reduce_sum_square_i64, reduce_product_i64,
    reduce_maximum_i64, reduce_minimum_i64;

#endif
