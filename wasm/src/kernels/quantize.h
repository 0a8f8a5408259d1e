/* Floats to integers of 8 and 16 bits by a scale and a zero point, and back. */
#ifndef PYXNN_KERNELS_QUANTIZE_H
#define PYXNN_KERNELS_QUANTIZE_H

#include <pyxnn.h>
#include <stddef.h>
#include <stdint.h>

/* The integers of a quantized tensor: int8, uint8, int16 or uint16, and the least and the greatest of them. */
struct quantized_type {
  enum pyxnn_element element;
  int32_t least, greatest;
};

/* Scales and zero points of a row: of each element its own where `step` is 1, the same for all where it is 0. */
struct quantization {
  const float* scale;
  const int32_t* zero;
  size_t step;
};

/*
 * output[i] = input[i] / scale + zero, rounded to nearest, ties to even, and kept within the type; its least for NaN.
 * @param output  of `type`; apart from `input`
 */
void quantize_row(const float* input, const struct quantization* by, void* output, size_t count,
                  const struct quantized_type* type);

/*
 * output[i] = (input[i] - zero) * scale.
 * @param element  of the input: as in struct quantized_type, or int32
 * @param output   apart from `input`
 */
void dequantize_row(const void* input, enum pyxnn_element element, const struct quantization* by, float* output,
                    size_t count);

#endif
