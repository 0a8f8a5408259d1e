/* What the engine knows of an operator kind. */
#ifndef PYXNN_OPERATOR_H
#define PYXNN_OPERATOR_H

#include <pthreadpool.h>
#include <pyxnn.h>
#include <stdbool.h>
#include <xnnpack.h>

/* The most parameter words that any kind has, and the most tensors. */
enum { max_params = 25, max_refs = 7 };

/* A cursor over words. Reading past the end yields zeros and is remembered in `exhausted`. */
struct words {
  const uint32_t* next;
  uint32_t left;
  bool exhausted;
};

/* Takes the next word. */
uint32_t take(struct words* words);

/* Takes the next word as a float. */
float take_float(struct words* words);

/* The window of a convolution, as its kind's params begin. */
struct window {
  uint32_t kernel_h, kernel_w;
  uint32_t stride_h, stride_w;
};

/* Takes kernel_h kernel_w stride_h stride_w. */
struct window take_window(struct words* words);

/* A convolution, transposed or not, as the params of both kinds give it. */
struct convolution {
  struct window window;
  uint32_t dilation_h, dilation_w;
  uint32_t groups, group_in_channels, group_out_channels;
  uint32_t padded; /* 0: the pads of all images are 0 */
};

/* Takes the params of a convolution in the order of enum pyxnn_kind, up to its bounds. */
struct convolution take_convolution(struct words* words);

/* The images that a window goes over, as the dims of convolutions give them. */
struct images {
  size_t batch, height, width;
  uint32_t pad_top, pad_right, pad_bottom, pad_left;
  size_t in_pixel_stride, out_pixel_stride;
};

/* Takes batch height width pad_top pad_right pad_bottom pad_left in_pixel_stride out_pixel_stride. */
struct images take_images(struct words* words);

/* How sums of products of int8 numbers become int8 numbers; multipliers and zero points of the weights come with them. */
struct requantization {
  int8_t in_zero_point, out_zero_point, min, max;
};

/* Takes in_zero_point out_zero_point min max. */
struct requantization take_requantization(struct words* words);

/* Rows of elements, dense or not, as the dims of elementwise and row-wise kinds give them. */
struct rows {
  size_t count, channels, in_stride, out_stride;
};

/* Takes rows channels in_stride out_stride. */
struct rows take_rows(struct words* words);

/* Makes one row of dense rows; false when a row reaches into the next. */
bool fold_rows(struct rows* rows);

/* Takes `count` words; NULL when fewer are left. */
const uint32_t* take_words(struct words* words, uint32_t count);

/* Takes `count` words as extents; NULL when fewer are left. */
const size_t* take_extents(struct words* words, uint32_t count);

/*
 * The functions behind an operator kind; see enum pyxnn_kind for the words they read. An operator's `state` is what does
 * not depend on shapes, packed weights above all; an `instance` is what does, one a step.
 */
struct operator_type {
  const char* name;
  uint32_t num_params;
  uint32_t num_refs;
  /* Creates the state and packs the weights into it. */
  enum xnn_status (*create)(struct words* params, const void* kernel, const void* bias, void** state);
  void (*destroy)(void* state);
  /*
   * Bytes of an instance of a kind on kernels of ours: a struct that begins with a pointer to the state and is zero behind
   * that. 0 for kinds on XNNPACK's operators, where state and instance are xnn_operator_t, the latter a copy.
   */
  size_t instance_size;
  /* Fixes the shapes. `workspace` receives the scratch bytes that running needs, and is zero on entry. */
  enum xnn_status (*reshape)(void* instance, struct words* dims, size_t* workspace, pthreadpool_t pool);
  /* Ties the instance to its tensors, in the order of the kind's refs. */
  enum xnn_status (*setup)(void* instance, void* workspace, void* const* tensors);
  /* Of an input that is wrong it leaves a message (pyxnn_error) and returns xnn_status_invalid_parameter. */
  enum xnn_status (*run)(void* instance, pthreadpool_t pool);
};

/*
 * Makes an instance of an operator, which outlives it; instance_release frees it.
 * @param out  receives the instance
 */
enum xnn_status instance_create(const pyxnn_operator* op, void** out);
void instance_release(const pyxnn_operator* op, void* instance);

/*
 * Copies a struct into memory that pyxnn_release frees: the state of a kind on kernels of ours.
 * @param out  receives the copy
 */
enum xnn_status own_state(const void* state, size_t size, void** out);

/* Whether elements may have so many bytes: 1, 2, 4 or 8. */
bool is_element_size(size_t size);

/* own_state of a size_t, which must be an element size. */
enum xnn_status own_element_size(size_t size, void** out);

/* For kinds on XNNPACK's operators. */
void xnn_state_destroy(void* state);
/* Sets what a convolution's images decide before it is reshaped; it was created with other pads and with dense pixels. */
enum xnn_status xnn_instance_set_images(void* instance, const struct images* images);
/* Sets the distance of rows or pixels before an operator is reshaped; it was created with dense ones. */
enum xnn_status xnn_instance_set_strides(void* instance, size_t in_stride, size_t out_stride);
enum xnn_status xnn_instance_run(void* instance, pthreadpool_t pool);

extern const struct operator_type convolution_type;
extern const struct operator_type fully_connected_type;
extern const struct operator_type batch_matmul_type;
extern const struct operator_type binary_type;
extern const struct operator_type unary_type;
extern const struct operator_type reduce_type;
extern const struct operator_type softmax_type;
extern const struct operator_type transpose_type;
extern const struct operator_type copy_type;
extern const struct operator_type depthwise_type;
extern const struct operator_type deconvolution_type;
extern const struct operator_type function_type;
extern const struct operator_type gather_type;
extern const struct operator_type typed_binary_type;
extern const struct operator_type select_type;
extern const struct operator_type cast_type;
extern const struct operator_type arg_extreme_type;
extern const struct operator_type top_k_type;
extern const struct operator_type running_type;
extern const struct operator_type pick_type;
extern const struct operator_type resample_type;
extern const struct operator_type pool_type;
extern const struct operator_type convolution_nd_type;
extern const struct operator_type convolution_computed_type;
extern const struct operator_type grid_sample_type;
extern const struct operator_type roi_align_type;
extern const struct operator_type roi_pool_type;
extern const struct operator_type attention_type;
extern const struct operator_type tensor_scatter_type;
extern const struct operator_type recurrent_type;
extern const struct operator_type normalize_type;
extern const struct operator_type local_response_type;
extern const struct operator_type convolution_qs8_type;
extern const struct operator_type fully_connected_qs8_type;
extern const struct operator_type quantize_type;
extern const struct operator_type dequantize_type;
extern const struct operator_type lookup_type;
extern const struct operator_type dynamic_quantize_type;
extern const struct operator_type convolution_integer_type;
extern const struct operator_type convolution_integer_computed_type;
extern const struct operator_type depthwise_qs8_type;
extern const struct operator_type binary_qs8_type;
extern const struct operator_type scatter_type;
extern const struct operator_type matmul_nbits_type;
extern const struct operator_type mean_qs8_type;
extern const struct operator_type rotary_type;
extern const struct operator_type winograd_type;
extern const struct operator_type winograd_qs8_type;
extern const struct operator_type unpool_type;
extern const struct operator_type multiply_add_type;
extern const struct operator_type batch_matmul_qs8_type;
extern const struct operator_type softmax_qs8_type;
extern const struct operator_type normalize_qs8_type;
extern const struct operator_type mean_pool_qs8_type;
extern const struct operator_type small_matmul_type;
extern const struct operator_type widen_type;
extern const struct operator_type narrow_type;
extern const struct operator_type linear_attention_type;

struct pyxnn_operator {
  const struct operator_type* type;
  uint32_t references;
  void* state;
};

#endif
